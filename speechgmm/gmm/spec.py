"""The ``model`` section of a configuration."""

from dataclasses import dataclass, fields, replace
from typing import Final, Literal

from speechgmm.errors import ConfigError
from speechgmm.gmm.component_count import DEFAULT_COMPONENTS, FRAMES_PER_COMPONENT
from speechgmm.gmm.families import FAMILIES
from speechgmm.gmm.options import MAX_ITER, TOL
from speechgmm.gmm.spec_sections import ChooseSpec as ChooseSpec
from speechgmm.gmm.spec_sections import UbmSpec as UbmSpec
from speechgmm.setting import FORBID_UNKNOWN, setting

OWN_RELEVANCE: Final = {"mean_relevance": "means", "variance_relevance": "variances", "weight_relevance": "weights"}
"""Settings that take the place of ``relevance`` for one parameter."""

OF_ADAPTATION: Final = ("relevance", *OWN_RELEVANCE, "adapt_parameters", "adapt_max_iter", "ubm")
"""Settings of ``adapt: map`` alone."""

OF_BACKGROUND: Final = ("n_components", "max_iter")
"""Settings that are the background model's with ``adapt: map``, under the same names in ``ubm``."""

OF_PRIOR: Final = ("weight_prior", "concentration", "mean_frames", "variance_frames", "variance_share")
"""Settings that make the prior of variational Bayes."""

OF_VARIATIONAL: Final = (*OF_PRIOR, "variational_max_iter", "prior_from")
OF_GRADIENT: Final = ("gradient_after",)

