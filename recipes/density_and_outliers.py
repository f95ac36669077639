"""Clusters, a density and outliers by one mixture, on tables that have nothing to do with speech.

    python recipes/density_and_outliers.py FOLDER

Measurements of flowers, wines and tumours, as scikit-learn ships them. Clusters are found without labels and compared
with them afterwards (ARI: 1 is the same division, 0 what chance gives). Outliers are the rows of least likelihood:
planted ones among flowers, in the table that the mixture is fitted to, and tumours that were never seen (AUC: the
chance that an outlier is less likely than another row). Writes density.png.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.mixture import GaussianMixture

import speechgmm as sg
from speechgmm.plots import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STARTS = 10
PLANTED = 15
DRAWS = 50
Table = NDArray[np.float64]


def main(out: Annotated[Path, typer.Argument()] = Path("runs/density")) -> None:
    """Print the figures and draw the flowers."""
    # Clusters: as many components as there are kinds, labels unseen, the likeliest of ten starts.
    for name, bunch in (("iris", load_iris()), ("wine", load_wine())):
        rows: Table = bunch.data
        fit = likeliest(rows, 3)
        theirs = GaussianMixture(3, covariance_type="diag", n_init=STARTS, random_state=0).fit(standard(rows))
        full = GaussianMixture(3, covariance_type="full", n_init=STARTS, random_state=0).fit(standard(rows))
        agreement = [
            adjusted_rand_score(bunch.target, found)
            for found in (sg.assign(fit.model, rows), theirs.predict(standard(rows)), full.predict(standard(rows)))
        ]
        print(
            f"{name}: {len(rows)} rows of {rows.shape[1]}, ARI {agreement[0]:.3f}; scikit-learn {agreement[1]:.3f}, "
            f"with full covariances {agreement[2]:.3f}"
        )

    # Planted outliers: drawn evenly from the box of all flowers, a fifth wider; the mixture is fitted to all rows.
    flowers: Table = load_iris().data
    areas = []
    for draw in range(DRAWS):
        rows, planted = with_outliers(flowers, draw)
        fit = sg.fit_gmm(rows, 3, init="kmeans++", seed=draw, max_iter=100)
        areas.append(float(roc_auc_score(planted, -sg.log_likelihoods(fit.model, rows))))
    low, middle, high = np.quantile(areas, [0.05, 0.5, 0.95])
    print(f"planted among flowers: AUC median {middle:.3f}, 5 to 95 % of {DRAWS} draws {low:.3f} to {high:.3f}")

    # Tumours: benign ones are fitted, other benign ones and all malignant ones are scored. Logarithms, since the
    # measurements are above 0 and have long tails.
    bunch = load_breast_cancer()
    rows, benign = np.log(bunch.data + 1e-3), bunch.target == 1
    areas = []
    for draw in range(DRAWS):
        known = np.random.default_rng(draw).permutation(np.flatnonzero(benign))[: benign.sum() // 2]
        fit = sg.fit_gmm(rows[known], 4, init="kmeans++", seed=draw, max_iter=100)
        rest = np.setdiff1d(np.arange(len(rows)), known)
        areas.append(float(roc_auc_score(~benign[rest], -sg.log_likelihoods(fit.model, rows[rest]))))
    low, middle, high = np.quantile(areas, [0.05, 0.5, 0.95])
    print(f"malignant among benign: AUC median {middle:.3f}, 5 to 95 % of {DRAWS} halves {low:.3f} to {high:.3f}")

    out.mkdir(parents=True, exist_ok=True)
    save_figure(draw_flowers(), out / "density.png")
    print(f"see {out / 'density.png'}")


def likeliest(rows: Table, n_components: int) -> sg.Fit:
    """The likeliest of ten fits from k-means++ starts."""
    fits = (sg.fit_gmm(rows, n_components, init="kmeans++", seed=seed, max_iter=200) for seed in range(STARTS))
    return max(fits, key=lambda fit: fit.trace[-1])


def standard(rows: Table) -> Table:
    """In deviations from the mean: scikit-learn's start and its reg_covar depend on the units, ours do not."""
    scaled: Table = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    return scaled


