"""Configuration: YAML in, one frozen ``Config`` out; and back again.

The sections are the dataclasses of the packages that use them; this module adds nothing to their meaning. A wrong key
or value is refused with its line in the file and the nearest key that exists.
"""

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from speechgmm.corpus.spec import KNOWN, CorpusSpec
from speechgmm.errors import ConfigError
from speechgmm.features.augment import AugmentSpec
from speechgmm.features.spec import FeatureSpec
from speechgmm.gmm.spec import ModelSpec
from speechgmm.scoring.decision_spec import CalibrationSpec, DecisionSpec
from speechgmm.scoring.segment_spec import SegmentSpec
from speechgmm.scoring.spec import ScoringSpec
from speechgmm.setting import FORBID_UNKNOWN, setting

NOT_IN_THE_RESULT = ("parallel", "cache", "output", "report")
"""Sections that cannot change a result: they do not count when a result folder is matched to its configuration."""

FOR_CLAIMS = ("method", "normalise", "cohort", "cohort_top", "trials_within")
"""Settings of ``scoring`` that have a meaning in verification alone."""
MOVED = {("scoring", "p_target"): "decision.prior"}
"""Keys of earlier versions -> where they are now."""

LEAST_MEMORY = 1_000_000
"""Bytes: a smaller ``parallel.memory`` is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelSpec:
    """How the work is spread over the machine. Changes the time, never the result."""

    __pydantic_config__ = FORBID_UNKNOWN

    n_jobs: int = setting(-1, "how many tasks run at once; -1: one per CPU core, or all that a cluster has")
    backend: Literal["auto", "threads", "processes", "dask"] = setting(
        "auto",
        "auto: processes for extraction, threads for training and scoring; or one of the two for all; dask: a cluster "
        "that runs already",
    )
    scheduler: str | None = setting(None, "dask: address of the cluster's scheduler, such as tcp://10.0.0.1:8786")
    memory: str | int = setting(
        "2GB",
        "budget for frames held in memory in training, by all classes that train at once: 500MB, 1.5 GiB, or bytes; "
        "what does not fit is read again in every iteration; dask: of every worker process",
    )

    def __post_init__(self) -> None:
        """Refuse what would have no effect, or is no amount of memory."""
        self.memory_bytes()
        if self.backend != "dask":
            if self.scheduler is not None:
                raise ConfigError("parallel.scheduler has no effect without parallel.backend: dask; set that as well")
            return
        if self.scheduler is None or not re.fullmatch(r"(tcp|tls)://\S+:\d+", self.scheduler):
            raise ConfigError(
                f"parallel.scheduler is {self.scheduler!r}; backend: dask needs the address that `dask scheduler` "
                "prints, such as tcp://10.0.0.1:8786"
            )
        if self.n_jobs != -1:
            raise ConfigError(
                "parallel.n_jobs (--jobs) counts workers on this machine; with backend: dask, they are counted where "
                "they are started (dask worker --nworkers N --nthreads 1)"
            )

    def memory_bytes(self) -> int:
        """The budget for frames in bytes."""
        number = r"([0-9]{1,15}\.?[0-9]{0,9}|\.[0-9]{1,9})"
        found = re.fullmatch(rf"\s*{number}\s*([kmgt]i?b|b)?\s*", str(self.memory), re.IGNORECASE)
        if found is None:
            raise ConfigError(
                f"parallel.memory is {self.memory!r}; expected a number with a unit, such as 500MB, 2GB or 1.5 GiB, or "
                "bytes"
            )
        amount, unit = float(found[1]), (found[2] or "b").lower()
        power = " kmgt".index(unit[0]) if unit != "b" else 0
        n_bytes = int(amount * (1024 if "i" in unit else 1000) ** power)
        if n_bytes < LEAST_MEMORY:
            raise ConfigError(
                f"parallel.memory is {self.memory!r}, {n_bytes} bytes; expected at least {LEAST_MEMORY // 10**6}MB, "
                "what a few thousand frames take: is the unit missing?"
            )
        return n_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSpec:
    """What the page about a run holds beside its figures."""

    __pydantic_config__ = FORBID_UNKNOWN

    audio: int = setting(
        12,
        "how many of the worst errors can be heard in report.html, at most 4 s of each; 0: it holds nobody's voice",
        ge=0,
        le=50,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole experiment."""

    __pydantic_config__ = FORBID_UNKNOWN

    task: Literal["classification", "verification"] = setting(
        "classification", "what is decided about an utterance: which class it is of, or whether it is of a claimed one"
    )
    corpus: CorpusSpec = setting(CorpusSpec(), "which recordings, which labels, which split")
    trials: str | None = setting(
        None,
        "verification: a table of trials (model, test, and target where known; or Kaldi's three columns), relative to "
        "the configuration file; default: every model against every test utterance",
    )
    features: FeatureSpec = setting(FeatureSpec(), "the acoustic front end")
    augment: AugmentSpec = setting(AugmentSpec(), "altered copies of the recordings that are trained on")
    model: ModelSpec = setting(ModelSpec(), "the mixture of every class and how it is estimated")
    segments: SegmentSpec | None = setting(
        None,
        "classification of segments with known boundaries (phones) by several models of a segment, combined; takes the "
        "place of model; {} for its defaults",
    )
    scoring: ScoringSpec = setting(ScoringSpec(), "how likelihoods become decisions")
    calibration: CalibrationSpec = setting(CalibrationSpec(), "verification: how scores become likelihood ratios")
    decision: DecisionSpec = setting(DecisionSpec(), "verification: prior and costs to decide by")
    report: ReportSpec = setting(ReportSpec(), "the page that a run leaves about itself")
    parallel: ParallelSpec = setting(ParallelSpec(), "how the work is spread over the machine")
    cache: str | None = setting(
        None, "folder of the feature and model cache; default: $SPEECHGMM_CACHE, else the user's cache folder"
    )
    seed: int = setting(0, "of every random choice", ge=0)
    output: str | None = setting(None, "folder for the results, relative to where you stand; default: runs/NAME")

    def __post_init__(self) -> None:
        """Refuse what would have no effect or cannot be done."""
        if self.features.cmvn == "speaker" and (self.task == "verification" or self.corpus.label == "speaker"):
            raise ConfigError(
                "features.cmvn: speaker normalises a test recording by who its speaker is, which is to be found out "
                "here; use utterance or global"
            )
        if self.task == "verification":
            default_scoring = ScoringSpec()
            for name in ("priors", "temperature_folds"):
                if getattr(self.scoring, name) != getattr(default_scoring, name):
                    raise ConfigError(f"scoring.{name} is for task: classification")
        if self.task == "verification" and self.corpus.target is not None:
            raise ConfigError("corpus.target is for task: classification; in verification every trial has its own")
        if self.task == "verification" and self.model.adapt != "map":
            raise ConfigError(
                "task: verification scores against a background model; set model.adapt: map (and model.ubm)"
            )
        if self.scoring.method == "linear" and self.model.adapt_parameters != ("means",):
            raise ConfigError(
                f"scoring.method: linear looks at adapted means alone, and model.adapt_parameters is "
                f"{', '.join(self.model.adapt_parameters)}; set it to [means], or scoring.method: llr"
            )
        if self.trials is not None and self.scoring.trials_within:
            raise ConfigError(
                "scoring.trials_within is for trials made of the corpus; here they are in a table (trials)"
            )
        top = self.scoring.top_components
        if top is not None and self.model.adapt != "map":
            raise ConfigError(
                f"scoring.top_components is {top}, and model.adapt is {self.model.adapt}: a background model is what "
                "chooses the components; set model.adapt: map (and model.ubm), or leave scoring.top_components out"
            )
        most = self.model.ubm.n_components
        if top is not None and top > most:
            raise ConfigError(f"scoring.top_components is {top}; expected at most {most}, model.ubm.n_components")
        if self.segments is not None:
            if self.task != "classification":
                raise ConfigError("segments are for task: classification")
            for name, default_section in (("model", ModelSpec()), ("scoring", ScoringSpec())):
                if getattr(self, name) != default_section:
                    raise ConfigError(f"{name} has no effect with segments, which have settings of their own")
            if self.parallel.memory != ParallelSpec().memory:
                raise ConfigError("parallel.memory has no effect with segments, which train from frames in memory")
            if self.features.transform.kind != "none":
                raise ConfigError("segments learn transforms of their own; leave features.transform out")
            if self.features.marks_speech or self.features.cmvn == "speaker":
                raise ConfigError(
                    "segments take whole recordings: kind mfcc, vad: none, and cmvn by recording or globally (features)"
                )
        if self.task != "verification":
            if self.trials is not None:
                raise ConfigError("trials are for task: verification")
            if self.calibration != CalibrationSpec():
                raise ConfigError("calibration is for task: verification")
            if self.decision != DecisionSpec() and self.corpus.target is None:
                raise ConfigError("decision is for task: verification, or a corpus.target")
            for name in FOR_CLAIMS:
                if getattr(self.scoring, name) != getattr(ScoringSpec(), name):
                    raise ConfigError(f"scoring.{name} is for task: verification")


