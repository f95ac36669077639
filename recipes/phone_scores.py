"""Find planted errors by the scores of an alignment, and count how often its intervals cover labels set by hand.

    python recipes/phone_scores.py FOLDER --timit PLACE
    python recipes/phone_scores.py FOLDER --an4 PLACE

TIMIT: in every fold, HMMs of the phones are trained on its other speakers; its recordings are aligned to the phones of
the labels, without their times, and to texts with planted errors: about every eighth phone replaced by another, every
eighth phone left out, one word in four replaced by a word of another recording, and the text of another recording.
AN4: words by the dictionary; one word in four replaced. Every fifth of the training speakers, in the order of their
names, is tested, the others are trained on.

AUC: the probability that a planted error has a worse score than what was left as it is. Right and left of a planted
error the text is right and its times are not, so that these neighbours count on neither side.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import speechgmm as sg
from speechgmm.corpus.reader_specs import TimitSpec
from speechgmm.corpus.readers.timit import fold_phone, read_timit
from speechgmm.engine.job import prepare
from speechgmm.errors import DataError
from speechgmm.evaluation import auc, interval, pool_trials, within
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser
from speechgmm.tasks.recognition.decoding import RecognisedRecording, align_recordings

EVERY_PHONE, EVERY_WORD = 8, 4
TOLERANCES = (0.010, 0.020, 0.050)  # s

Texts = Mapping[Path, Sequence[str]]


@dataclass
class Items:
    """Scores, lower for errors, of planted errors and of what was left, with the speaker of each."""

    scores: list[float] = field(default_factory=list)
    planted: list[bool] = field(default_factory=list)
    speakers: list[str] = field(default_factory=list)

    def add(self, scores: Sequence[float], planted: Sequence[int], speaker: str) -> None:
        """Of one recording; ``planted`` is 1 for an error, 0 for what was left, -1 for what counts on neither side."""
        for score, kind in zip(scores, planted, strict=True):
            if kind >= 0:
                self.scores.append(score)
                self.planted.append(kind == 1)
                self.speakers.append(speaker)

    def line(self, name: str) -> str:
        """The AUC with its interval over speakers."""
        worse, wrong = -np.array(self.scores), np.array(self.planted)
        order = np.concatenate([np.flatnonzero(wrong), np.flatnonzero(~wrong)])
        trials = pool_trials(worse[wrong], worse[~wrong])
        groups = np.unique(np.array(self.speakers)[order], return_inverse=True)[1]
        bounds = interval(lambda weights: auc(trials, weights), groups)
        value = f"{auc(trials):.3f} (95 %: {bounds.low:.3f} to {bounds.high:.3f})"
        return f"{name}: AUC {value}; {wrong.sum()} errors, {(~wrong).sum()} others, {groups.max() + 1} speakers"


def beside(planted: Sequence[int]) -> list[int]:
    """The same, with -1 for what is right beside an error."""
    padded = [0, *planted, 0]
    return [-1 if one == 0 and 1 in (padded[n], padded[n + 2]) else one for n, one in enumerate(planted)]


def replaced(
    text: Sequence[str], others: Sequence[str], every: int, rng: np.random.Generator
) -> Iterator[tuple[str, int]]:
    """The text with about one label in ``every`` replaced by another of ``others``, and 1 where it was."""
    first = int(rng.integers(every))
    for n, label in enumerate(text):
        wrong = n % every == first
        yield (str(rng.choice([one for one in others if one != label])) if wrong else label), int(wrong)


def aligned(file: RecogniserFile, texts: Texts) -> Iterator[tuple[Path, RecognisedRecording]]:
    """Each recording with its scores; those that cannot be aligned at all are said."""
    found_of = dict(align_recordings(file, texts, scores=True))
    for path in texts:
        found = found_of[path]
        if isinstance(found, DataError):
            print(f"left out: {found}")
        else:
            yield path, found


class Timit:
    """Everything that is counted over the folds."""

    def __init__(self) -> None:
        self.substituted, self.deleted, self.words = Items(), Items(), Items()
        self.errors: list[float] = []
        self.covered: list[bool] = []
        self.widths: list[float] = []
        self.speakers: list[str] = []
        self.fits: dict[str, list[float]] = {"right": [], "another recording's": []}

    def boundaries(self, found: RecognisedRecording, starts: Sequence[float], speaker: str) -> None:
        """How far boundaries are from the labels', and whether the intervals cover them."""
        for one, start in list(zip(found.tiers["words"], starts, strict=True))[1:]:
            assert one.scores is not None
            self.errors.append(abs(one.start - start))
            self.covered.append(one.scores.start_low <= start <= one.scores.start_high)
            self.widths.append(one.scores.start_high - one.scores.start_low)
            self.speakers.append(speaker)

    def report(self) -> None:
        """Print it."""
        errors, groups = np.array(self.errors), np.unique(self.speakers, return_inverse=True)[1]
        print(f"{len(errors)} boundaries: mean absolute error {1000 * errors.mean():.1f} ms")
        shares = {f"within {1000 * limit:.0f} ms": errors <= limit + 1e-9 for limit in TOLERANCES}
        for name, inside in {**shares, "covered by the intervals": np.array(self.covered)}.items():
            bounds = interval(within(1.0 - inside, 0.5), groups)
            print(f"  {name}: {inside.mean():.1%} (95 %: {bounds.low:.1%} to {bounds.high:.1%})")
        print(
            f"  intervals: {1000 * np.mean(self.widths):.0f} ms on average, median {1000 * np.median(self.widths):.0f}"
        )
        print(self.substituted.line("substituted phones, by gop"))
        print(self.deleted.line("missing phones, by missing"))
        print(self.words.line("wrong words, by gop"))
        misfits(self.fits)


