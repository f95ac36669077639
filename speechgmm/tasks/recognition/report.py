"""What a report says of recognition: which words (or phones) are confused, deleted and inserted."""

from collections.abc import Sequence
from typing import Final

from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_scores import Row
from speechgmm.errors import counted
from speechgmm.io.run_files import RunFile
from speechgmm.plots import confusion_matrix
from speechgmm.plots.confusion import COUNTS_UP_TO, usual_order
from speechgmm.plots.sources import NOTHING, pair_counts
from speechgmm.report.parts import Picture, Section, Table, percent

PAIRS: Final = 20
UTTERANCES: Final = 20
LABELS_UP_TO: Final = 120
"""Labels up to which the page holds the whole matrix: it grows by their square."""


def recognition(run: RunFolder) -> Section | None:
    """The alignment of references and hypotheses, label by label, and the worst utterances."""
    rows = run.rows(RunFile.PAIRS)
    if not rows:
        return None
    pairs = [(row["reference"] or NOTHING, row["hypothesis"] or NOTHING, int(row["count"])) for row in rows]
    errors = [pair for pair in pairs if pair[0] != pair[1]]
    said = _totals([(a, n) for a, _, n in pairs if a != NOTHING])
    shares = [(a, b, n, percent(n / said[a]) if a in said else NOTHING) for a, b, n in errors[:PAIRS]]
    head = ("reference", "hypothesis", "count", "share of the reference (%)")
    most = Table.of(
        f"Most confused pairs ({len(shares)})" if shares else "Most confused pairs: none",
        head,
        shares,
        text=2,
        folded=False,
    )
    pictures = (_picture(run, pairs),) if len({a for a, *_ in pairs}) <= LABELS_UP_TO else ()
    text = (
        "The reference is aligned with the hypothesis by the fewest errors; "
        f"labels that count as one (recognition.count_as) are one here. {NOTHING} in the hypothesis is a deletion, "
        f"{NOTHING} in the reference an insertion.",
        *_penalty(run),
    )
    tables = (most, _labels(pairs, said), _worst(run.rows(RunFile.HYPOTHESES)))
    return Section("labels", "Confusion matrix", text, tables, pictures)


def _penalty(run: RunFolder) -> tuple[str, ...]:
    """What the insertion penalty was chosen by, where it was."""
    chosen = run.metrics.get("insertion_penalty")
    if chosen is None:
        return ()
    text = (
        f"The insertion penalty is {chosen['penalty']:g} nats. It was chosen on {chosen['n_utterances']} training "
        f"utterances of {counted(chosen['n_groups'], 'group')}, with a recogniser trained on the others, which has an "
        f"error rate of {percent(chosen['error_rate'])} % on them ({percent(chosen['without'])} % at a penalty of 0)."
    )
    return (text,)


def _picture(run: RunFolder, pairs: Sequence[tuple[str, str, int]]) -> Picture:
    labels, counts = pair_counts(pairs)
    hits, n_said = int(counts.trace()), sum(n for a, _, n in pairs if a != NOTHING)
    headline = f"{100 * hits / max(n_said, 1):.1f} % of {n_said} correct"
    caption = "All counts: reference in rows, hypothesis in columns"
    table = Table.of(caption, ("reference \\ hypothesis", *labels), zip(labels, *counts.T, strict=True))
    return Picture.of(
        confusion_matrix(counts, labels, order=usual_order(labels), title=run.name, headline=headline),
        "labels",
        alt=f"Matrix of what {len(labels)} labels are confused with; {headline}. The counts are in the table below it.",
        caption="Rows are the reference, columns the hypothesis; the darker, the larger the share of the row. "
        f"The column {NOTHING} has deletions, the row {NOTHING} insertions.",
        table=table,
        wide=len(labels) > COUNTS_UP_TO,
    )


def _totals(counts: Sequence[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for label, n in counts:
        found[label] = found.get(label, 0) + n
    return found


def _labels(pairs: Sequence[tuple[str, str, int]], said: dict[str, int]) -> Table:
    """Every label, that with most errors first."""
    right = _totals([(a, n) for a, b, n in pairs if a == b])
    left_out = _totals([(a, n) for a, b, n in pairs if b == NOTHING])
    put_in = _totals([(b, n) for a, b, n in pairs if a == NOTHING])
    rows = [
        (
            label,
            n,
            right.get(label, 0),
            n - right.get(label, 0) - left_out.get(label, 0),
            left_out.get(label, 0),
            put_in.get(label, 0),
            percent(right.get(label, 0) / n) if n else NOTHING,
        )
        for label, n in {**dict.fromkeys(put_in, 0), **said}.items()
    ]
    rows.sort(key=lambda row: (-(row[3] + row[4] + row[5]), row[0]))
    head = ("label", "reference", "correct", "substitutions", "deletions", "insertions", "correct (%)")
    return Table.of("Every label, the one with most errors first", head, rows)


def _worst(hypotheses: Sequence[Row]) -> Table:
    """Utterances with the most errors."""
    kinds = ("substitutions", "deletions", "insertions")
    rows = [
        (row["id"], row["reference"], row["hypothesis"], sum(int(row[kind]) for kind in kinds)) for row in hypotheses
    ]
    rows = sorted((row for row in rows if row[3]), key=lambda row: -row[3])[:UTTERANCES]
    caption = f"The {len(rows)} utterances with most errors" if rows else "Utterances with errors: none"
    return Table.of(caption, ("utterance", "reference", "hypothesis", "errors"), rows, text=3)