NOT_OF: Final[dict[str, tuple[str, ...]]] = {
    "em": (*OF_VARIATIONAL, *OF_GRADIENT),
    "variational": (*OF_GRADIENT, "max_iter", "variance_floor", "dead_components", "overrelaxed", "e_step"),
    "gradient": (*OF_VARIATIONAL, "e_step"),
}
"""Settings that have no effect with an estimator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """The settings of the mixture of every class, and of its training.

    >>> ModelSpec(n_components="auto", choose=ChooseSpec(criterion="aic")).choose.n_starts
    3
    >>> ModelSpec(adapt="map", ubm=UbmSpec(n_components=256)).relevance
    16.0
    """

    __pydantic_config__ = FORBID_UNKNOWN

    n_components: int | Literal["auto"] | None = setting(
        None,
        f"Gaussians per class; default: {DEFAULT_COMPONENTS}, and for a class of few frames one for each "
        f"{FRAMES_PER_COMPONENT} of them; auto: chosen for each by its own frames (choose); with adapt: map it is "
        "ubm.n_components",
    )
    covariance: Literal["diag", "full", "tied", "spherical"] = setting(
        "diag",
        "diag: a variance for each dimension; full: a covariance matrix for each Gaussian, for few dimensions or much "
        "data; tied: one matrix for all Gaussians of a class; spherical: one variance for each Gaussian",
    )
    choose: ChooseSpec = setting(ChooseSpec(), "n_components: auto: how it is chosen")
    estimator: Literal["em", "variational", "gradient"] = setting(
        "em",
        "em: maximum likelihood; variational: Bayesian, a posterior over mixtures, which leaves components out that "
        "the data do not need and scores by its predictive density; gradient: maximum likelihood by L-BFGS after a few "
        "iterations of EM",
    )
    init: Literal["kmeans++", "split", "random"] = setting(
        "kmeans++", "where EM starts: k-means, binary splitting of one Gaussian, or random frames"
    )
    n_init: int | None = setting(
        None,
        "starts that are tried on some of the frames, of which the likeliest goes on; default: up to 4, fewer where "
        "frames are few or components many",
        ge=1,
        le=1000,
    )
    max_iter: int = setting(
        MAX_ITER,
        "EM iterations over all frames of a class (gradient: passes), at most; with adapt: map it is ubm.max_iter",
        ge=0,
        le=100_000,
    )
    tol: float = setting(
        TOL,
        "training stops once an iteration gains less, of the likelihood or bound",
        unit="nats per frame",
        ge=0,
        le=1e6,
    )
    variance_floor: float = setting(
        0.01,
        "least variance of a component, as a share of the training split's, per dimension; of the background's "
        "recordings, where it has its own (split ubm)",
        ge=0,
        le=1,
    )
    dead_components: Literal["keep", "resplit"] = setting(
        "keep",
        "a component that no frames speak for keeps its mean and variance, or is re-split from the heaviest",
    )
    precision: Literal["auto", "float32", "float64"] = setting(
        "auto",
        "precision of the products in training; auto: float64 where a variance of the start is below 1e-3 of that of "
        "all frames and the floor is below that too, or where variance_floor is 0; else float32",
    )
    overrelaxed: bool = setting(
        True, "updates go further than the step of EM while the likelihood grows by it: half the iterations"
    )
    e_step: Literal["auto", "dense", "sparse"] = setting(
        "auto",
        "dense: every frame is given to all components; sparse: in most passes to those that were active for its "
        "neighbours at the last full one; auto: sparse from 512 components on, where it is faster",
    )
    gradient_after: int = setting(10, "gradient: EM iterations before it", ge=0, le=100_000)
    weight_prior: Literal["dirichlet", "dirichlet_process"] = setting(
        "dirichlet",
        "variational: the prior of the weights; dirichlet_process: by stick-breaking, n_components are where it is "
        "cut off",
    )
    concentration: float | None = setting(
        None,
        "variational: what every component of a Dirichlet is worth before a frame is seen (default 1 / "
        "n_components), or the whole process (default 1); the smaller, the fewer components are used",
        unit="frames",
        gt=0,
        le=1e12,
    )
    mean_frames: float = setting(
        1.0,
        "variational: what the training split's mean is worth in every component's mean",
        unit="frames",
        gt=0,
        le=1e12,
    )
    variance_frames: float = setting(
        20.0,
        "variational: what the prior's variance is worth in every component's variance",
        unit="frames",
        gt=0,
        le=1e12,
    )
    variance_share: float = setting(
        0.5, "variational: the prior's variance as a share of the training split's, per dimension", gt=0, le=1e6
    )
    variational_max_iter: int = setting(200, "variational: iterations over a class's frames, at most", ge=0, le=100_000)
    prior_from: str | None = setting(
        None,
        "variational: a model whose classes' posteriors are the priors of this training, for recordings that it has "
        "not seen; relative to the configuration file",
        is_path=True,
    )
    adapt: Literal["none", "map"] = setting(
        "none", "none: every class is trained from its own frames; map: adapted from a background model"
    )
    relevance: float = setting(
        16.0, "map: what the background model is worth per component", unit="frames", ge=0, le=1e12
    )
    mean_relevance: float | None = setting(
        None, "map: relevance of the means; default: relevance", unit="frames", ge=0, le=1e12
    )
    variance_relevance: float | None = setting(
        None, "map: relevance of the variances; default: relevance", unit="frames", ge=0, le=1e12
    )
    weight_relevance: float | None = setting(
        None,
        "map: what the background model's weights are worth, all components together; default: relevance for each",
        unit="frames",
        ge=0,
        le=1e12,
    )
    adapt_parameters: tuple[Literal["weights", "means", "variances"], ...] = setting(
        ("means",), "map: what is adapted; the rest stays the background model's"
    )
    adapt_max_iter: int = setting(1, "map: EM iterations, at most; 1 is Reynolds et al. 2000", ge=0, le=100_000)
    ubm: UbmSpec = setting(UbmSpec(), "map: the background model")

    def __post_init__(self) -> None:
        """Refuse what would have no effect."""
        if isinstance(self.n_components, int) and self.n_components < 1:
            raise ConfigError(f"model.n_components is {self.n_components}; expected 1 or more, or auto")
        if self.n_components == "auto" and self.estimator != "em":
            instead = "leaves out what the data do not need by itself: set a number that is enough"
            if self.estimator == "gradient":
                instead = "goes on from EM with the components it has: set a number, or estimator: em"
            raise ConfigError(f"model.n_components: auto is for model.estimator: em; {self.estimator} {instead}")
        if self.n_components == "auto" and self.adapt == "map":
            raise ConfigError(
                "model.n_components: auto is for classes that are trained from nothing; with model.adapt: map every "
                "class has the components of the background model: compare model.ubm.n_components by sweep"
            )
        if self.n_components != "auto" and self.choose != ChooseSpec():
            raise ConfigError("model.choose has no effect without model.n_components: auto; set that as well")
        if self.n_components == "auto" and self.dead_components == "resplit":
            raise ConfigError(
                "model.dead_components: resplit works against model.n_components: auto, which asks whether a component "
                "is worth having; leave it out"
            )
        if self.adapt == "map":
            _move_to_background(self)
        changed = {field.name for field in fields(self) if getattr(self, field.name) != field.default}
        for name in OF_ADAPTATION:
            if self.adapt == "none" and name in changed:
                raise ConfigError(f"model.{name} has no effect with model.adapt: none; set model.adapt: map")
        _check_estimator(self, changed)
        _check_covariance(self)
        if not self.adapt_parameters:
            raise ConfigError("model.adapt_parameters is empty; name some of weights, means, variances")
        for name, parameter in OWN_RELEVANCE.items():
            if getattr(self, name) is not None and parameter not in self.adapt_parameters:
                raise ConfigError(
                    f"model.{name} has no effect where {parameter} are not adapted; add them to model.adapt_parameters "
                    f"({', '.join(self.adapt_parameters)})"
                )
        if self.ubm.balance is not None and self.e_step == "sparse":
            raise ConfigError(
                "model.e_step: sparse has no effect with model.ubm.balance: frames that weigh differently are given to "
                "all components; leave it out"
            )


def _move_to_background(spec: ModelSpec) -> None:
    """Components and iterations of a model that is adapted are those of its background model: they move there.

    What has its default counts as not given. Raises ConfigError where both are given and differ.
    """
    defaults = {field.name: field.default for field in fields(spec)}
    for name in OF_BACKGROUND:
        given, of_ubm = getattr(spec, name), getattr(spec.ubm, name)
        if given == defaults[name]:
            continue
        if of_ubm not in (given, getattr(UbmSpec(), name)):
            raise ConfigError(
                f"model.{name} is {given} and model.ubm.{name} is {of_ubm}; with model.adapt: map both are the "
                f"background model's, which every class starts from: leave out model.{name}, or give both one value"
            )
        object.__setattr__(spec, "ubm", replace(spec.ubm, **{name: given}))  # frozen, and not yet in use
        object.__setattr__(spec, name, defaults[name])


def _check_estimator(spec: ModelSpec, changed: set[str]) -> None:
    """Refuse what would have no effect with an estimator, and estimators that cannot do what is asked."""
    if spec.adapt == "map" and spec.estimator != "em":
        raise ConfigError(
            f"model.estimator: {spec.estimator} has no effect with model.adapt: map, where classes are adapted from a "
            "background model; set model.adapt: none, or leave the estimator out"
        )
    for name in NOT_OF[spec.estimator]:
        if name in changed:
            needs = next((of for of in ("variational", "gradient", "em") if name not in NOT_OF[of]), "em")
            instead = "; set model.variational_max_iter" if name == "max_iter" else f"; it is for {needs}"
            raise ConfigError(f"model.{name} has no effect with model.estimator: {spec.estimator}{instead}")
    given = sorted(changed & {*OF_PRIOR, "init"})
    if spec.prior_from is not None and given:
        raise ConfigError(
            f"model.{given[0]} has no effect with model.prior_from, where the prior and the start are the posteriors "
            "of that model; leave out one of the two"
        )
    if spec.estimator == "gradient" and (spec.precision == "float32" or spec.variance_floor == 0):
        raise ConfigError(
            "model.estimator: gradient needs float64, as a line search would follow rounding, and a variance_floor "
            f"above 0; got precision {spec.precision}, variance_floor {spec.variance_floor:g}"
        )


def _check_covariance(spec: ModelSpec) -> None:
    """Refuse what has diagonal covariances alone."""
    exact = not FAMILIES[spec.covariance].is_diagonal
    of_diagonal = (
        ("adapt: map", spec.adapt == "map"),
        (f"estimator: {spec.estimator}", spec.estimator != "em"),
        ("e_step: sparse", exact and spec.e_step == "sparse"),
        ("precision: float32", exact and spec.precision == "float32"),
    )
    given = [name for name, is_given in of_diagonal if is_given]
    if spec.covariance != "diag" and given:
        raise ConfigError(
            f"model.covariance is {spec.covariance}, and model.{given[0]} is for covariance: diag; leave one out"
        )
