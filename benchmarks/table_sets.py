"""Tables and clusters that are no speech: what scikit-learn holds or draws, in their own units.

Chosen before anything was run: the thirteenth table is make_s_curve. So is the number of components: of drawn clusters
as many as there are, of tables with classes twice as many as classes, else 8. Diabetes is as its loader gives it.
A seed draws the split (60 % to train on), the table itself where it is drawn, and what the fits draw.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.decomposition import PCA

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows to train on and held out; where the rows are of blobs of deviation 1, their centres."""

    name: str
    n_components: int
    train: Floats  # (N, D)
    held_out: Floats  # (M, D); empty where it is only asked whether the blobs are found
    centres: Floats | None = None  # (K, D)


def centres(rng: np.random.Generator, n: int, n_features: int, side: float, apart: float) -> Floats:
    """Centres (n, D) uniform in a box, each drawn anew while it is closer than ``apart`` to one before."""
    found: list[Floats] = []
    while len(found) < n:
        centre = rng.uniform(0, side, n_features)
        if all(np.linalg.norm(centre - other) >= apart for other in found):
            found.append(centre)
    return np.array(found)


def _around(rng: np.random.Generator, middles: Floats, sizes: NDArray[np.intp], spreads: Floats) -> Floats:
    rows = [m + s * rng.normal(size=(n, len(m))) for m, n, s in zip(middles, sizes, spreads, strict=True)]
    return np.concatenate(rows)


def _equal(rng: np.random.Generator) -> Floats:
    return _around(rng, centres(rng, 8, 2, 60, 10), np.full(8, 125), np.ones(8))


def _unequal(rng: np.random.Generator) -> Floats:
    sizes = np.array([600, 300, 150, 75, 50, 25])
    return _around(rng, centres(rng, 6, 3, 40, 8), sizes, rng.uniform(0.3, 2.5, 6))


def _five_dimensions(rng: np.random.Generator) -> Floats:
    return _around(rng, centres(rng, 10, 5, 20, 6), np.full(10, 100), np.ones(10))


def _anisotropic(rng: np.random.Generator) -> Floats:
    rows = _around(rng, centres(rng, 3, 2, 20, 8), np.full(3, 300), np.ones(3))
    return rows @ np.array([[0.6, -0.6], [-0.4, 0.8]])  # scikit-learn's example of clusters that are no spheres


def _heavy_tailed(rng: np.random.Generator) -> Floats:
    middles = centres(rng, 4, 3, 30, 8)
    return np.concatenate([m + rng.standard_t(3, size=(250, 3)) for m in middles])


def _moons(rng: np.random.Generator) -> Floats:
    return datasets.make_moons(1000, noise=0.08, random_state=int(rng.integers(2**31)))[0]


def _circles(rng: np.random.Generator) -> Floats:
    return datasets.make_circles(1000, noise=0.05, factor=0.5, random_state=int(rng.integers(2**31)))[0]


def _s_curve(rng: np.random.Generator) -> Floats:
    return datasets.make_s_curve(1000, noise=0.05, random_state=int(rng.integers(2**31)))[0]


def _loaded(load: Callable[[], object]) -> Callable[[np.random.Generator], Floats]:
    return lambda _: load().data  # type: ignore[attr-defined]


TABLES: dict[str, tuple[int, Callable[[np.random.Generator], Floats]]] = {
    "iris": (6, _loaded(datasets.load_iris)),
    "wine": (6, _loaded(datasets.load_wine)),
    "breast cancer": (4, _loaded(datasets.load_breast_cancer)),
    "digits, PCA 10": (20, _loaded(datasets.load_digits)),
    "blobs, 8 equal": (8, _equal),
    "blobs, 6 unequal": (6, _unequal),
    "blobs, 10 in 5-D": (10, _five_dimensions),
    "moons": (8, _moons),
    "circles": (8, _circles),
    "anisotropic": (3, _anisotropic),
    "heavy-tailed": (4, _heavy_tailed),
    "diabetes": (8, _loaded(datasets.load_diabetes)),
    "S curve": (8, _s_curve),
}


def table(name: str, seed: int) -> Table:
    """One of ``TABLES``, split."""
    n_components, draw = TABLES[name]
    rng = np.random.default_rng(seed)
    rows = draw(rng)
    order = rng.permutation(len(rows))
    cut = round(0.6 * len(rows))
    train, held_out = rows[order[:cut]], rows[order[cut:]]
    if "PCA" in name:
        reduced = PCA(10, svd_solver="full").fit(train)
        train, held_out = reduced.transform(train), reduced.transform(held_out)
    return Table(name, n_components, train, held_out)


def blobs(name: str, seed: int) -> Table:
    """Clusters of 100 rows: eight in 2-D, 10 deviations apart, in a box of 60; ten in 5-D, 6 apart, in one of 20."""
    rng = np.random.default_rng(1000 + seed)
    middles = centres(rng, 8, 2, 60, 10) if name == "eight blobs" else centres(rng, 10, 5, 20, 6)
    rows = _around(rng, middles, np.full(len(middles), 100), np.ones(len(middles)))
    return Table(name, len(middles), rows[rng.permutation(len(rows))], rows[:0], middles)
