"""Damaged and hostile inputs for every reader, from seeds that it accepts; by hand: ``python tests/fuzzing.py 25000``.

A mutant may be accepted or refused with one of the package's own errors. What counts as a fault: any other exception,
more than 10 s, more than 1 GiB, a process that ends, a decision that is NaN, fewer samples than PyAV decodes without a
note that says so. Mutants follow from kind and number alone:
``python tests/fuzzing.py --one KIND NUMBER`` makes one again.
"""

import argparse
import contextlib
import io
import json
import math
import multiprocessing
import os
import random
import re
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from safetensors import safe_open
from safetensors.numpy import load, save

KEPT = Path(__file__).parent / "kept"
SECONDS = 10
PATIENCE = 6  # times SECONDS without an answer, after which a process hangs though it has had no processor
BYTES = 1 << 30
RATE = 8000

Mutate = Callable[[bytes, random.Random], bytes]
Use = Callable[[bytes, Path], str]
"""Reads an input and does with it what a command would; returns what was decided, as text."""


@dataclass(frozen=True)
class Kind:
    """A kind of input: seeds that are accepted, how they are changed, and who reads them."""

    seeds: tuple[bytes, ...]
    mutate: Mutate
    use: Use
    share: float = 1.0  # of the inputs of other kinds: those that take long are fewer


# ---- mutants ----


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, cut, doubled or put in; half the time near the beginning, where headers are."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        reach = min(len(found), 128) if rng.random() < 0.5 else len(found)
        at = rng.randrange(max(1, reach))
        n = rng.choice((1, 2, 4, 16, 200))
        match rng.randrange(7):
            case 0:
                found[at : at + 1] = bytes([rng.randrange(256)])
            case 1 if found:
                found[min(at, len(found) - 1)] ^= 1 << rng.randrange(8)
            case 2:
                del found[at : at + n]
            case 3:
                found[at:at] = found[at : at + n]
            case 4:
                found[at:at] = rng.randbytes(n)
            case 5:
                found[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice((0, 1, 2**31, 2**32 - 1, 65536)))
            case _:
                del found[rng.randrange(len(found) + 1) :]
    return bytes(found)


def of_sound(data: bytes, rng: random.Random) -> bytes:
    """As `of_bytes`, or one byte, or bytes behind the end; pages of Ogg get the checksum that they then have."""
    if rng.random() < 0.5:
        found = of_bytes(data, rng)
    elif rng.random() < 0.7:
        at = rng.randrange(64 if rng.random() < 0.5 else len(data))
        found = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    else:
        found = data + rng.randbytes(rng.choice((1, 3, 1000)))
    return with_page_checksums(found) if found[:4] == b"OggS" and rng.random() < 0.8 else found


def with_page_checksums(data: bytes) -> bytes:
    """An Ogg stream whose pages have the CRC-32 of their bytes (RFC 3533, section 6), so that damage gets past it."""
    pages = [match.start() for match in re.finditer(b"OggS", data)]
    found = bytearray(data)
    for begin, end in zip(pages, [*pages[1:], len(data)], strict=True):
        page = bytearray(data[begin:end])
        if len(page) < 27:
            continue
        page[22:26] = bytes(4)
        crc = 0
        for byte in page:
            crc = ((crc << 8) & 0xFFFFFFFF) ^ CRC[(crc >> 24) ^ byte]
        found[begin + 22 : begin + 26] = struct.pack("<I", crc)
    return bytes(found)


def _crc_of(byte: int) -> int:
    crc = byte << 24
    for _ in range(8):
        crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
    return crc & 0xFFFFFFFF


CRC = [_crc_of(byte) for byte in range(256)]

WORDS = (
    *(
        "",
        " ",
        "\0",
        "\x1b[31m",
        "é",
        "\ufeff",
        "\u2028",
        "-1",
        "0",
        "1e308",
        "1e-320",
        "nan",
        "inf",
        "1,5",
        "9" * 5000,
    ),
    *(
        "../../etc/passwd",
        "/dev/zero",
        "!!int x",
        "2020-13-45",
        "&a [*a]",
        "{",
        "[" * 3000,
        "'",
        '"',
        "\t",
        "#",
        "true",
    ),
    *("99999999999999999999", "-0.0", "x" * 70000, "$(id)", "|", "*", "%s", "\\", "\r"),
)


