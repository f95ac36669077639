"""What the file of a recogniser holds, for a person."""

from collections.abc import Iterator
from pathlib import Path

from speechgmm.errors import first_few
from speechgmm.hmm import Bigram, Network
from speechgmm.tasks.recognition.codec import read_recogniser

UNITS_SHOWN = 30


def describe(path: Path) -> Iterator[str]:
    """Units, words and language of a recogniser."""
    file = read_recogniser(path)
    found = file.recogniser
    units, models = found.units, found.units.emissions
    n_components, n_dims = sum(model.n_components for model in models), models[0].n_features
    yield f"{path}: a recogniser of {len(units.labels)} units ({file.label}): {first_few(units.labels, UNITS_SHOWN)}"
    yield f"{units.n_states} states, {n_components} Gaussians of {n_dims} features"
    if units.tied is not None:
        n_split = sum(len(tree.nodes) > 1 for tree in units.tied.trees)
        yield (
            f"{len(units.emissions)} tied states of triphones: {n_split} of {units.n_states} states of units depend on "
            "the neighbours in a word"
        )
    yield f"{len(found.lexicon)} words; {_language(found.language)}"
    if found.silence is not None:
        yield f"{found.silence!r} may stand between words, with probability {found.silence_probability:g}"
    adaptation = found.adaptation
    if adaptation is not None:
        yield f"adapts to speakers (fMLLR, a prior of {adaptation.prior:g} frames, {adaptation.rounds} rounds)"
        if adaptation.emissions is not None:
            n_adapted = sum(model.n_components for model in adaptation.emissions)
            yield f"{n_adapted} Gaussians of transformed frames (speaker-adaptive training)"


def _language(language: Bigram | Network) -> str:
    if isinstance(language, Bigram):
        return f"a bigram over {len(language.labels)} of them"
    return f"a network of {language.n_states} states and {len(language.arcs)} arcs over {len(language.words)} of them"
