"""Machines that run well or not: DCASE's task 2 (anomalous sounds) and MIMII, as they are distributed.

DCASE 2020 (Koizumi et al. 2020; ToyADMOS and MIMII in one layout)

    fan/train/normal_id_00_00000000.wav
    fan/test/anomaly_id_00_00000000.wav, normal_id_00_00000000.wav

DCASE since 2021: sections instead of machines' numbers, domains, and attributes at the end of the name

    fan/train/section_00_source_train_normal_0000_strength_1_ambient.wav
    fan/test/section_00_target_test_anomaly_0000.wav            2021: fan/source_test/, fan/target_test/

MIMII (Purohit et al. 2019), a folder for each ratio of machine to noise, as the archives unpack

    6_dB_fan/fan/id_00/normal/00000000.wav
    6_dB_fan/fan/id_00/abnormal/00000000.wav
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from speechgmm.corpus.readers.files import recordings_below
from speechgmm.corpus.readers.layout import check_label, check_root, left_out, refuse
from speechgmm.corpus.utterance import Corpus, Utterance

BY_ID: Final = re.compile(r"(?:(?P<condition>normal|anomaly)_)?id_(?P<number>\d+)_(?P<index>\d+)")
BY_SECTION: Final = re.compile(
    r"section_(?P<number>\d+)_(?:(?P<domain>source|target)_)?(?:(?P<part>train|test)_)?"
    r"(?:(?P<condition>normal|anomaly)_)?(?P<index>\d+)(?:_(?P<attributes>.+))?"
)
PARTS: Final = {"train": "train", "test": "test", "source_test": "test", "target_test": "test"}
"""Folder -> split."""

DCASE_COLUMNS: Final = ("machine", "unit", "condition", "domain", "attributes")
MIMII_COLUMNS: Final = ("machine", "unit", "condition", "level")
CONDITIONS: Final = {"normal": "normal", "abnormal": "anomaly"}
"""MIMII's folder -> what it is called here."""

RATIO: Final = re.compile(r"(?P<level>-?\d+)_?dB(?:_\w+)?", re.IGNORECASE)


def read_dcase(root: Path, label: str) -> Corpus:
    """The recordings of DCASE's task 2, or of some of its machines.

    Labels: machine (``fan``), unit (``fan id_00`` or ``fan section_00``, each with its own model), condition
    (``normal`` or ``anomaly``), and since 2021 domain and attributes. Folders give the split. Recordings that do not
    say whether they are normal (evaluation sets) are left out, with a note.

    Args:
        root: The folder of the machines' folders, or one of them.
        label: The column to model.

    Raises:
        DataError: There are no such recordings, the label is none of these, or an anomaly lies in a training folder.
    """
    check_label(label, DCASE_COLUMNS, "DCASE's task 2")
    check_root(root, is_dcase, "DCASE's task 2 (MACHINE/train/normal_id_00_00000000.wav)")
    utterances: list[Utterance] = []
    others: list[Path] = []
    without_condition: list[Path] = []
    problems: list[str] = []
    found = recordings_below(root)
    for path in found.audio:
        place = path.relative_to(root)
        match = BY_ID.fullmatch(path.stem) or BY_SECTION.fullmatch(path.stem)
        machine, part = path.parent.parent.name, path.parent.name
        if match is None or part not in PARTS:
            others.append(place)
            continue
        known = {name: value for name, value in match.groupdict().items() if value}
        # Training folders hold normal recordings alone, by the rules of the task.
        condition = known.get("condition") or ("normal" if PARTS[part] == "train" else "")
        if not condition:
            without_condition.append(place)
            continue
        if PARTS[part] == "train" and condition != "normal":
            problems.append(f"{place.as_posix()}: an anomaly in a training folder, which holds normal recordings alone")
            continue
        number = f"{'section' if path.stem.startswith('section') else 'id'}_{known['number']}"
        labels = {"machine": machine, "unit": f"{machine} {number}", "condition": condition}
        labels |= {name: known[name] for name in ("domain", "attributes") if name in known}
        if label not in labels:
            problems.append(f"{place.as_posix()}: no {label!r} in its name")
            continue
        identity = place.with_suffix("").as_posix()
        utterances.append(Utterance(identity, path, None, None, PARTS[part], labels, place.as_posix()))
    refuse(root, problems)
    notes = left_out(others, "not named as in DCASE's task 2")
    notes += left_out(without_condition, "without a condition, normal or anomaly (an evaluation set),")
    return Corpus(tuple(utterances), label, root, (*notes, *found.notes()))