@dataclass(frozen=True, slots=True)
class Experiment:
    """A configuration together with the place it was read from."""

    config: Config
    name: str  # the file's name without extension
    folder: Path  # what relative paths in the file are relative to

    def resolved(self) -> Config:
        """The configuration with its paths absolute and its rate known: what a run's folder keeps."""
        spec = self.config.corpus
        path, root = self.corpus_path(), self.corpus_root()
        corpus = replace(
            spec,
            path=None if path is None else str(path),
            root=None if root is None else str(root),
            sample_rate=spec.rate(),
        )
        trials = self.trials_path()
        trials_text = None if trials is None else str(trials)
        return replace(self.config, corpus=corpus, trials=trials_text, cache=str(self.cache()))

    def corpus_path(self) -> Path | None:
        """The manifest, resolved; None where the corpus has none."""
        return None if self.config.corpus.path is None else self._resolved(self.config.corpus.path)

    def corpus_root(self) -> Path | None:
        """The folder of the recordings, resolved; None: the manifest's own."""
        spec = self.config.corpus
        if spec.root is not None:
            return self._resolved(spec.root)
        if spec.kind in KNOWN:
            return data_folder(spec.kind)
        return None

    def trials_path(self) -> Path | None:
        """The table of trials, resolved; None: every model against every test."""
        return None if self.config.trials is None else self._resolved(self.config.trials)

    def output(self) -> Path:
        """The folder for the results, resolved."""
        return Path(self.config.output or f"runs/{self.name}").expanduser().absolute()

    def cache(self) -> Path:
        """The folder of the cache, resolved."""
        return cache_folder(None if self.config.cache is None else self._resolved(self.config.cache))

    def _resolved(self, text: str) -> Path:
        return Path(os.path.normpath(self.folder / Path(os.path.expandvars(text)).expanduser()))