def of_text(data: bytes, rng: random.Random) -> bytes:
    """A word or a line changed, dropped, doubled or moved; sometimes single bytes."""
    if rng.random() < 0.25:
        return of_bytes(data, rng)
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice((1, 1, 1, 3))):
        at = rng.randrange(len(lines))
        words = re.split(r"([\s,:;=\"'\[\]{}()|<>]+)", lines[at])
        inner = 2 * rng.randrange((len(words) + 1) // 2)
        match rng.randrange(7):
            case 0:
                words[inner] = rng.choice(WORDS)
            case 1:
                words[inner] = str(rng.choice((rng.randrange(-3, 50), round(rng.random() * 3, 2))))
            case 2:
                other = 2 * rng.randrange((len(words) + 1) // 2)
                words[inner], words[other] = words[other], words[inner]
            case 3:
                words[inner : inner + 2] = []
            case 4:
                lines[at:at] = [lines[rng.randrange(len(lines))]]
                continue
            case 5:
                del lines[at]
                lines = lines or [""]
                continue
            case _:
                words[inner] += rng.choice("abcXYZ019_")
        lines[at] = "".join(words)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 0.5, -0.5, 7, 100, 1000, 10**6, 10**9, 2**63, 10**18, 10**400, -(10**9)),
    *(1e-320, 1e6, 1e30, 1e308, -1e308, math.inf, -math.inf, math.nan, "", "mix", "\x1b[2J\x1b]0;x\x07", "a\tb\nc"),
    *("../x", "é" * 40, "x" * 9000, [], {}, [[]], [0], ["a", "a"], {"a": 1}),
)


def of_model(data: bytes, rng: random.Random) -> bytes:
    """A value of the header changed, dropped or doubled, or a tensor's values, shape or type; or single bytes."""
    way = rng.random()
    if way < 0.1:
        return of_bytes(data, rng)
    tensors, header = opened(data)
    for _ in range(rng.choice((1, 1, 1, 2))):
        if way < 0.7:
            _change_header(header, rng)
        else:
            _change_tensor(tensors, rng)
    text = json.dumps(header)
    if rng.random() < 0.02:
        text = text.replace('"label"', '"label": ' + "[" * 100_000 + ', "label"', 1)
    return save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, metadata={"speechgmm": text})


