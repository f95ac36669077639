"""What a model file of anomaly detection holds, for a person."""

from collections.abc import Iterator
from pathlib import Path

from speechgmm.errors import counted
from speechgmm.features import front_end
from speechgmm.report.text import aligned
from speechgmm.tasks.anomaly.codec import read_anomaly_file
from speechgmm.tasks.anomaly.costs import NormalModel
from speechgmm.tasks.anomaly.neighbours import NormalVectors
from speechgmm.tasks.anomaly.spec import StreamSpec

CLASSES_SHOWN = 30


def describe(path: Path) -> Iterator[str]:
    """Streams and thresholds of an anomaly model."""
    file = read_anomaly_file(path)
    spec = file.spec
    about = file.label if spec.models == "label" else "all in one"
    yield f"{path}: anomaly-detection models of {counted(len(file.models), 'class')} ({about})"
    for number, (stream, audio) in enumerate(zip(spec.streams, file.audio, strict=True)):
        plan = front_end(audio.features, audio.sample_rate)
        normal = next(iter(file.models.values())).normal[number]
        how = {
            "mean": "mean",
            "top": f"worst {100 * stream.share:g} % of frames",
            "window": f"worst {stream.window:g} s",
        }
        rate = "" if audio.is_given else f" at {audio.sample_rate} Hz"
        yield (
            f"stream {stream.name}: {1000 * plan.frame_length / plan.sample_rate:g} ms windows every "
            f"{1000 * plan.frame_shift / plan.sample_rate:g} ms{rate}, "
            f"{_compared(normal, stream)}; {how[stream.pool]}, {', '.join(stream.sides)}"
            f"{', less the median frame' if stream.relative else ''}"
        )
    rows: list[tuple[str, ...]] = [("class", "normal recordings", "threshold", "95 % interval", "false alarms (95 %)")]
    for label, model in list(file.models.items())[:CLASSES_SHOWN]:
        one = model.reference.threshold
        ends = ("–" if end is None else f"{end:.3f}" for end in (one.low, one.high))
        rates = f"{100 * one.rate_low:.1f} to {100 * one.rate_high:.1f} %"
        rows.append((label, str(one.n), f"{one.value:.3f}", " to ".join(ends), rates))
    yield ""
    yield from aligned(rows)
    if len(file.models) > CLASSES_SHOWN:
        yield f"  ... and {len(file.models) - CLASSES_SHOWN} more"


def _compared(normal: NormalModel, stream: StreamSpec) -> str:
    """What the frames of a stream are compared with, in words."""
    if isinstance(normal, NormalVectors):
        return f"{stream.n_neighbours} nearest of {len(normal)} vectors of {normal.n_features} features"
    if stream.method == "mahalanobis":
        return f"Mahalanobis distance in {normal.n_features} features"
    return f"{normal.n_components} components of {normal.n_features} features"