def misfits(fits: Mapping[str, Sequence[float]]) -> None:
    """Print how often a text is taken for one that does not fit."""
    for name, values in fits.items():
        said = np.array(values)
        print(f"fit of {name} text: {said.min():.2f} to {said.max():.2f}; refused {(said < 0).sum()} of {len(said)}")


def timit(root: Path, folder: Path, config: str, overrides: list[str], seed: int) -> None:
    """Train the folds, and test each on what it has not heard."""
    rows = ["path\tid\tstart\tend\tphone\tspeaker"]
    labelled: dict[Path, list[tuple[str, float, float]]] = {}
    for u in read_timit(root.absolute(), "phone", TimitSpec(phones=61)):
        phone = "sh" if u.label("phone") == "zh" else fold_phone(u.label("phone"), 48) or u.label("phone")
        rows.append(f"{u.path.relative_to(root.absolute())}\t{u.id}\t{u.start}\t{u.end}\t{phone}\t{u.label('speaker')}")
        labelled.setdefault(u.path, []).append((phone, u.start or 0.0, u.end or 0.0))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.tsv").write_text("\n".join(rows) + "\n")
    overrides = [f"corpus.path={folder.absolute() / 'manifest.tsv'}", f"corpus.root={root.absolute()}", *overrides]
    sg.run(config, overrides, output=folder / "run", until="train")
    job, counted, rng = prepare(config, overrides), Timit(), np.random.default_rng(seed)
    for fold in job.folds:
        tested = fold.apply(job.corpus).split("test")
        speakers = {u.path: u.label("speaker") for u in tested}
        file = read_recogniser(folder / "run" / "folds" / fold.name / "models.safetensors")
        texts = {path: [phone for phone, *_ in labelled[path]] for path in speakers}
        for path, found in aligned(file, texts):
            counted.boundaries(found, [start for _, start, _ in labelled[path]], speakers[path])
            counted.fits["right"].append(found.fit or 0.0)
        plant_phones(file, texts, speakers, counted, rng)
        plant_words(file, {path: labelled[path] for path in speakers}, speakers, counted, rng)
        others = dict(zip(texts, [*list(texts.values())[5:], *list(texts.values())[:5]], strict=True))
        counted.fits["another recording's"] += [found.fit or 0.0 for _, found in aligned(file, others)]
    counted.report()


def plant_phones(
    file: RecogniserFile, texts: Texts, speakers: Mapping[Path, str], counted: Timit, rng: np.random.Generator
) -> None:
    """Align texts with phones that were replaced, and with phones that were left out."""
    phones = [unit for unit in file.recogniser.units.labels if unit != "sil"]
    wrong = {path: list(replaced(text, phones, EVERY_PHONE, rng)) for path, text in texts.items()}
    for path, found in aligned(file, {path: [phone for phone, _ in text] for path, text in wrong.items()}):
        gops = [one.scores.gop for one in found.tiers["words"] if one.scores]
        counted.substituted.add(gops, beside([planted for _, planted in wrong[path]]), speakers[path])
    first = {path: 1 + int(rng.integers(EVERY_PHONE)) for path in texts}
    left = {
        path: [(phone, n) for n, phone in enumerate(text) if n % EVERY_PHONE != first[path] % EVERY_PHONE or n == 0]
        for path, text in texts.items()
    }
    for path, found in aligned(file, {path: [phone for phone, _ in text] for path, text in left.items()}):
        gains = [-one.scores.missing for one in found.tiers["words"] if one.scores]
        numbers = [n for _, n in left[path]]
        gaps = [int(after > before + 1) for before, after in zip(numbers, [*numbers[1:], numbers[-1] + 1], strict=True)]
        counted.deleted.add(gains, beside(gaps), speakers[path])