def opened(data: bytes) -> tuple[dict[str, Any], Any]:
    """Tensors and header of a model file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with safe_open(file.name, framework="numpy") as found:
            header = json.loads(found.metadata()["speechgmm"])
    return load(data), header


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield value, key
        yield from _places(part)


def _change_header(header: Any, rng: random.Random) -> None:
    places = list(_places(header))
    if not places:
        return
    inside, key = rng.choice(places)
    old = inside[key]
    match rng.randrange(8):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, list):
            inside.insert(key, old)
        case 2 if isinstance(old, int | float) and not isinstance(old, bool):
            inside[key] = old + rng.choice((-1, 1, 0.5, 5))
        case 3 if isinstance(old, int | float) and not isinstance(old, bool):
            inside[key] = old * rng.choice((2, 10, 1000, -1))
        case 4 if isinstance(old, str):
            inside[key] = rng.choice((old.upper(), old + "x", "\x1b[31m" + old, old[:-1]))
        case 5:
            other, place = rng.choice(places)
            inside[key] = json.loads(json.dumps(other.get(place) if isinstance(other, dict) else old))
        case _:
            inside[key] = rng.choice(VALUES)


def _change_tensor(tensors: dict[str, Any], rng: random.Random) -> None:
    if not tensors:
        return
    name = rng.choice(sorted(tensors))
    array = np.array(tensors[name])
    at = tuple(rng.randrange(n) for n in array.shape) if array.size else None
    match rng.randrange(12):
        case 0 | 1 | 2 if at is not None:
            array[at] = array[at] + array.dtype.type(1)
        case 3 | 4 if at is not None:
            array[at] = array[at] * array.dtype.type(1 + 1e-9)
        case 5 if at is not None and array.dtype.kind == "f":
            array[at] = rng.choice((math.nan, math.inf, -math.inf, -1.0, 0.0, 1e300, 1e-320))
        case 6:
            array = array[..., :-1] if array.ndim and rng.random() < 0.5 else array[:-1] if array.ndim else array
        case 7:
            array = array.astype(rng.choice((np.float32, np.int8, np.float16, np.bool_, np.int64)))
        case 8:
            array = array.reshape(rng.choice(((-1,), (1, -1), (-1, 1)))) if array.size else array
        case 9:
            del tensors[name]
            return
        case 10:
            array = np.concatenate([array, array]) if array.ndim else array
        case _:
            tensors[name + "x"] = array
    tensors[name] = array


# ---- who reads them ----


def command(*arguments: object) -> str:
    """What a command prints; raises the error that it ends with."""
    from speechgmm import cli
    from speechgmm.errors import SpeechGMMError

    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["speechgmm", *map(str, arguments)]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as ended:
            if "out of memory" in err.getvalue():
                raise MemoryError(err.getvalue()) from None
            if ended.code:
                raise SpeechGMMError(err.getvalue()) from None
    if re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", out.getvalue() + err.getvalue()):
        raise AssertionError(f"control characters are printed: {out.getvalue()[:200]!a} {err.getvalue()[:200]!a}")
    return out.getvalue()


def hear(data: bytes, folder: Path, ending: str) -> str:
    from speechgmm.io.audio import Pieces, native_rate

    path = folder / f"a{ending}"
    path.write_bytes(data)
    rate = native_rate(path)
    pieces = Pieces(path, sample_rate=min(rate, 16000), resample=True)
    n, total = 0, 0.0
    for piece in pieces:
        n, total = n + len(piece), total + float(np.abs(piece).sum())
    return f"{total} {beside_pyav(path, n, pieces)}"


def beside_pyav(path: Path, n: int, pieces: Any) -> str:
    """How the samples heard compare in number with PyAV's: alike, declared (a note says so), longer, SHORTER or alone.

    Alone is what PyAV refuses, and what it decoded for us itself.
    """
    try:
        import av
    except ImportError:
        return "alone"
    seconds, n_other, heard = n / pieces.sample_rate, 0, 0.0
    try:
        with av.open(str(path), timeout=SECONDS) as container:
            for frame in container.decode(audio=0):
                n_other, heard = n_other + frame.samples, heard + frame.samples / frame.sample_rate
                if heard > 2 * seconds + 10:
                    break
    except (av.FFmpegError, ValueError, IndexError, AttributeError, ZeroDivisionError):
        return "alone"
    if pieces.decoder or not n_other:
        return "alone"
    tolerance = DELAYS.get(path.suffix, 0.0) + 16 / pieces.sample_rate
    if min(abs(heard - seconds), abs(n_other / pieces.native_rate - seconds)) <= tolerance:  # rates are not compared
        return "alike"
    which = "declared" if pieces.notes else "longer" if heard < seconds else "SHORTER"
    return f"{which}: {seconds:.4f} s, {heard:.4f} s by PyAV"


DELAYS = {".mp3": 0.2, ".ogg": 0.13}
"""Seconds that decoders of lossy formats may differ by: delays of the encoder, and the last block."""


def configure(data: bytes, folder: Path) -> str:
    from speechgmm.config import load_config, to_yaml
    from speechgmm.features.front_end import front_end

    path = folder / "c.yaml"
    path.write_bytes(data)
    experiment = load_config(path)
    text = to_yaml(experiment.resolved())
    front_end(experiment.config.features, experiment.config.corpus.rate())
    return re.sub(r"nan|inf", "", text)


def score_file(data: bytes, folder: Path) -> str:
    path = folder / "scores.txt"
    path.write_bytes(data)
    return command("evaluate", path, "--format", "json")


def fused(data: bytes, folder: Path) -> str:
    path, other = folder / "scores.txt", folder / "other.txt"
    path.write_bytes(data)
    other.write_bytes(data.replace(b".", b".1"))  # the same trials with other scores
    return "\n".join(row.split("\t")[2] for row in command("fuse", path, other, "--folds", 4).splitlines())


def truth(data: bytes, folder: Path) -> str:
    from speechgmm.io.score_file import read_truth

    path = folder / "trials.txt"
    path.write_bytes(data)
    return str(len(read_truth(path)))


def trial_table(data: bytes, folder: Path) -> str:
    from speechgmm.corpus.trials import read_trials

    path = folder / "trials.tsv"
    path.write_bytes(data)
    return str(len(read_trials(path, {"ann", "bob", "cyd"}, {"t1", "t2", "t3"})))


def manifest(data: bytes, folder: Path, ending: str) -> str:
    from speechgmm.corpus.readers.manifest import read_manifest

    path = folder / f"m{ending}"
    path.write_bytes(data)
    return str(len(read_manifest(path, None, "word")))


KALDI = ("wav.scp", "segments", "utt2spk", "text")
SPLIT = b"\n=====\n"


def kaldi(data: bytes, folder: Path) -> str:
    from speechgmm.corpus.readers.kaldi import read_kaldi

    place = folder / "data"
    place.mkdir(exist_ok=True)
    for name, part in zip(KALDI, data.split(SPLIT), strict=False):
        (place / name).write_bytes(part)
    return str(len(read_kaldi(place, folder, "speaker")))


def kaldi_mixtures(*, text: bool) -> tuple[bytes, ...]:
    """A DiagGmm and an AmDiagGmm."""
    from speechgmm import DiagGMM, write_kaldi_models

    model = DiagGMM([0.25, 0.75], [[1.0, -2.0], [4.0, 0.0]], [[0.5, 4.0], [1.0, 2.0]])
    with tempfile.TemporaryDirectory() as folder:
        for name, models in (("one", model), ("two", [model, model])):
            write_kaldi_models(models, Path(folder) / name, text=text)
        return tuple((Path(folder) / name).read_bytes() for name in ("one", "two"))


def mixtures_of_kaldi(data: bytes, folder: Path) -> str:
    from speechgmm import log_likelihoods, read_kaldi_models

    (folder / "final.mdl").write_bytes(data)
    mixture = read_kaldi_models(folder / "final.mdl")[0]
    return str(log_likelihoods(mixture, mixture.means).max())


def scored_by_numpy(data: bytes, folder: Path) -> str:
    from speechgmm.errors import DataError
    from speechgmm.standalone.frames import ScorerError
    from speechgmm.standalone.scorer import load

    (folder / "m.safetensors").write_bytes(data)
    try:
        return str(load(folder / "m.safetensors").score(tone(), RATE)["decision"])
    except ScorerError as error:
        raise DataError(str(error)) from None


def rttm(data: bytes, folder: Path) -> str:
    from speechgmm.io.rttm import read_rttm

    path = folder / "a.rttm"
    path.write_bytes(data)
    return str(next(turn for turns in read_rttm(path).values() for turn in turns).end)


def textgrid(data: bytes, folder: Path) -> str:
    from speechgmm.corpus.reader_specs import TextGridSpec
    from speechgmm.corpus.readers.textgrid import read_textgrids

    if not (folder / "a.wav").exists():
        soundfile.write(folder / "a.wav", tone(), RATE)
    (folder / "a.TextGrid").write_bytes(data)
    return str(len(read_textgrids(folder, "label", TextGridSpec(tier="phones"))))


def label_file(data: bytes, folder: Path, ending: str) -> str:
    from speechgmm.io.label_files import read_tiers

    path = folder / f"a{ending}"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # labels of 0 s
        return str(sum(len(tier.labels) for tier in read_tiers(path)))


def dictionary(data: bytes, folder: Path) -> str:
    from speechgmm.corpus.dictionary import read_dictionary

    path = folder / "d.txt"
    path.write_bytes(data)
    return str(len(read_dictionary(path).phones))


def grammar(data: bytes, folder: Path) -> str:
    from speechgmm.corpus.grammar_file import read_grammar

    path = folder / "g.txt"
    path.write_bytes(data)
    return str(read_grammar(path).n_states)


def with_model(data: bytes, folder: Path, *uses: tuple[object, ...]) -> str:
    """Commands with a model file (MODEL) and a recording (AUDIO), as long as they succeed."""
    model, audio = folder / "m.safetensors", folder / "tone.wav"
    model.write_bytes(data)
    rate = 8000
    with contextlib.suppress(Exception):
        found = re.search(r'\\?"sample_rate\\?": ?(\d+)', data[:20000].decode("utf-8", "replace"))
        rate = int(found[1]) if found else rate
    rate = rate if 8000 <= rate <= 48000 else 8000
    soundfile.write(audio, tone(), rate)
    (folder / "segments.tsv").write_text("path\tstart\tend\ntone.wav\t0.1\t0.3\ntone.wav\t0.3\t0.5\n")
    places = {"MODEL": model, "AUDIO": audio, "OUT": folder / "out.safetensors", "TABLE": folder / "segments.tsv"}
    said = command("inspect", model)
    for use in uses:
        (folder / "out.safetensors").unlink(missing_ok=True)
        said += command(*(places.get(str(word), word) for word in use))
    return said


# ---- seeds ----


def tone(seconds: float = 0.6) -> Any:
    t = np.arange(round(seconds * RATE)) / RATE
    samples = sum(np.sin(2 * np.pi * 140 * k * t + k) / k for k in range(1, 8)) * (1 + 0.5 * np.sin(6 * np.pi * t))
    return (0.1 * samples + 0.01 * np.sin(9000 * t**2)).astype(np.float32)


def sound(container: str, subtype: str, endian: str = "FILE") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(0.4), RATE, format=container, subtype=subtype, endian=endian)
    return file.getvalue()


def kept(*names: str) -> tuple[bytes, ...]:
    return tuple((KEPT / name / "models.safetensors").read_bytes() for name in names)


def a_diarizer() -> bytes:
    from speechgmm.engine.audio_input import AudioInput
    from speechgmm.features import FeatureSpec
    from speechgmm.gmm import DiagGMM
    from speechgmm.tasks.diarization import DiarizationSpec, Diarizer
    from speechgmm.tasks.diarization.codec import DiarizerFile, LearntFrom, save_diarizer
    from speechgmm.vectors import SpeakerSpace

    rng = np.random.default_rng(0)
    ubm = DiagGMM(np.full(2, 0.5), rng.normal(size=(2, 13)) * 9, np.full((2, 13), 90.0))
    space = SpeakerSpace(np.zeros(26), np.linalg.qr(rng.normal(size=(26, 4)))[0], np.array([4.0, 2.0, 1.0, 0.5]))
    spec = DiarizationSpec(n_components=6, n_dims=4, minimum=2)
    audio = AudioInput(FeatureSpec(vad="energy"), RATE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "d.safetensors"
        save_diarizer(DiarizerFile(Diarizer(ubm, space, spec, 0.0), audio, LearntFrom(8, 8, 0.1)), path)
        return path.read_bytes()


SCORES = b"model\ttest\tscore\ttarget\n" + b"".join(
    f"s{n % 4}\tt{n}\t{((n * 7) % 13) / 3 - (n % 3):.3f}\t{'target' if n % 3 == 0 else 'nontarget'}\n".encode()
    for n in range(24)
)
CLASS_SCORES = b"id\ttrue\tpredicted\tn_frames\tba\tda\n" + b"".join(
    f"u{n}\t{'ba' if n % 2 else 'da'}\t{'ba' if n % 3 else 'da'}\t30\t{-40 - n % 3}\t{-40.5 - n % 2}\n".encode()
    for n in range(12)
)
MANIFEST = "path\tword\tspeaker\tstart\tend\tsplit\n" + "".join(
    f"a/{n}.wav\tw{n % 3}\ts{n % 2}\t{n / 10:.1f}\t{n / 10 + 0.5:.1f}\t{'test' if n % 3 == 0 else 'train'}\n"
    for n in range(9)
)
JSON_LINES = "".join(
    json.dumps({"path": f"a/{n}.wav", "word": f"w{n % 3}", "start": n / 10, "end": n / 10 + 0.5}) + "\n"
    for n in range(9)
)
KALDI_FILES = SPLIT.join(
    (
        b"".join(f"r{n} wav/r{n}.wav\n".encode() for n in range(4)),
        b"".join(f"s{n % 2}-u{n} r{n} {n / 10:.2f} {n / 10 + 1:.2f}\n".encode() for n in range(4)),
        b"".join(f"s{n % 2}-u{n} s{n % 2}\n".encode() for n in range(4)),
        b"".join(f"s{n % 2}-u{n} one two\n".encode() for n in range(4)),
    )
)
TURNS = b"".join(f"SPEAKER call 1 {n * 1.5:.3f} 1.250 <NA> <NA> s{n % 2} <NA> <NA>\n".encode() for n in range(6))
DICTIONARY = b";;; words\nREAD  R EH1 D\nREAD(2)  R IY1 D\nONE  W AH1 N\nTWO  T UW1\n"
WEIGHTED = b"READ 0.7 R EH D\nREAD 0.3 R IY D\nONE 1.0 W AH N\n"
GRAMMAR = b"#JSGF V1.0;\ngrammar digits;\npublic <s> = <d> [<d>] (and | then)*;\n<d> = /1/ one | /2/ two | /3/ three;\n"


def a_textgrid() -> bytes:
    from speechgmm.io.label_files.textgrid import textgrid as written
    from speechgmm.io.timed_labels import TimedLabel

    labels = [TimedLabel("a", 0.0, 0.2), TimedLabel("b", 0.2, 0.4), TimedLabel("c", 0.45, 0.6)]
    return written({"phones": labels, "words": [TimedLabel("abc", 0.0, 0.6)]}, 0.6).encode()


def label_file_seeds() -> dict[str, bytes]:
    """Suffix -> a label file as it is written, or as ELAN and NIST write it."""
    from speechgmm.io.label_files import FORMATS, labels_as_text
    from speechgmm.io.timed_labels import LabelledRecording, TimedLabel

    labels = {"words": [TimedLabel("a", 0.0, 0.2, 0.5), TimedLabel("b", 0.25, 0.4)]}
    recording = LabelledRecording(Path("call.wav"), 1.0, labels)
    written = [one for one in FORMATS.values() if one.writer and one.name != "textgrid"]
    elan = (
        '<ANNOTATION_DOCUMENT><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="t2"/>'
        '<TIME_SLOT TIME_SLOT_ID="t3" TIME_VALUE="900"/></TIME_ORDER><TIER TIER_ID="words" PARTICIPANT="ann">'
        '<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2">'
        "<ANNOTATION_VALUE>one</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION><ANNOTATION>"
        '<ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="t2" TIME_SLOT_REF2="t3">'
        "<ANNOTATION_VALUE>two</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>"
        '</ANNOTATION></TIER><TIER TIER_ID="gloss"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a2">'
        "<ANNOTATION_VALUE>zwei</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"
    )
    seeds = {one.suffix: labels_as_text([recording], one.name).encode() for one in written}
    return seeds | {".eaf": elan.encode(), ".uem": b";; regions\ncall 1 0 2.5\ncall NA 3 4\n"}


def kinds() -> dict[str, Kind]:
    """Every kind, by name."""
    sounds = {
        "wav": [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "PCM_24"), ("WAVEX", "PCM_16"), ("WAV", "ULAW")],
        "flac": [("FLAC", "PCM_16")],
        "ogg": [("OGG", "VORBIS"), ("OGG", "OPUS")],
        "mp3": [("MP3", "MPEG_LAYER_III")],
        "aiff": [("AIFF", "PCM_16")],
        "au": [("AU", "PCM_16")],
        "caf": [("CAF", "PCM_16")],
        "w64": [("W64", "PCM_16")],
        "nist": [("NIST", "PCM_16")],
        "rf64": [("RF64", "PCM_16")],
        "voc": [("VOC", "PCM_16")],
    }
    audio = {
        f"audio {ending}": Kind(tuple(sound(*how) for how in hows), of_sound, partial(hear, ending=f".{ending}"))
        for ending, hows in sounds.items()
    }
    configs = Path(__file__).parents[1] / "configs"
    settings = tuple(path.read_bytes() for path in sorted(configs.glob("*.yaml")))
    yaml = Kind(settings, of_text, configure)

    def text(use: Use, *seeds: bytes) -> Kind:
        return Kind(seeds, of_text, use)

    score, verify = ("score", "MODEL", "AUDIO"), ("verify", "MODEL", "AUDIO", "--claim", "s0")
    more = ("--out", "OUT", "--quiet")
    models = {
        "classes": (kept("class", "class-earlier"), (score, ("score", "MODEL", "AUDIO", "--format", "jsonl"))),
        "enrol": (kept("class", "verify-norm"), (("enrol", "MODEL", "AUDIO", "--label", "new", "--out", "OUT"),)),
        "update": (kept("class", "class-earlier"), (("update", "MODEL", "AUDIO", "--label", "ba", *more),)),
        "claims": (kept("verify-norm", "verify-norm-earlier"), (score, verify)),
        "variational": (kept("variational"), (score,)),
        "segments": (kept("segments"), (("score", "MODEL", "AUDIO", "--segments", "TABLE"),)),
        "anomaly": (kept("anomaly"), (("score", "MODEL", "AUDIO", "--label", "m0"),)),
        "recogniser": (
            kept("recognition"),
            (("recognise", "MODEL", "AUDIO"), ("align", "MODEL", "AUDIO", "--text", "up down", "--allow-misfit")),
        ),
        "diarizer": ((a_diarizer(),), (("diarize", "AUDIO", "--model", "MODEL", "--quiet"),)),
    }
    return {
        **audio,
        "configuration": yaml,
        "scores": text(score_file, SCORES, CLASS_SCORES),
        "fusion": text(fused, SCORES),
        "truth": text(truth, SCORES, b"ann t1 target\nbob t1 nontarget\nbob t2 target\n"),
        "trials": text(
            trial_table, b"model\ttest\ttarget\nann\tt1\ttarget\nbob\tt2\t0\n", b"ann t1 target\nbob t1 nontarget\n"
        ),
        "manifest tsv": text(partial(manifest, ending=".tsv"), MANIFEST.encode()),
        "manifest csv": text(partial(manifest, ending=".csv"), MANIFEST.replace("\t", ",").encode()),
        "manifest jsonl": text(partial(manifest, ending=".jsonl"), JSON_LINES.encode()),
        "kaldi": text(kaldi, KALDI_FILES),
        "numpy scorer": Kind(kept("class", "verify-norm"), of_model, scored_by_numpy),
        "kaldi binary": Kind(kaldi_mixtures(text=False), of_bytes, mixtures_of_kaldi),
        "kaldi text": text(mixtures_of_kaldi, *kaldi_mixtures(text=True)),
        "rttm": text(rttm, TURNS),
        "textgrid": text(textgrid, a_textgrid()),
        **{
            f"labels {ending}": text(partial(label_file, ending=ending), data)
            for ending, data in label_file_seeds().items()
        },
        "dictionary": text(dictionary, DICTIONARY, WEIGHTED),
        "grammar": text(grammar, GRAMMAR),
        **{
            f"model {name}": Kind(seeds, of_model, lambda data, folder, uses=uses: with_model(data, folder, *uses))
            for name, (seeds, uses) in models.items()
        },
    }


# ---- running ----


@dataclass
class Count:
    """What became of the inputs of a kind."""

    n: int = 0
    accepted: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    beside: Counter[str] = field(default_factory=Counter)  # of those accepted: how they compare with another reader
    examples: dict[str, tuple[int, str]] = field(default_factory=dict)  # fault -> number and text
    slowest: float = 0.0


def mutant(kind: str, number: int, known: Mapping[str, Kind]) -> bytes:
    """The mutant of a kind with this number; 0 and the following are the seeds themselves."""
    seeds = known[kind].seeds
    if number < len(seeds):
        return seeds[number]
    rng = random.Random(f"{kind} {number}")
    return known[kind].mutate(rng.choice(seeds), rng)


def tried(kind: str, number: int, known: Mapping[str, Kind], folder: Path) -> tuple[str, str]:
    """What becomes of a mutant: accepted, refused or a fault, and a text about it."""
    from speechgmm.errors import SpeechGMMError

    data = mutant(kind, number, known)
    folder /= kind.replace(" ", "-")
    folder.mkdir(exist_ok=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = known[kind].use(data, folder)
    except SpeechGMMError as error:
        return "refused", str(error)
    except MemoryError as error:
        return "memory", f"{error} {traceback.format_exc(limit=-3)}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = f"{type(error).__name__} {Path(where.filename).name}:{where.lineno}"
        return f"traceback {name}", "".join(traceback.format_exception(error))[-3000:]
    if re.search(r"\bnan\b", said):
        return "nan", said
    if " SHORTER: " in said:
        return "shorter", said
    return "accepted", said


def _serve(pipe: Any, known: Mapping[str, Kind]) -> None:
    with Path("/proc/self/statm").open() as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, now + BYTES))
    with tempfile.TemporaryDirectory() as folder:
        while (task := pipe.recv()) is not None:
            pipe.send(tried(*task, known, Path(folder)))


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Worker:
    """A process that is watched: it is ended where it takes too long, and begun again."""

    def __init__(self, known: Mapping[str, Kind]) -> None:
        self.known = known
        self.process: Any = None

    def result(self, kind: str, number: int) -> tuple[str, str]:
        if self.process is None:
            context = multiprocessing.get_context("fork")
            self.pipe, other = context.Pipe()
            self.process = context.Process(target=_serve, args=(other, self.known), daemon=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, which are idle here
                self.process.start()
            other.close()
        self.pipe.send((kind, number))
        begun = _processor_seconds(self.process.pid)
        try:
            for _ in range(PATIENCE):  # other work on the machine may hold it up: it hangs if it has had the time
                if self.pipe.poll(SECONDS):
                    found: tuple[str, str] = self.pipe.recv()
                    if found[0] == "memory":
                        self.end()
                    return found
                if _processor_seconds(self.process.pid) - begun >= SECONDS:
                    break
            fault = "hang"
        except (EOFError, ConnectionError):
            fault = "ended"
        self.end()
        return fault, f"after {SECONDS} s" if fault == "hang" else "the process ended"

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None


def fuzz(n: int, *, only: str = "", first: int = 0, until: float = math.inf, show: bool = False) -> dict[str, Count]:
    """Try n mutants, in turn of every kind, and count what becomes of them; ``until`` is a time.monotonic()."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", SPEECHGMM_CACHE="/nonexistent")
    known = {name: kind for name, kind in kinds().items() if only in name}
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in known.items():  # what is compiled here is there in every worker
            for number in range(len(kind.seeds)):
                fate, text = tried(name, number, known, Path(folder))
                assert fate == "accepted", (name, number, fate, text)
    counts = {name: Count() for name in known}
    worker = Worker(known)
    try:
        for number in range(n):
            name = list(known)[number % len(known)]
            begun = time.monotonic()
            if begun > until:
                break
            place = first + number // len(known) + len(known[name].seeds)
            fate, text = worker.result(name, place)
            count = counts[name]
            count.n += 1
            count.slowest = max(count.slowest, time.monotonic() - begun)
            if fate == "accepted":
                count.accepted += 1
                if name.startswith("audio "):
                    count.beside[text.split()[1].strip(":")] += 1
            elif fate != "refused":
                count.faults[fate] += 1
                if fate not in count.examples:
                    count.examples[fate] = place, text
                    if show:
                        print(f"{name} {place}: {fate}\n{text}\n", file=sys.stderr, flush=True)
    finally:
        worker.end()
    return counts


