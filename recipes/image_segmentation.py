"""A photograph cut into regions by a mixture of its pixels, smoothed, with what is uncertain; beside scikit-learn's.

    python recipes/image_segmentation.py coffee --components 6 --out runs/coffee --compare
    python recipes/image_segmentation.py MY_PHOTOGRAPH.jpg --strength 2 --position 0

A name without an ending is one of scikit-image's photographs (astronaut, coffee, chelsea, rocket, ...); everything else
is a file. Needs the extra `image`. Writes NAME-regions.png (all in one figure) and NAME-labels.png (a grey per
component). The comparison is plain EM on both sides, all pixels, one start; scikit-learn adds to every variance what
we hold it above, so that their likelihoods differ (`benchmarks/image_segmentation.py` takes this apart).
"""

import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError, SpeechGMMError
from speechgmm.gmm import (
    ConjugatePrior,
    DiagGMM,
    VariationalFit,
    assign,
    fit_em,
    initial_model,
    log_likelihoods,
    prepare,
)
from speechgmm.images import PixelSpec, Segmentation, SegmentationSpec, painted, segment
from speechgmm.images.segmentation import Estimator
from speechgmm.io.image_file import read_picture, write_labels
from speechgmm.plots import save_figure

REGULARISATION = 1e-3  # of the comparison: our floor, scikit-learn's reg_covar
ITERATIONS = 20
SIDE = 4.2  # inches, of a panel
LINE = (1.0, 0.9, 0.0)  # colour of a boundary

Image = NDArray[np.float32]
Option = typer.Option


def main(
    image: Annotated[str, typer.Argument(help="a file, or the name of one of scikit-image's photographs")] = "coffee",
    components: Annotated[int, Option(help="kinds of region")] = 6,
    estimator: Annotated[str, Option(help="em, or variational: leaves out components that are not needed")] = "em",
    colour: Annotated[float, Option(help="weight of the colour")] = 1.0,
    texture: Annotated[float, Option(help="weight of the local variation")] = 0.5,
    position: Annotated[float, Option(help="weight of where a pixel is")] = 0.3,
    strength: Annotated[float, Option(help="of the smoothing, nats per neighbour; 0: none")] = 1.0,
    neighbours: Annotated[int, Option(help="4 or 8")] = 8,
    contrast: Annotated[bool, Option(help="smooth less where the colour changes")] = True,
    fit_pixels: Annotated[int, Option(help="fit to so many pixels at most")] = 1_000_000,
    compare: Annotated[bool, Option(help="fit scikit-learn's mixture, too")] = False,
    seed: int = 0,
    out: Path = Path("runs/images"),
) -> None:
    """Segment a photograph and draw what was found."""
    try:
        if out.is_file():
            raise ConfigError(f"--out {out}: a file; the pictures need a folder")
        picture = read_picture(_place(image))
        print(f"{image}: {picture.pixels.shape[1]} x {picture.pixels.shape[0]} pixels", *picture.notes, sep="; ")

        # Lab, texture and position of pixels; a mixture of them by EM; posteriors that agree with their neighbours.
        begun = time.perf_counter()
        found = segment(
            picture.pixels,
            PixelSpec(colour, texture, position),
            SegmentationSpec(
                components,
                cast(Estimator, estimator),
                strength=strength,
                neighbours=neighbours,
                contrast=contrast,
                fit_pixels=fit_pixels,
                seed=seed,
            ),
        )
        seconds = time.perf_counter() - begun
        fit, smoothed = found.fit, found.smoothed
        what = f"bound, {fit.n_in_use} components in use" if isinstance(fit, VariationalFit) else "likelihood"
        print(f"{len(fit.trace) - 1} iterations, {found.n_fitted} pixels: {fit.trace[-1]:.4f} nats a pixel ({what})")
        if smoothed is not None:
            start, end = smoothed.free_energy[0], smoothed.free_energy[-1]
            print(f"free energy {start:.4f} -> {end:.4f} nats a pixel in {len(smoothed.free_energy) - 1} sweeps")
        print(f"{seconds:.1f} s in all")

        others = against_scikit_learn(found, picture.pixels, seed) if compare else None
        out.mkdir(parents=True, exist_ok=True)
        name = Path(image).stem
        save_figure(plot_segmentation(found, picture.pixels, others), out / f"{name}-regions.png")
        write_labels(out / f"{name}-labels.png", found.labels)
        print(f"see {out / name}-regions.png")
    except SpeechGMMError as error:
        named = "" if image in str(error) or isinstance(error, ConfigError) else f"{image}: "
        print(f"error: {named}{error}", file=sys.stderr)
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None


