"""What a model card says, for a person: lines for the terminal, and the page ``MODEL_CARD.md``."""

from collections.abc import Iterator
from typing import Final

from speechgmm.errors import counted
from speechgmm.evaluation.metric import shown_name
from speechgmm.io.model_card import CardData, CardMetric, ModelCard

NO_CARD: Final = "model card: none; a version before 0.2.0 wrote this file"


def card_sections(card: ModelCard) -> Iterator[tuple[str, list[str]]]:
    """What a card says to a person: headings, each with its lines. What nobody said has no heading."""
    made = f"{card.made_by}, speechgmm {card.version}"
    about = [f"task: {card.task}"] if card.task else []
    about += [f"fold: {card.fold}"] if card.fold else []
    yield "Model", [*about, f"made by: {made}"]
    if card.text.intended_use:
        yield "Intended use", card.text.intended_use.splitlines()
    if card.data or card.labels:
        labels = [f"labels ({card.label}): {_named(card)}"] if card.labels else []
        known = [f"hash of recordings, labels and splits: {card.data_hash}"] if card.data_hash else []
        yield "Data", [*(_counts(part) for part in card.data), *labels, *known]
    if card.protocol:
        yield "Protocol", [card.protocol]
    if card.metrics:
        yield "Metrics", [_metric(name, metric) for name, metric in card.metrics.items()]
    elif card.data:
        yield "Metrics", ["none: these models were not tested"]
    if card.settings:
        yield "Settings other than the defaults", [f"{key}: {value}" for key, value in card.settings.items()]
    if card.text.licence:
        yield "Licence", card.text.licence.splitlines()
    if card.text.notes:
        yield "Notes", card.text.notes.splitlines()
    if card.changes:
        yield "Changes since the metrics were measured", list(card.changes)


def card_lines(card: ModelCard | None) -> Iterator[str]:
    """A card for the terminal."""
    if card is None:
        yield NO_CARD
        return
    yield "model card"
    for heading, lines in card_sections(card):
        yield f"  {heading}"
        yield from (f"    {line}" for line in lines)


def card_page(card: ModelCard) -> str:
    """``MODEL_CARD.md``."""
    parts = ["# Model card"]
    for heading, lines in card_sections(card):
        parts.append(f"## {heading}\n\n" + "\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts) + "\n"


def _named(card: ModelCard) -> str:
    n_labels = max((part.n_labels or 0 for part in card.data), default=len(card.labels))
    more = n_labels - len(card.labels)
    return ", ".join(card.labels) + (f" and {more} more" if more > 0 else "")


def _counts(part: CardData) -> str:
    labels = "" if part.n_labels is None else f", {counted(part.n_labels, 'label')}"
    groups = "" if part.n_groups is None else f", {counted(part.n_groups, 'group')}"
    length = f"{part.seconds / 3600:.2f} h" if part.seconds >= 360 else f"{part.seconds:g} s"
    return f"{part.split}: {counted(part.utterances, 'utterance')}, {length}{labels}{groups}"


def _metric(name: str, metric: CardMetric) -> str:
    def number(value: float | None) -> str:
        if value is None:
            return "not finite"
        return f"{100 * value:.1f} %" if metric.unit == "fraction" else f"{value:.3f} {metric.unit}".rstrip()

    interval = ""
    if metric.low is not None:
        by = "" if metric.n_groups is None else f" of {counted(metric.n_groups, 'group')}"
        interval = f" (95 % interval {number(metric.low)} to {number(metric.high)}, {metric.interval}{by})"
    note = f"; {metric.note}" if metric.note else ""
    return f"{shown_name(name)}: {number(metric.value)}, n = {metric.n}{interval}{note}"
