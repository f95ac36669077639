"""Who is who, of ten speakers never heard, in pieces of 4 to 5 s: how many, and which pieces are whose. LibriSpeech.

    python recipes/speaker_clustering.py PLACE_OF_LIBRISPEECH FOLDER [--develop]

One recording of each of 251 speakers, 2 to 17 s, is cut into as many pieces of 4 to 5 s as it holds: none to four.
Every piece loses its mean. By number, every fifth speaker is a test speaker; the others are the background, on whom
the background model and the within-speaker normalisation are trained. Twenty times, ten of the test speakers who have
a piece are drawn, and their pieces are clustered without being told how many speakers there are. `--develop` does the
same within the background, in four folds of 20 draws each: there settings and thresholds were chosen, by the mean ARI.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

import speechgmm as sg
from speechgmm.clustering import PieceClusters
from speechgmm.clustering.methods import Method
from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.evaluation import ClusterFigures, cluster_figures
from speechgmm.io.tables import table
from speechgmm.plots import save_figure
from speechgmm.tasks.clustering.plots import plot_clusters
from speechgmm.vectors import WithinClass, piece_statistics, supervectors

RATE, SHORTEST, LONGEST = 16000, 4, 5  # Hz, s, s
SPEAKERS, DRAWS = 10, 20
FEATURES = sg.FeatureSpec(preset="kaldi", n_mels=40, n_ceps=25, c0="drop", use_energy=False)


@dataclass(frozen=True)
class System:
    """What is compared: a method, its threshold (chosen by --develop), with or without what others taught it."""

    name: str
    method: Method
    threshold: float
    within: bool = False
    own_ubm: bool = False
    tried: tuple[float, ...] = ()


SYSTEMS = (
    System(
        "cosine, within-speaker normalisation", "cosine", 0.86, within=True, tried=(0.80, 0.82, 0.84, 0.86, 0.88, 0.9)
    ),
    System("cosine", "cosine", 0.84, tried=(0.80, 0.82, 0.84, 0.86, 0.88)),
    System("cross-likelihood ratio", "ratio", -0.1, tried=(-0.3, -0.2, -0.1, 0.0)),
    System("spectral", "spectral", 0.82, tried=(0.80, 0.82, 0.84, 0.86)),
    System("BIC of full Gaussians", "bic", 0.0, tried=(-100.0, -50.0, 0.0, 50.0)),
    System(
        "cosine, background model of the ten's own pieces",
        "cosine",
        0.89,
        own_ubm=True,
        tried=(0.85, 0.87, 0.89, 0.91),
    ),
)


@dataclass(frozen=True)
class Background:
    """What is learnt from other speakers."""

    ubm: sg.DiagGMM
    within: WithinClass


def cut(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """As many pieces of 4 to 5 s as there are in a recording, from its beginning."""
    count = len(samples) // (SHORTEST * RATE)
    size = min(len(samples) // max(count, 1), LONGEST * RATE)
    return [samples[n * size : (n + 1) * size] for n in range(count)]


def learn(pieces: dict[str, list[NDArray[np.float32]]], speakers: Sequence[str]) -> Background:
    """A background model of 128 Gaussians, and what differs within a speaker."""
    known = [(s, frames) for s in speakers for frames in pieces[s]]
    ubm = sg.fit_gmm(np.concatenate([frames for _, frames in known]), 128, max_iter=12, seed=0).model
    points = supervectors(ubm, piece_statistics(ubm, [frames for _, frames in known]))
    return Background(ubm, WithinClass.learn(points, [s for s, _ in known]))


def draws(able: Sequence[str], seed: int) -> Iterator[list[str]]:
    """Ten of the speakers, twenty times."""
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        yield [able[n] for n in sorted(rng.choice(len(able), SPEAKERS, replace=False))]


def clustered(
    system: System, threshold: float, pieces: Sequence[NDArray[np.float32]], background: Background
) -> PieceClusters:
    """The clusters that one system finds."""
    return sg.cluster_pieces(
        pieces,
        ubm=None if system.own_ubm else background.ubm,
        method=system.method,
        threshold=threshold,
        within=background.within if system.within else None,
    )


def said(figures: Sequence[ClusterFigures]) -> str:
    """Means over draws, and the spread of them."""
    nmi, ari = (np.array([getattr(one, name) for one in figures]) for name in ("nmi", "ari"))
    near = sum(abs(one.n_clusters - one.n_classes) <= 1 for one in figures)
    rng = np.random.default_rng(0)
    means = [values[rng.integers(len(ari), size=(2000, len(ari)))].mean(axis=1) for values in (nmi, ari)]
    bounds = ["{:.3f} to {:.3f}".format(*np.quantile(found, (0.025, 0.975))) for found in means]
    return (
        f"NMI {nmi.mean():.3f} ({bounds[0]}), ARI {ari.mean():.3f} ({bounds[1]}), least {ari.min():.3f}; number right "
        f"within 1 in {near} of {len(figures)}, exactly in {sum(one.n_clusters == one.n_classes for one in figures)}; "
        f"NMI of every piece alone {np.mean([one.nmi_alone for one in figures]):.2f}"
    )


def main(root: Path, folder: Path, develop: bool = False) -> None:
    """Cut, learn, draw, cluster; print the figures of every system and draw what the first one found."""
    first = {u.label("speaker"): u for u in reversed(list(read_librispeech(root, "speaker")))}
    speakers = sorted(first, key=int)
    pieces: dict[str, list[NDArray[np.float32]]] = {}
    for s in speakers:
        frames = [sg.extract(FEATURES, piece, RATE) for piece in cut(soundfile.read(first[s].path, dtype="float32")[0])]
        pieces[s] = [one - one.mean(axis=0) for one in frames]
    tested = speakers[::5]
    others = [s for s in speakers if s not in tested]
    folds = [(others[n::4], 100 + n) for n in range(4)] if develop else [(tested, 0)]
    jobs: list[tuple[Background, list[str]]] = []
    for held_out, seed in folds:
        background = [s for s in others if s not in held_out]
        assert not set(background) & set(held_out), "a speaker of the background is clustered"
        learnt = learn(pieces, background)
        able = [s for s in held_out if pieces[s]]
        jobs += [(learnt, drawn) for drawn in draws(able, seed)]
        counts = np.bincount([len(pieces[s]) for s in held_out])
        print(
            f"{len(background)} speakers of background; of {len(held_out)} to draw from, by number of pieces: {counts}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for number, system in enumerate(SYSTEMS):
        for threshold in system.tried if develop else (system.threshold,):
            results: list[tuple[ClusterFigures, PieceClusters, list[str]]] = []
            for learnt, drawn in jobs:
                found = clustered(system, threshold, [frames for s in drawn for frames in pieces[s]], learnt)
                true = [s for s in drawn for _ in pieces[s]]
                results.append((cluster_figures(found.labels.tolist(), true), found, true))
            print(f"{system.name}, threshold {threshold:g}: {said([figures for figures, *_ in results])}", flush=True)
            if number == 0 and not develop:
                show(results, folder, {s: u.label("sex") for s, u in first.items()})


def show(results: Sequence[tuple[ClusterFigures, PieceClusters, list[str]]], folder: Path, sex: dict[str, str]) -> None:
    """The draw of median ARI and the worst one, as pictures; all draws as a table."""
    order = sorted(range(len(results)), key=lambda n: results[n][0].ari)
    for name, n in (("typical", order[len(order) // 2]), ("worst", order[0])):
        figures, found, true = results[n]
        title = f"draw {n + 1}: {figures.n_classes} speakers, {len(true)} pieces; {figures.n_clusters} clusters found, "
        picture = plot_clusters(
            found.distances,
            found.labels,
            names=[f"{s} {sex[s].lower()}" for s in true],
            title=f"{title}ARI {figures.ari:.2f}",
        )
        save_figure(picture, folder / f"clusters-{name}.png")
        print(folder / f"clusters-{name}.png")
    rows = (
        (n + 1, len(true), one.n_clusters, *(f"{v:.4f}" for v in (one.nmi, one.ari, one.purity, one.coverage)))
        for n, (one, _, true) in enumerate(results)
    )
    text = table(("draw", "pieces", "clusters", "nmi", "ari", "purity", "coverage"), rows)
    (folder / "draws.tsv").write_text(text)


if __name__ == "__main__":
    typer.run(main)
