"""What a person sees of a corpus that was aligned: where the results are, and what to listen to first."""

from pathlib import Path

from speechgmm.engine.console import Console
from speechgmm.report.text import duration, shown
from speechgmm.tasks.recognition.alignment_settings import AlignmentChoices, alignment_experiment
from speechgmm.tasks.recognition.corpus_alignment import ALIGNED, align_corpus


def align_and_print(corpus: Path, choices: AlignmentChoices, *, out: Path | None, form: str | None, quiet: bool) -> int:
    """Train on a corpus, align it, and print where the results are; returns how many utterances failed.

    Raises as `alignment_experiment` and `align_corpus`.
    """
    experiment = alignment_experiment(corpus, choices)
    found = align_corpus(experiment, output=out, form=form or "textgrid", console=Console(quiet=quiet))
    folder = shown(found.folder)
    print(
        f"{found.n_utterances} utterances of {found.n_recordings} recordings, {duration(found.seconds)}: "
        f"{folder}/{ALIGNED}\nworst first: {folder}/utterances.tsv, {folder}/outliers.tsv\n"
        f"next: align a new recording: speechgmm align {folder} RECORDING --text WORDS"
    )
    return len(found.failed)
