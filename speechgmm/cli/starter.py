"""A starter configuration for recordings, from a look at them: what is there, what was chosen, and why.

Owns the choices that depend on data (labels, groups, split, sampling rate). Settings of the models and features are the
presets' (``config/presets.py``); how a corpus is read is the readers' (``corpus/layouts.py``).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from speechgmm.cli.purpose import Purpose, guess, label_for, purpose_of
from speechgmm.cli.starter_text import configuration, flow
from speechgmm.cli.survey import MOST_RATE, NAMES_LOOKED_AT, Grouping, Survey, grouping, survey, table, wishes
from speechgmm.config import make_config
from speechgmm.config.presets import preset, preset_names
from speechgmm.corpus import Corpus
from speechgmm.corpus.layouts import Layout, recognise
from speechgmm.corpus.readers.folder import below_class, with_groups
from speechgmm.engine.task import task_of
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import write_text
from speechgmm.report.text import aligned

MOST_SECONDS_OF_FOLDS: Final = 7200
"""Recordings of more than that are divided once, instead of into folds that are trained one by one."""

FOLDS: Final = 5

MOST_FOLDS: Final = 6
"""Groups that are left out one by one; of more, several at once."""

OF_FOLDERS: Final = "label"
"""What classes are called that are folders, as long as nothing says what they are."""


@dataclass(frozen=True, slots=True)
class Starter:
    """A configuration that was written, and what a person should know of it."""

    path: Path
    lines: tuple[str, ...]
    problem: str  # why no run can divide the recordings yet; empty where one can


def write_starter(
    folder: Path, out: Path | None = None, *, purpose: str | None = None, warn: Callable[[str], object] = print
) -> Starter:
    """Write a configuration for a folder or a table of recordings. What is left aside goes to ``warn``.

    Args:
        folder: A folder, or a table.
        out: The configuration; default: the folder's name with .yaml, where you stand.
        purpose: Name of a preset; default: guessed.
        warn: Gets what the reader left aside.

    Raises:
        ConfigError: The file is there already; there is no such purpose.
        DataError: There is nothing to decide between, or several things that could be meant.
    """
    root = folder.absolute()
    path = out or Path(f"{root.stem if root.is_file() else root.name or 'recordings'}.yaml")
    if path.exists():
        raise ConfigError(f"{path} is there already; choose another name with --out")
    if _manifest_of(path).exists():
        raise ConfigError(f"{_manifest_of(path)} is there already; choose another name with --out")
    if purpose is not None and purpose not in preset_names():
        raise ConfigError(f"--for is {purpose!r}; expected one of {', '.join(preset_names())}")
    layout = recognise(root, OF_FOLDERS, preset(purpose).columns if purpose else ())
    chosen = Purpose(preset(purpose), "asked for") if purpose else purpose_of(layout)
    label = OF_FOLDERS if chosen is None else label_for(layout, chosen.preset)
    found = survey(_labelled(layout, label, chosen))
    chosen = chosen or guess(found)
    layout, found = _named(layout, found, chosen)
    for note in layout.corpus.notes:
        warn(note)
    group = grouping(layout, found.corpus, chosen.preset)
    _refuse_deep_folders(layout, found.corpus, chosen)
    rate = min(MOST_RATE, min(found.rates))
    settings, problem, no_folds = _settings(layout, found, chosen, group, rate, path)
    if problem:
        warn(f"these recordings cannot be divided into training and test yet: {problem}")
    used = "group" in settings["corpus"]
    facts = [
        *table(found, layout, group),
        ("taken", _rate_in_words(found, rate)),
        ("for", f"{chosen.preset.name} ({chosen.preset.about}): {chosen.why}"),
    ]
    facts.append(
        ("test" if "split" in dict(facts) else "split", _split_in_words(settings["corpus"], group if used else None))
    )
    if exceptions := {key: value for key, value in settings.items() if key not in ("defaults", "corpus")}:
        facts.append(("exceptions", f"{flow(exceptions)[1:-1]}: from the preset, for these recordings"))
    kind = str(layout.keys["kind"])
    better = list(wishes(found, group, chosen.preset, rate, used=used, kind=kind, no_folds=no_folds))
    if layout.table:
        write_text(_manifest_of(path), layout.table)
    write_text(path, configuration(settings, chosen.preset, facts, better))
    shown = aligned([list(fact) for fact in facts])
    return Starter(path, (*shown, *(f"to do better: {wish}" for wish in better)), problem)


def _manifest_of(path: Path) -> Path:
    """Where a manifest that has to be written lies: beside the configuration, under a name that no table has."""
    return path.with_name(f"{path.stem}-manifest.tsv")


def _labelled(layout: Layout, label: str, chosen: Purpose | None) -> Corpus:
    """The corpus of a layout with the column of its classes, of which there must be enough for the purpose."""
    label = layout.label if label == OF_FOLDERS and layout.label else label
    if label == OF_FOLDERS and label not in layout.columns:
        columns = {name.lower(): name for name in layout.columns}
        label = next((columns[name] for name in ("class", "category", "target", "name") if name in columns), label)
    corpus = replace(layout.corpus, label=label)
    without = [one for one in corpus if one.split not in ("ubm", "cohort") and not (one.labels or {}).get(label)]
    if without:
        have = ", ".join(layout.columns) or "no columns"
        raise DataError(
            f"{corpus.root}: {len(without)} of {len(corpus)} recordings have no {label!r}, the first is "
            f"{without[0].source or without[0].id}; the columns are {have}: say with --for what they are for"
        )
    names = {one.label(label) for one in corpus if (one.labels or {}).get(label)}
    least = 2 if chosen is None else task_of(make_config({"defaults": chosen.preset.name})).least_classes
    if len(names) < least:
        only = f"recordings of one class only, {label} {next(iter(names), '')!r}; deciding needs two, a folder for each"
        raise DataError("; ".join([f"{corpus.root}: {only}", *corpus.notes]))
    return corpus


def _named(layout: Layout, found: Survey, chosen: Purpose) -> tuple[Layout, Survey]:
    """Classes that are folders are called what they are for the purpose."""
    if layout.keys["kind"] != "folder":
        return layout, found
    name = chosen.preset.folders
    members = tuple(replace(one, labels={name: one.label(OF_FOLDERS)}) for one in found.corpus)
    corpus = replace(found.corpus, utterances=members, label=name)
    return replace(layout, corpus=corpus, label=name), replace(found, corpus=corpus)


def _refuse_deep_folders(layout: Layout, corpus: Corpus, chosen: Purpose) -> None:
    """Folders in the classes' folders may be the classes themselves, unless they are sessions.

    Raises:
        DataError: They may be.
    """
    if layout.keys["kind"] != "folder":
        return
    sample = corpus.utterances[:: max(1, len(corpus) // NAMES_LOOKED_AT)]
    inner = [(one.label(corpus.label), below_class(one, corpus.root).split("/")) for one in sample]
    deep = {(label, parts[0]) for label, parts in inner if len(parts) > 1}
    if sum(len(parts) > 1 for _, parts in inner) < len(inner) / 2 or len(deep) < 2:
        return
    names = {name for _, name in deep}
    if len(names) == len(deep) and (chosen.preset.within_classes or all(re.fullmatch(r"\d+", name) for name in names)):
        return
    outer = sorted({label for label, _ in deep})
    raise DataError(
        f"{corpus.root}: folders in folders: the classes may be the {len(outer)} at the top ({_some(outer)}) or the "
        f"{len(names)} in them ({_some(sorted(names))}); expected is one folder for each class with its recordings: "
        "move or link them so, or write a manifest (path and a column for each)"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


# ---- choices ----


def _settings(
    layout: Layout, found: Survey, chosen: Purpose, group: Grouping | None, rate: int, path: Path
) -> tuple[dict[str, Any], str, str]:
    """The configuration as plain values: the first way to divide the corpus that its task accepts.

    Where the recordings are too few for any, the last that was tried, and why it cannot be done yet. Then why the task
    does not accept folds, where a share of the corpus is the test instead.
    """
    corpus = found.corpus
    keys = dict(layout.keys)
    if layout.table:
        keys["path"] = _manifest_of(path).name
    keys["label"] = corpus.label
    if group is not None and group.part is not None:
        corpus = with_groups(corpus, group.part.pattern)
    rest = {"sample_rate": rate, "resample": set(found.rates) != {rate}}
    plain = make_config({"defaults": chosen.preset.name})
    settings: dict[str, Any] = {}
    problem = no_folds = ""
    for column, split in _splits(found, group):
        keys.pop("folder", None)
        named: dict[str, Any] = {}
        if column is not None:
            named["group"] = column
            if group is not None and group.part is not None:
                named["folder"] = {"group_from": group.part.pattern}
        more = task_of(plain).first_settings(corpus, column)
        settings = {"defaults": chosen.preset.name, "corpus": {**keys, **named, "split": split, **rest}, **more}
        config = make_config(settings)
        try:
            task_of(config).split(corpus, config)
        except (ConfigError, DataError) as error:
            problem = str(error).splitlines()[0]
            no_folds = no_folds or problem
            continue
        return settings, "", no_folds if split == "fraction" else ""
    return settings, problem, ""


def _splits(found: Survey, group: Grouping | None) -> Iterator[tuple[str | None, Any]]:
    """Column of groups and ``corpus.split``, best first."""
    columns = [group.column, None] if group is not None else [None]
    splits = {one.split for one in found.corpus}
    for column in columns:
        if splits >= {"train", "test"}:
            yield column, "column"
            continue
        if found.seconds <= MOST_SECONDS_OF_FOLDS:
            if column is not None and group is not None and group.n_values <= MOST_FOLDS:
                yield column, "leave-one-out"
            yield column, {"kind": "kfold", "folds": FOLDS}
        yield column, "fraction"


def _rate_in_words(found: Survey, rate: int) -> str:
    if set(found.rates) == {rate}:
        return f"{rate} Hz, as recorded"
    why = "more made no preset better" if rate == MOST_RATE else "the lowest rate"
    return f"{rate} Hz, {why}; recordings at other rates are resampled (corpus.sample_rate)"


def _split_in_words(corpus: Mapping[str, Any], group: Grouping | None) -> str:
    split = corpus["split"]
    kind = split["kind"] if isinstance(split, dict) else split
    if kind == "column":
        return "as the split says"
    apart = " groups" if group is not None else " recordings"
    if kind == "kfold":
        return f"{split['folds']} folds of{apart}; each is tested once by models of the others"
    if kind == "leave-one-out":
        return f"each of the {group.n_values if group else ''} groups is tested once by models of the others"
    return f"a fifth of the{apart} is the test"