def table(counts: Mapping[str, Count]) -> str:
    """The counts, for a person."""
    lines = [f"{'kind':<20}{'inputs':>8}{'accepted':>10}{'faults':>8}{'slowest':>9}"]
    for name, count in counts.items():
        share = f"{100 * count.accepted / max(1, count.n):.0f} %"
        lines.append(f"{name:<20}{count.n:>8}{share:>10}{sum(count.faults.values()):>8}{count.slowest:>8.1f}s")
        if count.beside:
            lines.append("    beside PyAV: " + ", ".join(f"{n} {word}" for word, n in count.beside.most_common()))
        lines += [f"    {n} x {fault} ({count.examples[fault][0]})" for fault, n in count.faults.items()]
    n, faults = sum(c.n for c in counts.values()), sum(sum(c.faults.values()) for c in counts.values())
    return "\n".join((*lines, f"{n} inputs, {faults} faults"))


def main() -> None:
    """Run by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n", type=int, nargs="?", default=2000, help="inputs in all")
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant of each kind")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "NUMBER"), help="make one mutant again")
    chosen = parser.parse_args()
    if chosen.one:
        kind, number = chosen.one[0], int(chosen.one[1])
        with tempfile.TemporaryDirectory() as folder:
            print(*tried(kind, number, kinds(), Path(folder)), sep="\n")
        return
    counts = fuzz(chosen.n, only=chosen.only, first=chosen.first, show=True)
    print(table(counts))
    sys.exit(any(count.faults for count in counts.values()))


if __name__ == "__main__":
    main()
