"""Features and spectrograms over time, with the boundaries of segments."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.io.samples import checked_rate
from speechgmm.plots.canvas import TARGET, finished, new_axes, printable
from speechgmm.plots.sources import Segments, numbers, segments_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPECTROGRAM_COLUMNS: Final = 260
SPECTROGRAM_LEVELS: Final = 32
SPECTROGRAM_RANGE: Final = 60.0
"""dB below the loudest that are told apart."""

FEATURE_RANGE: Final = 3.0
"""Standard deviations from the mean of a feature that are told apart."""

LETTER: Final = 5.0
"""Points that a letter of a segment's label takes."""


def features(
    values: ArrayLike,
    *,
    hop: float = 0.01,
    start: float = 0.0,
    segments: Segments | None = None,
    tier: str | None = None,
    title: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """Features over time, with the boundaries and labels of segments.

    Parameters
    ----------
    values : (T, D) or (T,) array
        Frames of features (T, D), or one feature (T,). Frames are drawn as colours, each dimension in standard
        deviations from its mean over the frames. One feature is drawn as a line in its own unit.
    hop : float
        Seconds from one frame to the next.
    start : float
        Time at which the first frame begins, in s.
    segments : sequence or path, optional
        The segments: tuples (start, end, label) with times in s, objects with these attributes, or the path of a
        TextGrid file.
    tier : str, optional
        Name of the interval tier to draw of a TextGrid; default: the only one that the file has.
    title : str, optional
        Text above the axes.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        One image (D, T), or a line, and a vertical line for each boundary.

    Raises
    ------
    ShapeError
        The values are neither (T, D) nor (T,), or there are none.
    DataError
        The TextGrid cannot be read, or a segment has no times or no label.
    ConfigError
        ``hop`` is not above 0, or ``tier`` is given without a TextGrid.

    Examples
    --------
    >>> import numpy as np
    >>> import speechgmm as sg
    >>> from speechgmm import plots
    >>> tone = 0.1 * np.sin(np.arange(16000, dtype=np.float32))
    >>> frames = sg.extract(sg.FeatureSpec(), tone, 16000)
    >>> ax = plots.features(frames, hop=0.01, segments=[(0.2, 0.5, "a"), (0.5, 0.8, "b")])
    >>> [text.get_text() for text in ax.texts], [round(float(edge), 2) for edge in ax.get_xlim()]
    (['a', 'b'], [0.0, 0.98])
    """
    frames = numbers(values, "values")
    if frames.ndim not in (1, 2) or frames.size == 0:
        raise ShapeError(f"values {frames.shape}; expected frames (T, D), or one feature (T,)")
    marks = segments_of(segments, tier)
    if not (0 < hop < np.inf and np.isfinite(start)):
        raise ConfigError(f"hop is {hop} and start {start}; expected seconds, hop above 0", arguments=("hop", "start"))
    axes = new_axes(ax, width=8.0, height=3.2)
    stop = start + hop * len(frames)
    if frames.ndim == 1:
        axes.plot(start + hop * (np.arange(len(frames)) + 0.5), frames, color=TARGET, linewidth=1.2)
        axes.set_ylabel("value")
    else:
        valued = np.ma.masked_invalid(frames)  # what is NaN, such as the F0 of a fricative, stays blank
        spread = valued.std(axis=0)
        shown = (valued - valued.mean(axis=0)) / np.where(spread.filled(0) > 0, spread.filled(1), 1.0)
        image = axes.imshow(
            shown.T,
            origin="lower",
            aspect="auto",
            interpolation="none",
            cmap="RdBu_r",
            vmin=-FEATURE_RANGE,
            vmax=FEATURE_RANGE,
            extent=(start, stop, -0.5, frames.shape[1] - 0.5),
        )
        bar = axes.get_figure().colorbar(image, ax=axes, pad=0.02)  # type: ignore[union-attr]
        bar.set_label("standard deviations\nfrom the mean", fontsize=9)
        axes.grid(visible=False)
        axes.set_ylabel("feature")
    axes.set_xlim(start, stop)
    axes.set_xlabel("time (s)")
    draw_segments(axes, marks, title, colour="black")
    return finished(axes, save)


def spectrogram(
    samples: ArrayLike,
    sample_rate: int,
    *,
    start: float = 0.0,
    segments: Segments | None = None,
    tier: str | None = None,
    title: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """Spectrogram: level over time and frequency, from Hann windows of 16 ms.

    Black is 60 dB or more below the highest level, which is the brightest.

    Parameters
    ----------
    samples : (N,) array of float
        One channel of a recording.
    sample_rate : int
        Sample rate in Hz.
    start : float
        Time of the first sample, in s.
    segments : sequence or path, optional
        The segments: tuples (start, end, label) with times in s, objects with these attributes, or the path of a
        TextGrid file.
    tier : str, optional
        Name of the interval tier to draw of a TextGrid; default: the only one that the file has.
    title : str, optional
        Text above the axes.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        One image of levels in dB, and a vertical line for each boundary.

    Raises
    ------
    ShapeError
        The samples are not a vector, or fewer than one window.
    DataError
        A sample is NaN, infinite or not a number, the TextGrid cannot be read, or a segment has no times or no label.
    ConfigError
        The sample rate is not a whole number of Hz, or ``tier`` is given without a TextGrid.

    Examples
    --------
    >>> import numpy as np
    >>> from speechgmm import plots
    >>> ax = plots.spectrogram(np.sin(np.arange(8000)), 8000)
    >>> ax.get_ylabel()
    'frequency (kHz)'
    """
    level, stop = levels(samples, sample_rate, start)
    marks = segments_of(segments, tier)
    # Margins that suit every spectrogram: laying each out anew takes longer than drawing it.
    margins = (0.1, 0.24, 0.96, 0.96) if not (marks or title) else None
    axes = new_axes(ax, height=1.9, margins=margins)
    draw_levels(axes, level, (start, stop), sample_rate)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("frequency (kHz)")
    draw_segments(axes, marks, title, colour="white")
    return finished(axes, save)


def draw_levels(axes: "Axes", level: NDArray[np.float64], times: tuple[float, float], sample_rate: int) -> None:
    """Levels (columns, bins) in dB below the loudest from one time to another (s)."""
    from matplotlib import colormaps

    axes.grid(visible=False)
    axes.imshow(
        level.T,
        origin="lower",
        aspect="auto",
        interpolation="none",
        cmap=colormaps["magma"].resampled(SPECTROGRAM_LEVELS),
        vmin=-SPECTROGRAM_RANGE,
        vmax=0,
        extent=(*times, 0, sample_rate / 2000),
    )


def draw_segments(axes: "Axes", segments: Sequence[tuple[float, float, str]], title: str, colour: str) -> None:
    """A line at each boundary that is in sight, and above the axes the labels that have room there; then the title."""
    low, high = axes.get_xlim()
    edges = {edge for begin, end, _ in segments for edge in (begin, end) if low < edge < high}
    for edge in sorted(edges):
        axes.axvline(edge, color=colour, linewidth=0.9, linestyle="--")
    points = 72 * axes.get_figure().get_figwidth() * axes.get_position().width / (high - low)  # type: ignore[union-attr]
    named = False
    for begin, end, label in segments:
        seen = min(end, high) - max(begin, low)
        if label and seen > 0 and LETTER * len(label) <= points * seen:
            middle = (max(begin, low) + min(end, high)) / 2
            place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
            axes.text(middle, 1.01, printable(label), parse_math=False, fontsize=8, **place)
            named = True
    if title:
        axes.set_title(printable(title), fontsize=10, loc="left", parse_math=False, pad=18 if named else 6)


def levels(
    samples: ArrayLike,
    sample_rate: int,
    start: float = 0.0,
    *,
    window: float = 0.016,
    hops: int = 4,
    n_columns: int = SPECTROGRAM_COLUMNS,
) -> tuple[NDArray[np.float64], float]:
    """Levels (columns, bins) in dB below the loudest, and the time (s) where the last window ends.

    Hann windows of about ``window`` seconds begin ``hops`` times a window's length; of long samples at most
    ``n_columns`` do, evenly spread.

    Raises:
        ConfigError: A rate that is no whole number of Hz, 1 or more.
        DataError: Samples that are NaN, infinite or no numbers.
        ShapeError: Samples that are not a vector, or fewer than a window of them.
    """
    checked_rate(sample_rate, "spectrogram")
    values = numbers(samples, "samples")
    length = 1 << max(5, round(np.log2(window * sample_rate)))
    if values.ndim != 1 or len(values) < length:
        raise ShapeError(f"samples {values.shape}; expected a vector of at least {length} of them, one window")
    if not np.isfinite(values).all():
        raise DataError("samples are NaN or infinite in places; export the recording again")
    hop = max(length // hops, -(-(len(values) - length) // n_columns))
    windows = np.lib.stride_tricks.sliding_window_view(values, length)[::hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(length), axis=1)) ** 2  # (columns, bins)
    level = 10 * np.log10(np.maximum(power, 1e-12 * max(float(power.max()), 1e-30)))
    level = np.maximum(level - level.max(), -SPECTROGRAM_RANGE)
    return level, start + ((len(windows) - 1) * hop + length) / sample_rate