def plant_words(
    file: RecogniserFile,
    labelled: Mapping[Path, Sequence[tuple[str, float, float]]],
    speakers: Mapping[Path, str],
    counted: Timit,
    rng: np.random.Generator,
) -> None:
    """Align texts in which words were replaced by others; what is of no word, such as silence, stands for itself."""
    lexicon: dict[str, tuple[tuple[str, ...], ...]] = {}
    texts: dict[Path, list[str]] = {}
    for path, phones in labelled.items():
        words = [line.split() for line in path.with_suffix(".wrd").read_text().splitlines()]
        ends = [float(end) / 16000 for _, end, _ in words]
        starts = [float(start) / 16000 for start, _, _ in words]
        texts[path] = []
        for phone, start, end in phones:
            inside = [w for w in range(len(words)) if starts[w] <= (start + end) / 2 < ends[w]]
            name = f"{path.parent.name}/{path.stem}:{words[inside[0]][2]}:{inside[0]}" if inside else f"<{phone}>"
            if inside and texts[path] and texts[path][-1] == name:
                lexicon[name] = ((*lexicon[name][0], phone),)
            else:
                lexicon[name] = ((phone,),)
                texts[path].append(name)
    names = sorted(name for name in lexicon if not name.startswith("<"))
    planted: dict[Path, list[int]] = {}
    for path, text in texts.items():
        spoken = [n for n, name in enumerate(text) if not name.startswith("<")]
        planted[path] = [0] * len(text)
        for n in spoken[int(rng.integers(EVERY_WORD)) :: EVERY_WORD]:
            others = [one for one in names if lexicon[one] != lexicon[text[n]]]
            text[n], planted[path][n] = str(rng.choice(others)), 1
    known = replace(file.recogniser, lexicon={**file.recogniser.lexicon, **lexicon})
    for path, found in aligned(replace(file, recogniser=known), texts):
        marks = beside(planted[path])
        kinds = [-1 if name.startswith("<") else kind for name, kind in zip(texts[path], marks, strict=True)]
        counted.words.add([one.scores.gop for one in found.tiers["words"] if one.scores], kinds, speakers[path])


def an4(root: Path, folder: Path, config: str, overrides: list[str], seed: int) -> None:
    """Train on four fifths of the speakers, and plant wrong words in the texts of the others."""
    overrides = [
        f"corpus.root={root.absolute()}",
        f"recognition.dictionary={root.absolute() / 'etc' / 'an4.dic'}",
        *overrides,
    ]
    corpus = prepare(config, overrides).corpus
    tested = sorted({u.label("speaker") for u in corpus})[::5]
    rows = ["path\ttext\tspeaker\tsplit"]
    for u in corpus:
        split = "test" if u.label("speaker") in tested else "train"
        rows.append(f"{u.path.relative_to(root.absolute())}\t{u.label('text')}\t{u.label('speaker')}\t{split}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "an4.tsv").write_text("\n".join(rows) + "\n")
    manifest = ["corpus.kind=manifest", f"corpus.path={folder.absolute() / 'an4.tsv'}", "corpus.split.kind=column"]
    sg.run(config, [*overrides, *manifest], output=folder / "an4", until="train")
    file, rng, items = read_recogniser(folder / "an4" / "models.safetensors"), np.random.default_rng(seed), Items()
    speakers = {u.path: u.label("speaker") for u in corpus if u.label("speaker") in tested}
    texts = {u.path: u.label("text").split() for u in corpus if u.path in speakers}
    words, fits = sorted({word for text in texts.values() for word in text}), {}
    wrong = {path: list(replaced(text, words, EVERY_WORD, rng)) for path, text in texts.items()}
    for path, found in aligned(file, {path: [word for word, _ in text] for path, text in wrong.items()}):
        gops = [one.scores.gop for one in found.tiers["words"] if one.scores]
        items.add(gops, beside([planted for _, planted in wrong[path]]), speakers[path])
    fits["right"] = [found.fit or 0.0 for _, found in aligned(file, texts)]
    others = dict(zip(texts, [*list(texts.values())[7:], *list(texts.values())[:7]], strict=True))
    same = {path for path in texts if texts[path] == others[path]}
    fits["another recording's"] = [found.fit or 0.0 for path, found in aligned(file, others) if path not in same]
    print(items.line("wrong words, by gop"))
    misfits(fits)


def main(
    folder: Path,
    timit_root: Annotated[Path | None, typer.Option("--timit")] = None,
    an4_root: Annotated[Path | None, typer.Option("--an4")] = None,
    set: list[str] | None = None,
    seed: int = 0,
) -> None:
    """Measure on TIMIT, on AN4, or on both."""
    if timit_root is not None:
        timit(timit_root, folder, "configs/timit-alignment.yaml", set or [], seed)
    if an4_root is not None:
        an4(an4_root, folder, "configs/an4-monophones.yaml", set or [], seed)


if __name__ == "__main__":
    typer.run(main)