def data_folder(corpus: str) -> Path:
    """Where a known corpus lies unless it is said: $SPEECHGMM_DATA/NAME, else data/NAME where you stand."""
    return Path(os.environ.get("SPEECHGMM_DATA", "data")).expanduser().absolute() / corpus


def cache_folder(chosen: Path | None = None) -> Path:
    """Where features and class models are kept between runs."""
    if chosen is not None:
        return chosen
    if named := os.environ.get("SPEECHGMM_CACHE"):
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("speechgmm", appauthor=False))


def load_config(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Experiment:
    """Read a configuration file.

    Args:
        path: The YAML file.
        overrides: ``key.path=value`` as ``--set`` takes them; a path given here is relative to where you stand.

    Raises:
        ConfigError: The file is missing, not YAML, or has a key or a value that is refused.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such configuration file") from None
    except IsADirectoryError:
        raise ConfigError(
            f"{path}: a folder; `speechgmm init {path}` writes a configuration for its recordings"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a text file that can be read ({error})") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = dict(_lines(node, ())) if node is not None else {}
        values = yaml.safe_load(text) if node is not None else {}
    except (yaml.YAMLError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
    except ConfigError as error:
        raise ConfigError(f"{path}, {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: keys and values are expected, such as 'seed: 0'; the file is one {type(values).__name__}"
        )
    for override in overrides:
        _apply(values, override)
        lines[tuple(override.partition("=")[0].strip().split("."))] = 0  # not in the file
    return Experiment(make_config(values, str(path), lines), path.stem, path.absolute().parent)


def make_config(
    values: Mapping[str, Any],
    source: str = "configuration",
    lines: Mapping[tuple[str, ...], int] | None = None,
) -> Config:
    """Validate plain values into a Config. Raises ConfigError naming key, line and likely mistake."""
    values = dict(values)
    corpus = values.get("corpus")
    if isinstance(corpus, dict) and isinstance(corpus.get("split"), str):
        values["corpus"] = {**corpus, "split": {"kind": corpus["split"]}}
    _refuse_booleans(values, Config, source, lines or {})
    try:
        config: Config = TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        messages = [_explain(dict(problem), source, lines or {}) for problem in error.errors(include_url=False)]
        raise ConfigError("\n".join(dict.fromkeys(messages))) from None
    return config


def _refuse_booleans(
    values: Mapping[str, Any], spec: Any, source: str, lines: Mapping[tuple[str, ...], int], path: tuple[str, ...] = ()
) -> None:
    """YAML's yes and true are no numbers, though Python would take them for 1."""
    hints = get_type_hints(spec)
    for key, value in values.items():
        inner = (*path, str(key))
        if is_dataclass(hints.get(str(key))) and isinstance(value, Mapping):
            _refuse_booleans(value, hints[str(key)], source, lines, inner)
        elif isinstance(value, bool) and str(key) in hints and "bool" not in str(hints[str(key)]):
            where = f", line {lines[inner]}" if inner in lines else ""
            raise ConfigError(f"{source}{where}: {'.'.join(inner)} is {str(value).lower()}; expected no yes or no here")


def to_plain(spec: Any) -> Any:
    """A spec as dictionaries, lists and scalars, ready for YAML or JSON."""
    return json.loads(json.dumps(asdict(spec)))


def to_yaml(config: Config) -> str:
    """The whole configuration, every key with its value, as YAML that ``load_config`` reads back."""
    text: str = yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True, width=110)
    return text


