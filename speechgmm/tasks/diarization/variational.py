"""Who speaks when by VBx over windows of a recording: the speaker space is the two-covariance model that it needs."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.clustering.vbx import VbxSpec, vbx
from speechgmm.tasks.diarization.models import Diarizer, frame_labels, merged_pieces, windows_heard


def variational_labels(diarizer: Diarizer, frames: ArrayLike, speech: ArrayLike, spec: VbxSpec) -> NDArray[np.intp]:
    """The speaker of each frame of speech (n,), numbered in the order of their first turns.

    VBx begins with the clusters that merging begins with (``first`` of the search), and finds the number of speakers.

    Args:
        diarizer: What was learnt.
        frames: (T, D) of the whole recording.
        speech: (T,) which of them are speech.
        spec: Settings of VBx.

    Raises:
        DataError: No frame is speech.
        ShapeError: Frames that do not fit the model.
    """
    heard = windows_heard(diarizer, frames, speech)
    start = merged_pieces(diarizer, heard, diarizer.spec.first)
    labels = vbx(heard.points, diarizer.space.between, start, spec).labels
    return frame_labels(heard, labels, diarizer.spec.block)