def with_outliers(rows: Table, seed: int) -> tuple[Table, NDArray[np.bool_]]:
    """The rows with some more drawn evenly from their box, a fifth wider, and which these are."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    wider = 0.1 * (high - low)
    more = np.random.default_rng(seed).uniform(low - wider, high + wider, size=(PLANTED, rows.shape[1]))
    return np.concatenate([rows, more]), np.arange(len(rows) + PLANTED) >= len(rows)


def draw_flowers() -> "Figure":
    """Petals in two dimensions: clusters, density, outliers."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Ellipse

    bunch = load_iris()
    petals: Table = bunch.data[:, 2:]
    fit = likeliest(petals, 3)
    model = fit.model
    figure = Figure(figsize=(10.5, 3.6), layout="constrained", dpi=100)
    left, middle, right = figure.subplots(1, 3, sharex=True, sharey=True)
    colours = np.array(["#2a7ab9", "#d95f02", "#1b9e77"])
    by_length = np.argsort(np.argsort(model.means[:, 0]))
    assigned = by_length[sg.assign(model, petals)]
    for kind, (marker, name) in enumerate(zip("osD", bunch.target_names, strict=True)):
        own = bunch.target == kind
        left.scatter(*petals[own].T, s=16, c=colours[assigned[own]], marker=marker, alpha=0.7, lw=0)
        left.scatter([], [], s=16, c="#808080", marker=marker, label=name)
    for k, (mean, variance) in enumerate(zip(model.means, model.variances, strict=True)):
        left.add_patch(Ellipse(mean, *(4 * np.sqrt(variance)), fill=False, ec=colours[by_length[k]], lw=1.5))
    left.legend(frameon=False, fontsize=8, loc="upper left")
    ari = adjusted_rand_score(bunch.target, assigned)
    print(f"petals alone, the picture: ARI {ari:.2f}")
    left.set_title(f"clusters (colour) and species (shape): ARI {ari:.2f}", fontsize=9)

    rows, planted = with_outliers(petals, 0)
    fitted = likeliest(rows, 3).model
    corner, end = rows.min(axis=0) - 0.2, rows.max(axis=0) + 0.2
    grid = np.stack(np.meshgrid(*(np.linspace(corner[d], end[d], 200) for d in (0, 1))), axis=-1)
    density = sg.log_likelihoods(model, grid.reshape(-1, 2)).reshape(grid.shape[:2])
    shown = middle.contourf(
        grid[..., 0], grid[..., 1], density, levels=np.arange(-10, 2, 1), cmap="Blues", extend="both"
    )
    middle.scatter(*petals.T, s=3, c="#202020", lw=0)
    middle.set_title("log density, nats per cm²", fontsize=9)
    figure.colorbar(shown, ax=middle, pad=0.01)

    surprise = -sg.log_likelihoods(fitted, rows)
    odd = surprise >= np.sort(surprise)[-PLANTED]
    right.scatter(*rows[~planted].T, s=12, c="#808080", lw=0, label="flowers")
    right.scatter(*rows[planted].T, s=18, c="#d95f02", marker="^", lw=0, label="planted")
    right.scatter(*rows[odd].T, s=80, fc="none", ec="#2a7ab9", lw=1.2, label=f"the {PLANTED} least likely")
    right.legend(frameon=False, fontsize=8, loc="upper left")
    area = roc_auc_score(planted, surprise)
    right.set_title(f"outliers: {(odd & planted).sum()} of {PLANTED} found, AUC {area:.2f}", fontsize=9)
    for axes in (left, middle, right):
        axes.set_xlabel("petal length, cm")
    left.set_ylabel("petal width, cm")
    return figure


if __name__ == "__main__":
    typer.run(main)