def read_mimii(root: Path, label: str) -> Corpus:
    """The recordings of MIMII, or of some of its archives.

    Labels: machine (``fan``), unit (``fan id_00``, and the ratio to the noise where several are there: ``fan id_00 6
    dB``), condition (``normal`` or ``anomaly``) and, where folders say so, level (``6 dB``). Split as by the baseline
    of its authors: of each unit as many normal recordings as there are anomalies, the first by name, are tested with
    these, and the others train.

    Args:
        root: The folder that the archives were unpacked in, or any below it down to a machine's.
        label: The column to model.

    Raises:
        DataError: There are no such recordings, the label is none of these, or nothing normal is left to train on.
    """
    check_label(label, MIMII_COLUMNS, "MIMII")
    check_root(root, is_mimii, "MIMII (6_dB_fan/fan/id_00/normal/00000000.wav)")
    units: dict[tuple[str, str, str], list[Utterance]] = {}
    others: list[Path] = []
    found = recordings_below(root)
    files = found.audio
    for path in files:
        place = path.relative_to(root)
        condition, number = CONDITIONS.get(path.parent.name, ""), path.parent.parent.name
        if not condition or not re.fullmatch(r"id_\d+", number):
            others.append(place)
            continue
        machine = path.parent.parent.parent.name
        level = _level(path)
        labels = {"machine": machine, "unit": f"{machine} {number}", "condition": condition}
        labels |= {"level": level} if level else {}
        one = Utterance(place.with_suffix("").as_posix(), path, None, None, "", labels, place.as_posix())
        units.setdefault((machine, number, level), []).append(one)
    levels = {level for _, _, level in units}
    utterances: list[Utterance] = []
    problems: list[str] = []
    for (_, number, level), members in units.items():
        n_anomalies = sum(one.label("condition") == "anomaly" for one in members)
        normal = sorted((one for one in members if one.label("condition") == "normal"), key=lambda one: one.path.name)
        tested = {one.id for one in normal[:n_anomalies]}
        if len(normal) <= n_anomalies:
            problems.append(
                f"{members[0].path.parent.parent.relative_to(root).as_posix()}: {len(normal)} normal recordings and "
                f"{n_anomalies} anomalies ({number}); as many are tested, so that none is left to train on"
            )
        for one in members:
            labels = dict(one.labels or {})
            if len(levels) > 1:
                labels["unit"] += f" {level}"
            split = "test" if one.id in tested or labels["condition"] == "anomaly" else "train"
            if label not in labels:
                problems.append(f"{one.source}: no {label!r}; no folder above it is named as 6_dB_fan is")
            utterances.append(replace(one, split=split, labels=labels))
    refuse(root, problems)
    order = {path: number for number, path in enumerate(files)}
    utterances.sort(key=lambda one: order[one.path])
    return Corpus(tuple(utterances), label, root, (*left_out(others, "not laid out as in MIMII"), *found.notes()))


def _level(path: Path) -> str:
    """The ratio that a folder above a recording is named after: ``6 dB`` of 6_dB_fan; "" where none is."""
    matches = (RATIO.fullmatch(folder.name) for folder in path.parents)
    match = next((match for match in matches if match), None)
    return f"{int(match['level'])} dB" if match else ""


def is_dcase(folder: Path) -> bool:
    """Whether recordings in or below a folder lie and are named as DCASE's task 2 has them."""
    patterns = (f"{above}{part}/*.wav" for above in ("*/", "") for part in PARTS)
    places = (path for pattern in patterns for path in folder.glob(pattern))
    return any(BY_ID.fullmatch(path.stem) or BY_SECTION.fullmatch(path.stem) for path in places)


def is_mimii(folder: Path) -> bool:
    """Whether recordings below a folder lie as MIMII has them."""
    patterns = ("*/*/*/normal/*.wav", "*/*/normal/*.wav", "*/normal/*.wav")
    return any(path.parent.parent.name.startswith("id_") for pattern in patterns for path in folder.glob(pattern))
