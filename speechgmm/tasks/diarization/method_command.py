"""``diarize``: the options of its method, and of vectors that another program computed; what they make it do."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from speechgmm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speechgmm.clustering.vbx import VbxSpec
    from speechgmm.tasks.diarization.codec import DiarizerFile
    from speechgmm.tasks.diarization.command import Diarize
    from speechgmm.tasks.diarization.vector_recordings import GivenVectors

METHOD = "VBx"
VECTORS = "Vectors of another program"
"""Groups of options."""


class Method(StrEnum):
    """How speakers are found."""

    merging = "merging"
    vbx = "vbx"


ChosenMethod = Annotated[
    Method | None,
    typer.Option(
        "--method",
        rich_help_panel=METHOD,
        help="merging: clusters are merged down to a threshold; vbx: a Bayesian HMM finds the speakers; default: the "
        "model's, for vectors vbx",
    ),
]
Fa = Annotated[
    float | None,
    typer.Option(
        "--fa",
        metavar="X",
        min=1e-6,
        max=1e6,
        rich_help_panel=METHOD,
        help="Fa: weight of the fit; default: 0.4 for recordings, 0.3 for vectors",
    ),
]
Fb = Annotated[
    float | None,
    typer.Option(
        "--fb",
        metavar="X",
        min=1e-6,
        max=1e6,
        rich_help_panel=METHOD,
        help="Fb: weight of the speakers' prior; higher: fewer speakers; default: 12 for recordings, 17 for vectors",
    ),
]
LoopProbability = Annotated[
    float | None,
    typer.Option(
        "--loop-probability",
        metavar="P",
        min=0,
        max=0.999999,
        rich_help_panel=METHOD,
        help="probability that the speaker stays from one window to the next; 0: a mixture without order; default: "
        "0.9 for recordings, 0.99 for vectors",
    ),
]
Segments = Annotated[
    Path | None,
    typer.Option(
        "--segments",
        metavar="FILE",
        rich_help_panel=VECTORS,
        help="AUDIO is a file of vectors (.ark, .scp or .npz), and this has a line for each: name, recording, start "
        "and end in s",
    ),
]
PldaFile = Annotated[
    Path | None,
    typer.Option("--plda", metavar="FILE", rich_help_panel=VECTORS, help="with --segments: a plda file of Kaldi"),
]
TransformFile = Annotated[
    Path | None,
    typer.Option(
        "--transform",
        metavar="FILE",
        rich_help_panel=VECTORS,
        help="with --segments: a .npz or HDF5 file with mean1, lda and mean2, for unit(unit(x - mean1) lda - mean2); "
        "default: the vectors are taken as they are",
    ),
]
Dims = Annotated[
    int | None,
    typer.Option(
        "--dims",
        metavar="N",
        min=1,
        rich_help_panel=VECTORS,
        help="with --segments: dimensions of the PLDA that are used; default: all",
    ),
]
Overlap = Annotated[
    Path | None,
    typer.Option(
        "--overlap",
        metavar="FILE",
        help="labels of where two speak; the second-best speaker is added there. Labels of several speakers (RTTM) are "
        "turns that overlap, labels of one (UEM) are regions; default: what the model's detector finds, if it has one",
    ),
]

Spec = TypeVar("Spec", bound="VbxSpec")


def check_method(options: "Diarize") -> None:
    """Refuse settings of another method, and of vectors where there are none. Raises ConfigError."""
    if options.segments is None:
        for name in ("plda", "transform", "dims"):
            if getattr(options, name) is not None:
                raise ConfigError(f"--{name} is for vectors of another program: name their times with --segments")
        if options.overlap is not None and options.n_speakers == 1:
            raise ConfigError("--overlap is for two speakers or more, and --n-speakers is 1: leave one out")
        if options.method is Method.vbx and options.model is None:
            raise ConfigError("--method vbx needs a diarizer: name it with --model (train-diarizer makes one)")
    else:
        if options.plda is None or len(options.audio) != 1:
            raise ConfigError("--segments is for one file of vectors and a PLDA: name the PLDA with --plda FILE")
        for name in ("model", "n_speakers", "picture", "resample"):
            if getattr(options, name):
                raise ConfigError(
                    f"--{name.replace('_', '-')} is for recordings, and --segments for vectors: leave one out"
                )
        if options.method is Method.merging:
            raise ConfigError("--method merging is for recordings; vectors are clustered by vbx")
    if options.method is Method.merging or (options.segments is None and options.model is None):
        _refuse_settings(options)


def _refuse_settings(options: "Diarize") -> None:
    for name in ("fa", "fb", "loop_probability"):
        if getattr(options, name) is not None:
            raise ConfigError(
                f"--{name.replace('_', '-')} is a setting of VBx, which is not the method: add --method vbx"
            )


def with_method(file: "DiarizerFile", options: "Diarize") -> "DiarizerFile":
    """A diarizer with the method and the settings that were asked for; else with its own.

    Raises:
        ConfigError: Settings of VBx for a diarizer whose method is merging.
    """
    from speechgmm.tasks.diarization.spec import WindowVbxSpec

    spec = file.diarizer.vbx
    if options.method is not None:
        spec = (spec or WindowVbxSpec()) if options.method is Method.vbx else None
    if spec is None:
        _refuse_settings(options)
    else:
        spec = _with_settings(spec, options)
    return replace(file, diarizer=replace(file.diarizer, vbx=spec))


def given_vectors(options: "Diarize") -> "GivenVectors":
    """Vectors of another program, and what clusters them. Raises DataError where a file cannot be read."""
    from speechgmm.clustering.vbx import VbxSpec
    from speechgmm.io.kaldi_plda import read_kaldi_plda
    from speechgmm.tasks.diarization.vector_recordings import (
        GivenVectors,
        read_vector_recordings,
        read_vector_transform,
    )

    assert options.segments is not None, "check_method comes first"
    assert options.plda is not None, "check_method comes first"
    recordings = read_vector_recordings(options.audio[0], options.segments)
    return GivenVectors(
        recordings,
        read_kaldi_plda(options.plda),
        _with_settings(VbxSpec(), options),
        None if options.transform is None else read_vector_transform(options.transform),
        options.dims,
        overlap_of(options, [one.name for one in recordings]) or {},
    )


def overlap_of(options: "Diarize", names: "Sequence[str]") -> "dict[str, list[tuple[float, float]]] | None":
    """Where two speak in recordings, by name; None: no file says it. Raises as `read_overlap`."""
    from speechgmm.tasks.diarization.overlap_labels import read_overlap

    return None if options.overlap is None else read_overlap(options.overlap, names)


def _with_settings(spec: Spec, options: "Diarize") -> Spec:
    given = {name: getattr(options, name) for name in ("fa", "fb", "loop_probability")}
    return replace(spec, **{name: value for name, value in given.items() if value is not None})