def _place(image: str) -> Path:
    path = Path(image)
    if path.suffix or path.exists():
        return path
    try:
        import skimage
    except ImportError:
        raise ConfigError("its photographs come with scikit-image: pip install 'speechgmm[image]'") from None
    there = sorted(p for p in (Path(skimage.__file__).parent / "data").iterdir() if p.suffix in (".png", ".jpg"))
    for shipped in there:
        if shipped.stem == image:
            return shipped
    raise DataError(f"{image}: no file, and no photograph of scikit-image; it has {', '.join(p.stem for p in there)}")


def against_scikit_learn(found: Segmentation, image: Image, seed: int) -> dict[str, NDArray[np.intp]]:
    """Labels (H, W) of plain EM and of scikit-learn's from one start; prints how both compare."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    frames = found.space.frames(image)
    n_components, n_features = found.mixture.means.shape
    floor, rng = np.full(n_features, REGULARISATION), np.random.default_rng(seed)
    start = initial_model(frames, n_components, method="kmeans++", rng=rng, floor=floor, n_init=None)
    batches = prepare(frames)
    flat = ConjugatePrior.flat(n_components, n_features)
    fit_em(start, batches, flat, max_iter=0, tol=0)  # compiles, where it never ran
    theirs = GaussianMixture(
        n_components,
        covariance_type="diag",
        reg_covar=REGULARISATION,
        max_iter=ITERATIONS,
        tol=0,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=1 / start.variances,
    )
    begun = time.perf_counter()
    ours = fit_em(start, batches, flat, max_iter=ITERATIONS, tol=0, floor=floor).model
    between = time.perf_counter()
    values: Any = frames.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(values)
    ended = time.perf_counter()
    other = DiagGMM(theirs.weights_, theirs.means_, theirs.covariances_)
    likelihoods = [float(log_likelihoods(model, frames).mean()) for model in (ours, other)]
    labels = [assign(model, frames) for model in (ours, other)]
    print(
        f"{ITERATIONS} iterations of EM from one start: {1e3 * (between - begun) / ITERATIONS:.0f} ms each, "
        f"scikit-learn {1e3 * (ended - between) / ITERATIONS:.0f}; {likelihoods[0]:.4f} and {likelihoods[1]:.4f} nats "
        f"a pixel; {100 * (labels[0] == labels[1]).mean():.1f} % of the pixels alike"
    )
    titles = ("the same mixture without neighbours, by EM", "by scikit-learn's mixture, from the same start")
    return {title: one.reshape(image.shape[:2]) for title, one in zip(titles, labels, strict=True)}


def plot_segmentation(found: Segmentation, image: Image, others: Mapping[str, NDArray[np.intp]] | None) -> Figure:
    """The image (H, W, 3), its regions in their mean colours, their boundaries over it, and the uncertainty.

    ``others`` are further label maps (H, W) by their titles, painted below.
    """
    height, width = image.shape[:2]
    panels = {
        "photograph": image,
        "regions, in their mean colours": painted(found.labels, image),
        "boundaries": outlined(found.labels, image),
        "uncertainty": found.uncertainty,
        **{title: painted(labels, image) for title, labels in (others or {}).items()},
    }
    rows = -(-len(panels) // 2)
    size = (2 * SIDE, rows * (SIDE * min(2.0, max(0.1, height / width)) + 0.3))
    figure = Figure(figsize=size, layout="constrained", dpi=100)
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for place in axes:
        place.set_axis_off()
    for place, (title, panel) in zip(axes, panels.items(), strict=False):
        shown = place.imshow(panel, cmap="magma", vmin=0, vmax=1, interpolation="antialiased")
        place.set_title(title, fontsize=9)
        if title == "uncertainty":
            place.set_title("uncertainty: the mixture's, before smoothing", fontsize=9)
            bar = figure.colorbar(shown, ax=place, location="bottom", shrink=0.6, pad=0.02, ticks=[0, 1])
            bar.ax.set_xticklabels(["sure", "knows nothing"], fontsize=7)
    return figure


def outlined(labels: NDArray[np.intp], image: Image) -> Image:
    """The image with a line where a pixel's label is not that of the one to its left or above."""
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    drawn = image.copy()
    drawn[edge] = LINE
    return drawn


if __name__ == "__main__":
    typer.run(main)
