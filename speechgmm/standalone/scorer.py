"""Scores of recordings by a model of speechgmm, with numpy alone: one file to copy, beside a model file.

    python numpy_scorer.py models.safetensors recording.wav ...

    import numpy_scorer
    scorer = numpy_scorer.load("models.safetensors")
    scorer.score("recording.wav")["decision"]          # or scorer.score(samples, sample_rate)

It reads models of classes, with a background model or without, trained on cepstra (mfcc, lfcc) of recordings. It reads
WAV files of whole numbers at the model's sample rate. What it cannot do is refused by name. It imports numpy and the
standard library, and nothing else of speechgmm, whose scores it gives to 1e-6 of themselves.
"""

import json
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from speechgmm.standalone.frames import AT_ONCE, Array, FrontEnd, ScorerError, moments, one_channel, read_wave

PARTS = ("weights", "means", "variances")  # of a mixture
NEWEST_FORMAT = 2


def read_safetensors(path: str | Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors and the header of a model file."""
    data = Path(path).read_bytes()
    try:
        n_bytes = int.from_bytes(data[:8], "little")
        about = json.loads(data[8 : 8 + n_bytes])
        header = json.loads(about.pop("__metadata__")["speechgmm"])
        types = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U64": "<u8", "I16": "<i2"}
        tensors = {}
        for name, one in about.items():
            first, stop = (8 + n_bytes + place for place in one["data_offsets"])
            tensors[name] = np.frombuffer(data[first:stop], types[one["dtype"]]).reshape(one["shape"])
        return tensors, header
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ScorerError(f"{path}: not a whole model file of speechgmm ({error!r})") from None


def load(path: str | Path, leave_out: Collection[str] = ()) -> "Scorer":
    """Load a model file for scoring.

    ``leave_out`` names the steps of scoring that the model has and this scorer has not; scores and decisions are then
    computed without them. The model scores a piece of noise first, so that a damaged file is refused here.
    """
    tensors, header = read_safetensors(path)
    try:
        return _tried(path, tensors, header, leave_out)
    except ScorerError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, ArithmeticError, MemoryError) as error:
        raise ScorerError(f"{path}: a damaged model file, or one of a newer version ({error!r})") from None


def _tried(path: str | Path, tensors: dict[str, Array], header: dict[str, Any], leave_out: Collection[str]) -> "Scorer":
    if header.get("format", 0) > NEWEST_FORMAT:
        raise ScorerError(f"{path}: model format {header['format']}; this scorer reads up to {NEWEST_FORMAT}")
    if "labels" not in header or "weights" not in tensors:
        raise ScorerError(f"{path}: not a model of classes; this scorer is for classification and verification")
    if "audio" not in header:
        raise ScorerError(f"{path}: a model that was trained on frames, so that it says nothing of recordings")
    method = header.get("method", "llr")
    parts = {"predictive-density": "posteriors" in header, f"{method}-scoring": method != "llr"}
    if method != "llr":  # what was measured on such scores goes with them
        parts |= {"score-norm": "cohort" in header, "calibration": "calibration" in header}
        header = {name: value for name, value in header.items() if name not in ("cohort", "calibration")}
    beyond = [name for name, is_there in parts.items() if is_there and name not in leave_out]
    if beyond:
        raise ScorerError(f"{path}: the model scores with {', '.join(beyond)}, which this scorer has not; to score "
                          f"without, load it with leave_out={tuple(beyond)}")  # fmt: skip
    if not 1000 <= header["audio"]["sample_rate"] <= 768_000:
        raise ScorerError(f"{path}: a model for {header['audio']['sample_rate']} Hz; expected 1000 to 768000")
    scorer = Scorer(tensors, header)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * scorer.sample_rate)
    with np.errstate(all="ignore"), suppress(ScorerError):  # of the noise, which need not be speech
        scorer.score(noise, scorer.sample_rate)
    return scorer


class Scorer:
    """A model, ready for recordings."""

    def __init__(self, tensors: dict[str, Array], header: dict[str, Any]) -> None:
        self.labels, self.temperature = header["labels"], header["temperature"]
        self.log_priors, self.audio = tensors["log_priors"], header["audio"]
        self.sample_rate = self.audio["sample_rate"]
        self.front = FrontEnd(self.audio["features"], self.sample_rate)
        self.normalisation = [tensors.get(f"normalisation.{name}") for name in ("shift", "scale")]
        self.transform = [tensors.get(f"transform.{name}") for name in ("matrix", "offset")]
        ends = np.cumsum(header["n_components"])[:-1]
        self.mixtures = list(zip(*(np.split(tensors[name], ends) for name in PARTS), strict=True))
        self.top = header.get("top_components")
        self.claims = Claims(tensors, header) if "ubm.weights" in tensors else None
        if self.claims is not None:
            self.mixtures += [tuple(tensors[f"ubm.{name}"] for name in PARTS), *self.claims.cohort]

    def score(self, recording: str | Path | Array, sample_rate: int | None = None) -> dict[str, Any]:
        """Score a recording: the path of a WAV file, or samples (N,) or (N, channels) in [-1, 1] or int16.

        Returns a dictionary with ``decision``, ``n_frames`` and, by label, ``log_likelihoods`` (nats per frame). If the
        model has them, it also holds by label ``posteriors``, ``ratios`` (log-likelihoods minus that of the background
        model, nats per frame), ``scores`` (ratios normalised by a cohort) and ``llrs`` (calibrated, nats). A claim is
        accepted if its llr is at least ``threshold``.
        """
        samples, rate = (recording, sample_rate) if isinstance(recording, np.ndarray) else read_wave(recording)
        name = "samples" if isinstance(recording, np.ndarray) else recording
        if rate != self.sample_rate:
            raise ScorerError(f"{name}: sample rate {rate} Hz, and the model takes {self.sample_rate} Hz; resample it")
        samples = one_channel(str(name), samples, self.audio["channel"])
        try:
            frames = self.frames(samples)
        except ScorerError as error:
            raise ScorerError(f"{name}: {error}") from None
        means = self.log_likelihoods(frames)
        n = len(self.labels)
        best, values = means[:n], {"log_likelihoods": means[:n]}
        if self.temperature is not None:
            scores = self.temperature * len(frames) * means[:n] + self.log_priors
            shares = np.exp(scores - scores.max())
            values["posteriors"] = shares / shares.sum()
            best = np.where(scores == scores.max(), means[:n], -np.inf)
        found: dict[str, Any] = {"decision": self.labels[int(best.argmax())], "n_frames": len(frames)}
        if self.claims is not None:
            values |= self.claims.scores(means[:n] - means[n], means[n + 1 :] - means[n])
            if "llrs" in values:
                llrs, found["threshold"] = values["llrs"], self.claims.calibration["threshold"]
                first = int(np.lexsort((-means[:n], -llrs))[0])
                found["decision"] = self.labels[first] if llrs[first] >= found["threshold"] else "unknown"
        by_label = {name: dict(zip(self.labels, array.tolist(), strict=True)) for name, array in values.items()}
        return found | by_label

    def log_likelihoods(self, frames: Array) -> Array:
        """Mean log-likelihoods (C,) of frames (T, D) in nats per frame; then of the background model and the cohort."""
        found: list[Array] = []
        for first in range(0, len(frames), AT_ONCE):
            part = frames[first : first + AT_ONCE].astype(np.float64)
            scores = [component_scores(part, *mixture) for mixture in self.mixtures]
            if self.top is not None:  # the background model's best components alone, in all mixtures
                best = np.argpartition(-scores[len(self.labels)], self.top - 1, axis=1)[:, : self.top]
                scores = [np.take_along_axis(one, best, axis=1) for one in scores]
            peaks = [one.max(axis=1, keepdims=True) for one in scores]
            both = zip(scores, peaks, strict=True)
            found.append([peak[:, 0] + np.log(np.exp(one - peak).sum(axis=1)) for one, peak in both])
        return np.concatenate(found, axis=1).mean(axis=1)

    def frames(self, samples: Array) -> Array:
        """Finished frames (T, D) of the speech in samples (N,)."""
        frames, speech = self.front.frames(samples)
        spec = self.front.spec
        if spec["cmvn"] != "none":
            shift, scale = self.normalisation
            if shift is None or scale is None:
                shift, scale = moments(frames[speech].astype(np.float64), spec["norm_vars"])
            frames = (frames - shift.astype(np.float32)) * scale.astype(np.float32)
        matrix, offset = self.transform
        if matrix is not None:
            n = spec["transform"]["splice"]
            near = np.clip(np.arange(len(frames))[:, None] + np.arange(-n, n + 1), 0, len(frames) - 1)
            frames = (frames.astype(np.float64)[near].reshape(len(frames), -1) @ matrix.T + offset).astype(np.float32)
        return frames[speech]


class Claims:
    """Normalisation of the scores of claims by a cohort, and their calibration."""

    def __init__(self, tensors: dict[str, Array], header: dict[str, Any]) -> None:
        about = header.get("cohort", {})
        self.norm, self.top = about.get("norm"), about.get("top")
        has_models = "cohort.weights" in tensors and self.norm is not None
        self.cohort = list(zip(*(tensors[f"cohort.{name}"] for name in PARTS), strict=True)) if has_models else []
        self.by_model: Any = tensors.get("norm.models")
        self.by_cohort_model: Any = tensors.get("norm.cohort")
        self.calibration: dict[str, Any] = header.get("calibration", {})
        self.blocks: list[Any] = [tensors.get(f"calibration.{name}") for name in ("scores", "llrs")]

    def scores(self, ratios: Array, others: Array) -> dict[str, Array]:
        """The scores (C,) of claims, from the ratios (C,) of the classes and the ratios (N,) of the cohort's models."""
        found = {"ratios": ratios}
        scores = ratios
        if self.norm is not None:
            scores = found["scores"] = self.normalised(ratios, others)
        if self.calibration:
            affine = self.calibration.get("affine")
            if affine is None:
                found["llrs"] = np.interp(scores, *self.blocks)
            else:
                with_quality = self.calibration.get("quality", "none") != "none"
                inputs = [scores, np.full(len(scores), others.mean())] if with_quality else [scores]
                found["llrs"] = np.stack(inputs, axis=1) @ np.array(affine["weights"]) + affine["offset"]
        return found

    def normalised(self, raw: Array, others: Array) -> Array:
        """Raw scores (C,) normalised by the scores (N,) of the models of the cohort on the same recording."""
        own = raw if self.by_model is None else (raw - self.by_model[:, 0]) / self.by_model[:, 1]
        if self.norm == "z":
            return own
        if self.norm == "zt":
            raw, others = own, (others - self.by_cohort_model[:, 0]) / self.by_cohort_model[:, 1]
        highest = np.sort(others)[len(others) - (self.top or len(others)) :]
        by_test = (raw - highest.mean()) / highest.std(ddof=1)
        return (own + by_test) / 2 if self.norm in ("s", "as") else by_test


def component_scores(frames: Array, weights: Array, means: Array, variances: Array) -> Array:
    """Log p(k, x) (T, K) of frames (T, D) under a mixture, in nats."""
    centre = weights @ means
    offsets, y = means - centre, frames - centre
    with np.errstate(divide="ignore"):  # a component of weight 0 has no part
        consts = np.log(weights) - 0.5 * (np.log(2 * np.pi * variances) + offsets**2 / variances).sum(axis=1)
    return consts + y @ (offsets / variances).T - 0.5 * y**2 @ (1 / variances).T


def main() -> None:
    """Print the scores of recordings, best first."""
    if len(sys.argv) < 3:
        sys.exit("usage: python numpy_scorer.py MODEL RECORDING.wav ...")
    n_failed = 0
    try:
        scorer = load(sys.argv[1])
    except (ScorerError, OSError) as error:
        sys.exit(f"error: {error}")
    columns = ("log_likelihoods", "posteriors", "llrs")
    print("recording", "decision", "label", *columns, sep="\t")
    for path in sys.argv[2:]:
        try:
            found = scorer.score(path)
        except (ScorerError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            n_failed += 1
            continue
        by = next(found[name] for name in reversed(columns) if name in found)
        for label in sorted(by, key=by.get, reverse=True):
            values = [f"{found[name][label]:.6f}" if name in found else "" for name in columns]
            print(path, found["decision"], label, *values, sep="\t")
    sys.exit(1 if n_failed else 0)


if __name__ == "__main__":
    main()