def config_hash(config: Config) -> str:
    """Sixteen hex digits that two configurations share when they ask for the same result.

    ``parallel``, ``cache``, ``output``, ``report`` and the place of the recordings (``corpus.root``) do not count, so
    that it is the same on every machine; nor does what has its default, so that it outlives keys that are added later.
    """
    plain = {key: value for key, value in to_plain(config).items() if key not in NOT_IN_THE_RESULT}
    plain["corpus"].pop("root")
    asked = other_than(to_plain(Config()), plain)
    return blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=8).hexdigest()


def other_than(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that differ from the defaults."""
    found = {}
    for key, value in values.items():
        default = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            if inner := other_than(default, value):
                found[key] = inner
        elif value != default:
            found[key] = value
    return found


def differences(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Keys whose values differ between two plain configurations, as ``model.n_components: 32, not 64``."""
    for key in dict.fromkeys((*one, *other)):
        if not prefix and key in NOT_IN_THE_RESULT:
            continue
        a, b = one.get(key), other.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from differences(a, b, f"{prefix}{key}.")
        elif a != b:
            yield f"{prefix}{key}: {a!r}, not {b!r}"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration, for editors that complete and check YAML."""
    schema = TypeAdapter(Config).json_schema()
    split = schema["$defs"]["CorpusSpec"]["properties"]["split"]
    kinds = schema["$defs"]["SplitSpec"]["properties"]["kind"]["enum"]
    reference = {"$ref": split.pop("$ref")}
    split["anyOf"] = [reference, {"type": "string", "enum": kinds}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "speechgmm configuration",
        **schema,
    }


def template() -> str:
    """A configuration file with every key, its default, meaning, unit and choices, made from the specs themselves."""
    head = (
        "# Every key there is, with its default. Keep what you change and delete the rest: what is absent has its\n"
        "# default. null: follows from another key, which the comment names. `speechgmm schema` has it for editors.\n"
    )
    return head + "\n".join(_commented(Config(), 0)) + "\n"


def _commented(spec: Any, depth: int) -> Iterator[str]:
    import textwrap

    hints = TypeAdapter(type(spec)).json_schema()["properties"]
    pad = "  " * depth
    for field in fields(spec):
        value = getattr(spec, field.name)
        about = field.metadata.get("description", "")
        hint = hints[field.name]
        if unit := hint.get("unit"):
            about += f" [{unit}]"
        if isinstance(value, tuple):
            hint = hint["items"]
        if choices := _choices(hint):
            about += f" ({' | '.join(choices)})"
        yield from (f"{pad}# {line}" for line in textwrap.wrap(about, 100 - len(pad)))
        if is_dataclass(value):
            yield f"{pad}{field.name}:"
            yield from _commented(value, depth + 1)
        else:
            yield f"{pad}{field.name}: {_scalar(value)}"
        if value is None and field.name == "segments":
            yield from (f"#   {line}" for line in _commented(SegmentSpec(), 0))


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return str(yaml.safe_dump(value).splitlines()[0])
    return json.dumps(value)


def _choices(hint: Mapping[str, Any]) -> list[str]:
    options = [
        option
        for part in (hint, *hint.get("anyOf", ()))
        for option in (*part.get("enum", ()), *([part["const"]] if "const" in part else ()))
    ]
    return [str(option) for option in dict.fromkeys(options)]


def _apply(values: dict[str, Any], override: str) -> None:
    """Put one ``key.path=value`` into the values."""
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise ConfigError(f"--set {override}: expected key.path=value, such as model.n_components=64")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if key.strip() in ("corpus.root", "corpus.path", "trials", "cache") and isinstance(value, str):
        value = str(Path(os.path.expandvars(value)).expanduser().absolute())
    inner = values
    for part in parts[:-1]:
        below = inner.get(part)
        if isinstance(below, str) and parts[:-1] == ["corpus", "split"]:
            below = {"kind": below}
        inner[part] = dict(below) if isinstance(below, dict) else {}
        inner = inner[part]
    inner[parts[-1]] = value


def _lines(node: yaml.Node, prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """(key path, line number) of every key; a key given twice is an error, which YAML itself lets pass."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"line {line}: a key is a word, not a list or a section")
        if key.value in seen:
            raise ConfigError(f"line {line}: {key.value!r} is already set in line {seen[key.value]}")
        seen[key.value] = line
        yield (*prefix, key.value), line
        yield from _lines(value, (*prefix, key.value))


def _known_keys(spec: Any = None) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Path of every section -> its keys."""
    spec = Config() if spec is None else spec
    found: dict[tuple[str, ...], tuple[str, ...]] = {(): tuple(field.name for field in fields(spec))}
    for field in fields(spec):
        value = getattr(spec, field.name)
        if value is None and field.name == "segments":
            value = SegmentSpec()
        if is_dataclass(value):
            found.update({(field.name, *path): keys for path, keys in _known_keys(value).items()})
    return found


def _explain(problem: dict[str, Any], source: str, lines: Mapping[tuple[str, ...], int]) -> str:
    """One of pydantic's problems as a sentence with place, key and likely mistake."""
    sections = _known_keys()
    # pydantic adds the branch of a union to the path ("literal['mix']", "int"): keep what is a key of ours.
    path: tuple[str, ...] = ()
    for part in map(str, problem["loc"]):
        if path in sections and (part in sections[path] or problem["type"] == "unexpected_keyword_argument"):
            path = (*path, part)
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    where = f"{source}, line {line}" if line else source
    if line == 0:
        where = "--set or --grid"
    key = ".".join(path)
    if problem["type"] == "unexpected_keyword_argument":
        known = sections.get(path[:-1], ())
        near = difflib.get_close_matches(path[-1], known, 1, 0.7)
        elsewhere = [".".join((*section, path[-1])) for section, keys in sections.items() if path[-1] in keys]
        if path in MOVED:
            hint = f"it is {MOVED[path]!r} now"
        elif near:
            hint = f"did you mean {'.'.join((*path[:-1], near[0]))!r}?"
        elif elsewhere:
            hint = f"it belongs at {elsewhere[0]!r}"
        else:
            hint = f"the keys {'of ' + '.'.join(path[:-1]) if path[:-1] else 'at the top'} are {', '.join(known)}"
        return f"{where}: unknown key {key!r}; {hint}"
    message = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    if problem["type"] in ("dataclass_type", "dict_type"):
        message = f"a section with keys of its own: {', '.join(sections.get(path, ()))}"
    return f"{where}: {key} is {problem['input']!r}; expected {message}"
