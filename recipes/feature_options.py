"""What each setting of the front end is worth: phones, digits, speakers and sounds, one setting changed at a time.

    python recipes/feature_options.py FOLDER PLACE_OF_CORPORA

PLACE_OF_CORPORA holds ``timit-a``, ``fsdd/recordings``, ``librispeech/train-clean-100`` and ``esc-10``, as far as they
are there. Configurations, manifests and runs go into FOLDER; what is there already is not run again. Of each corpus and
setting the table has the accuracy, or its paired difference from the first row with a 95 % interval over groups
(speakers; of FSDD's speakers the digits; of sounds the clips they are cut from).
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import soundfile
import typer
from choose_presets import PRESET, difference, interval, runs_of

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    PRESET: {},
    "kind: lfcc": {"kind": "lfcc"},
    "kind: plp": {"kind": "plp", "n_ceps": 13},
    "kind: fbank": {"kind": "fbank", "n_ceps": 13},
    "kind: fbank, deltas: 0": {"kind": "fbank", "n_ceps": 13, "deltas": 0},
    "kind: sdc, n_ceps: 7, deltas: 0": {"kind": "sdc", "n_ceps": 7, "deltas": 0},
    "use_energy: false": {"use_energy": False},
    "cmvn: none": {"cmvn": "none"},
    "cmvn: utterance, norm_vars: false": {"cmvn": "utterance", "norm_vars": False},
    "cmvn: utterance": {"cmvn": "utterance"},
    "cmvn: sliding, cmvn_window: 300": {"cmvn": "sliding", "cmvn_window": 300},
    "the same, cmvn_causal: true": {"cmvn": "sliding", "cmvn_window": 300, "cmvn_causal": True},
    "deltas: 0": {"deltas": 0},
    "deltas: 1": {"deltas": 1},
    "deltas: 2": {"deltas": 2},
    "pitch: true": {"pitch": True},
    "dither: 1": {"dither": 1.0},
}
"""Row of the table -> settings of ``features`` in place of the first row's."""

ABOUT: Mapping[str, Mapping[str, Any]] = {
    "phones": {
        "corpus": {
            "kind": "timit",
            "label": "phone",
            "group": "speaker",
            "split": {"kind": "kfold", "folds": 4},
        },
        "features": {"preset": "kaldi", "deltas": 2, "cmvn": "utterance"},
        "model": {"n_components": 8},
    },
    "digits": {
        "corpus": {
            "kind": "manifest",
            "label": "digit",
            "group": "speaker",
            "split": {"kind": "leave-one-out"},
            "sample_rate": 8000,
        },
        "features": {"preset": "kaldi", "deltas": 2, "cmvn": "utterance"},
        "model": {"n_components": 16},
    },
    "speakers of FSDD": {
        "corpus": {
            "kind": "manifest",
            "label": "speaker",
            "group": "digit",
            "split": {"kind": "kfold", "folds": 5},
            "sample_rate": 8000,
        },
        "features": {"preset": "kaldi", "n_mels": 40, "n_ceps": 20},
        "model": {"n_components": 32},
    },
    "speakers of LibriSpeech": {
        "corpus": {"kind": "manifest", "label": "speaker", "group": "speaker", "split": {"disjoint": False}},
        "features": {"preset": "kaldi", "n_mels": 40, "n_ceps": 20},
        "model": {
            "n_components": 32,
            "adapt": "map",
            "adapt_parameters": ["weights", "means"],
            "relevance": 8,
            "adapt_max_iter": 5,
        },
    },
    "sounds": {
        "corpus": {
            "kind": "folder",
            "label": "sound",
            "group": "group",
            "folder": {"group_from": "[0-9]+-([0-9]+)-"},
            "split": {"kind": "kfold", "folds": 3},
            "sample_rate": 16000,
            "resample": True,
        },
        "features": {"preset": "kaldi", "n_mels": 40, "n_ceps": 20, "deltas": 2},
        "model": {"n_components": 32},
    },
}
"""Column of the table -> its configuration, all but where the recordings are."""


def main(folder: Path, place: Path) -> None:
    """Run everything that is not there yet, and print the table."""
    folder.mkdir(parents=True, exist_ok=True)
    points = {name: {f"features.{key}": value for key, value in more.items()} for name, more in SETTINGS.items()}
    columns = {}
    for name, about in ABOUT.items():
        found = recordings_of(name, folder.resolve(), place.resolve())
        if found is None:
            print(f"{name}: its corpus is not in {place}")
            continue
        config = folder / f"{name.replace(' ', '-')}.yaml"
        corpus = {**about["corpus"], **found}
        config.write_text(
            json.dumps({**about, "corpus": corpus, "cache": "cache", "parallel": {"n_jobs": 1}}, indent=1)
        )
        columns[name] = runs_of(config, points, (), folder / config.stem)
    print(f"\n| setting | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for setting in SETTINGS:
        cells = []
        for runs in columns.values():
            one = runs.get(setting)
            if one is None:
                cells.append("")
            elif setting == PRESET:
                cells.append(f"{100 * one.value:.1f}{interval(one.low, one.high)}")
            else:
                cells.append("the same" if one.folder == runs[PRESET].folder else difference(one))
        print(f"| {'accuracy, %' if setting == PRESET else setting} | {' | '.join(cells)} |")


def recordings_of(name: str, folder: Path, place: Path) -> Mapping[str, str] | None:
    """Where the recordings of a column are, as keys of its corpus; None: they are not there."""
    parts = {
        "phones": "timit-a",
        "digits": "fsdd/recordings",
        "speakers of FSDD": "fsdd/recordings",
        "speakers of LibriSpeech": "librispeech/train-clean-100",
        "sounds": "esc-10",
    }
    root = place / parts[name]
    if not root.is_dir():
        return None
    if name in ("phones", "sounds"):
        return {"root": str(root)}
    rows = list(fsdd(root) if "fsdd" in parts[name] else librispeech(root))
    manifest = folder / f"{name.replace(' ', '-')}.tsv"
    manifest.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    return {"path": str(manifest), "root": str(root)}


def fsdd(root: Path) -> Iterator[tuple[str, ...]]:
    """Recordings 0 to 9 of every digit and speaker."""
    yield "path", "digit", "speaker"
    for path in sorted(root.glob("*_[0-9].wav")):
        yield str(path), *path.stem.split("_")[:2]


def librispeech(root: Path) -> Iterator[tuple[str, ...]]:
    """Of every fourth speaker up to 5 s of the first half of a recording for training, 2 s of the second for tests."""
    yield "path", "start", "end", "split", "speaker"
    first = {path.name.split("-")[0]: path for path in sorted(root.rglob("*.flac"), reverse=True)}
    for speaker in sorted(first, key=int)[::4]:
        info = soundfile.info(first[speaker])
        half = info.frames / info.samplerate / 2
        if half >= 2.5:
            yield str(first[speaker]), "0", f"{min(5.0, half):.2f}", "train", speaker
            yield str(first[speaker]), f"{half + 0.3:.2f}", f"{half + 2.3:.2f}", "test", speaker


if __name__ == "__main__":
    typer.run(main)
