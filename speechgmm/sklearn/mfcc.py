"""``MFCC``: recordings in, frames or one vector per recording out."""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from functools import reduce
from numbers import Integral
from operator import add
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from speechgmm.errors import DataError, SpeechGMMError
from speechgmm.features.extraction import raw_features
from speechgmm.features.front_end import front_end
from speechgmm.features.kinds import kind_name
from speechgmm.features.normalise import Normalisation, moments, normalisation
from speechgmm.features.spec import FeatureSpec
from speechgmm.io.audio import native_rate, read_recording
from speechgmm.sklearn.base import as_value_errors, check_choice, check_number

Frames = NDArray[np.float32]

SETTINGS: Final = ("preset", "n_ceps", "deltas", "cmvn", "vad", "frame_length", "frame_shift", "n_mels")
"""Parameters that are fields of ``FeatureSpec``."""

PREFIXES: Final = ("", "delta_", "delta2_")


@dataclass(eq=False, repr=False)
class MFCC(TransformerMixin, BaseEstimator):
    """Transforms recordings, given as paths or as samples, to frames of mel-frequency cepstral coefficients.

    Parameters
    ----------
    sample_rate : int, optional
        Sampling rate in Hz; needed for samples. Default: the rate of the first file in ``fit``.
    preset : {"kaldi", "htk", "slaney", "librosa"}
        The program whose front end is reproduced.
    n_ceps : int, default 13
        Cepstra per frame.
    deltas : {0, 1, 2}
        Highest order of the time derivatives that are appended.
    cmvn : {"none", "utterance", "global", "sliding"}
        Normalises each dimension to mean 0 and variance 1: not at all, over each recording, over all recordings of
        ``fit``, or over a window around each frame.
    vad : {"none", "energy", "peak", "gaussians", "webrtc", "silero"}
        Which frames are kept, as in ``FeatureSpec``.
    frame_length, frame_shift : float, optional
        Length of a frame and time between frames, in ms; default: the preset's.
    n_mels : int, optional
        Number of mel bands; default: the preset's.
    spec : FeatureSpec, optional
        All settings of the front end, which may be of another kind than MFCC; replaces the eight parameters from
        ``preset`` to ``n_mels``.
    pooling : {"mean", "mean_std"}, optional
        Give one vector per recording: the mean of its frames, or the mean and the standard deviation. Default: give all
        frames.
    resample : bool, default False
        Whether files with another sampling rate are resampled. If not, they are an error.
    n_jobs : int, optional
        Number of recordings that are read in parallel, as in scikit-learn.

    Attributes
    ----------
    spec_ : FeatureSpec
        The settings of the front end.
    sample_rate_ : int
        Sampling rate in Hz.
    normalisation_ : Normalisation or None
        Shift and scale of each dimension, for ``cmvn="global"``; otherwise None.

    See Also
    --------
    speechgmm.extract : Frames of one recording, without scikit-learn.

    Examples
    --------
    >>> tones = [np.sin(np.arange(8000, dtype=np.float32) * pitch) for pitch in (0.1, 0.2)]
    >>> [frames.shape for frames in MFCC(8000, deltas=1).fit_transform(tones)]
    [(98, 26), (98, 26)]
    >>> pooled = MFCC(8000, n_ceps=2, pooling="mean_std").fit(tones)
    >>> pooled.transform(tones).shape, pooled.get_feature_names_out()
    ((2, 4), array(['mfcc_0_mean', 'mfcc_1_mean', 'mfcc_0_std', 'mfcc_1_std'], dtype=object))
    """

    sample_rate: int | None = None
    _: KW_ONLY
    preset: str = "kaldi"
    n_ceps: int = 13
    deltas: int = 0
    cmvn: str = "none"
    vad: str = "none"
    frame_length: float | None = None
    frame_shift: float | None = None
    n_mels: int | None = None
    spec: FeatureSpec | None = None
    pooling: str | None = None
    resample: bool = False
    n_jobs: int | None = None

    def fit(self, X: Iterable[Any], y: object = None) -> Self:
        """Set up the front end; with ``cmvn="global"`` also compute mean and variance of the recordings' frames.

        Parameters
        ----------
        X : sequence of str, Path, or array_like (N,)
            Recordings: files, or samples in [-1, 1] of one channel.
        y : None
            Ignored.

        Returns
        -------
        MFCC
            Itself.

        Raises
        ------
        ValueError
            A recording or a parameter that cannot be used.
        """
        recordings = _recordings(X)
        with as_value_errors():
            self.spec_ = self._spec()
        if self.pooling is not None:
            check_choice("pooling", self.pooling, ("mean", "mean_std"))
        self.sample_rate_ = self._rate(recordings[0])
        self.normalisation_: Normalisation | None = None
        if self.spec_.cmvn == "global":
            pooled = reduce(add, map(moments, self._frames(recordings)))
            self.normalisation_ = normalisation(pooled, self.spec_.norm_vars)
        with as_value_errors():
            self._n_dims = front_end(self.spec_, self.sample_rate_).n_dims
        return self

    def transform(self, X: Iterable[Any]) -> Any:
        """Frames of recordings, or a vector of each.

        Parameters
        ----------
        X : sequence of str, Path, or array_like (N,)
            Recordings, as in ``fit``.

        Returns
        -------
        list of ndarray (T, D) float32, or ndarray (n, D) or (n, 2 D) float64 with ``pooling``
            T differs between recordings.

        Raises
        ------
        ValueError
            A recording that cannot be used; the message has its path or number.
        """
        check_is_fitted(self)
        self._check_output(get_config()["transform_output"])
        frames = self._frames(_recordings(X))
        if self.normalisation_ is not None:
            frames = [self.normalisation_.apply(one) for one in frames]
        if self.pooling is None:
            return frames
        means = np.array([one.mean(axis=0, dtype=np.float64) for one in frames])
        if self.pooling == "mean":
            return means
        return np.hstack([means, np.array([one.std(axis=0, dtype=np.float64) for one in frames])])

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names (D,) or (2 D,) of the columns; ``input_features`` is ignored: recordings have no columns."""
        check_is_fitted(self)
        kind = kind_name(self.spec_)
        n_static = self._n_dims // (1 + self.spec_.deltas)
        names = [
            f"{prefix}{kind}_{number}" for prefix in PREFIXES[: 1 + self.spec_.deltas] for number in range(n_static)
        ]
        if self.pooling is not None:
            names = [f"{name}_{statistic}" for statistic in self.pooling.split("_") for name in names]
        return np.array(names, dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the container of the result: "default", "pandas" or "polars". The last two need ``pooling``.

        Raises:
            ValueError: "pandas" or "polars" without ``pooling``: the result is then a list of arrays, and no table.
        """
        self._check_output(transform)
        super().set_output(transform=transform)
        return self

    def _check_output(self, container: str | None) -> None:
        if container not in (None, "default") and self.pooling is None:
            raise ValueError(
                f"transform output {container!r} with pooling=None, where the result is a list of arrays of different "
                "length; set pooling to 'mean' or 'mean_std', or leave the output at 'default'"
            )

    def _spec(self) -> FeatureSpec:
        given = {name: getattr(self, name) for name in SETTINGS}
        if self.spec is not None:
            changed = [name for name, value in given.items() if value != MFCC.__dataclass_fields__[name].default]
            if changed:
                raise ValueError(f"{', '.join(changed)} beside spec, which says it all; leave out one or the other")
        found = FeatureSpec(**given) if self.spec is None else self.spec
        if not isinstance(found, FeatureSpec):
            raise ValueError(f"spec is {found!r}; expected a FeatureSpec")
        if found.cmvn == "speaker":
            raise ValueError("cmvn is 'speaker', and a transformer knows no speakers; use 'utterance' or 'global'")
        if found.transform.kind != "none":
            raise ValueError("spec has a transform, which a run learns; leave it out, and use one of scikit-learn")
        return found

    def _rate(self, recording: Any) -> int:
        if self.sample_rate is not None:
            check_number("sample_rate", self.sample_rate, Integral, 1)
            return int(self.sample_rate)
        if not isinstance(recording, (str, Path)):
            raise ValueError("sample_rate is None, and samples do not say their rate; set it, in Hz")
        with as_value_errors():
            return native_rate(Path(recording))

    def _frames(self, recordings: list[Any]) -> list[Frames]:
        found: list[Frames] = Parallel(n_jobs=self.n_jobs)(
            delayed(_frames_of)(number, recording, self.spec_, self.sample_rate_, self.resample)
            for number, recording in enumerate(recordings)
        )
        return found

    def __sklearn_tags__(self) -> Any:
        """Recordings, not rows."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array, tags.input_tags.string = False, True, True
        return tags


def _recordings(X: Iterable[Any]) -> list[Any]:
    if isinstance(X, (str, Path)):
        raise ValueError(f"{str(X)!r} is one path; expected a list of recordings: [path]")
    if getattr(X, "ndim", 1) != 1:
        raise ValueError(
            f"an array of shape {X.shape}; expected a list of recordings, each a path or samples (N,): "  # type: ignore[attr-defined]
            "list(X) if each row is a recording, [X.mean(axis=0)] if they are channels"
        )
    if not isinstance(X, Iterable):
        raise ValueError(f"X is {X!r}; expected a list of recordings, each a path or samples (N,)")
    found = list(X)
    if not found:
        raise ValueError("no recordings; expected at least one")
    if np.asarray(found[0]).ndim == 0 and not isinstance(found[0], (str, Path)):
        raise ValueError(
            f"recording 0 is a {type(found[0]).__name__}; expected a path or samples (N,): [samples] is one"
        )
    return found


def _frames_of(number: int, recording: Any, spec: FeatureSpec, rate: int, resample: bool) -> Frames:
    """Frames (T, D) of one recording, those that are kept."""
    is_path = isinstance(recording, (str, Path))
    try:
        samples = (
            read_recording(Path(recording), sample_rate=rate, resample=resample).samples
            if is_path
            else np.asarray(recording)
        )
        frames, kept = raw_features(spec, samples, rate)
        if kept is not None:
            frames = frames[kept]
        if not len(frames):
            raise DataError("no frame is kept; is it silent, or without voice? Set vad to 'none' or 'peak'")
    except SpeechGMMError as error:
        where = f"{recording}: " if is_path else f"recording {number}: "
        raise ValueError(str(error) if str(error).startswith(where) else where + str(error)) from error
    return normalisation(moments(frames), spec.norm_vars).apply(frames) if spec.cmvn == "utterance" else frames
