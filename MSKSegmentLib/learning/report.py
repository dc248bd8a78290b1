"""The report of a learning: ``learn.md``, ``learn.csv`` (a row per segment) and ``learn.png``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import RESEARCH_USE_ONLY, __version__
from ..evaluation.plots import STYLES, new_figure
from ..output.files import whole_file
from .comparison import INTERVAL_COVERAGE, JudgedGroup, LearningOutcome, PairedMean
from .corrections import KnownKind
from .gathering import Gathered, known_table

LEARN_CARD, LEARN_TABLE, LEARN_FIGURE = "learn.md", "learn.csv", "learn.png"


@dataclass(frozen=True)
class LearningStory:
    """What the report tells beside the comparison: the bundles in words, how it was trained, and what became of the lights."""

    old: str
    new: str
    training: str
    rehearsal: str
    lights: str
    passes: int


def write_learning_report(
    folder: Path, gathered: Gathered, held_out: Sequence[str], outcome: LearningOutcome, story: LearningStory
) -> None:
    """Write the three files; earlier ones are replaced.

    Raises:
        InputError: they cannot be written.
    """
    for name, text in ((LEARN_TABLE, _table(outcome)), (LEARN_CARD, learning_card(gathered, held_out, outcome, story))):
        with whole_file(folder / name, Path(name).suffix) as path:
            path.write_text(text, encoding="utf-8", newline="")
    with whole_file(folder / LEARN_FIGURE, ".png") as path:
        _draw(outcome, path)


def learning_card(gathered: Gathered, held_out: Sequence[str], outcome: LearningOutcome, story: LearningStory) -> str:
    """The report as Markdown."""
    verdict = (
        "**Published:** nothing below speaks against the new bundle."
        if not outcome.reasons
        else "**Not published:** " + "; ".join(outcome.reasons) + "."
    )
    learned = [name for name in gathered.names if name not in held_out]
    lines = [
        f"# Learning from corrections: {story.new}",
        "",
        f"**{RESEARCH_USE_ONLY}** MSKSegment {__version__}. Before: {story.old}.",
        "",
        verdict,
        "",
        f"- Learned from {len(learned)} patients, judged on {len(held_out)} others; no patient is in both parts.",
        f"- Training: {story.training}.",
        f"- Rehearsal: {story.rehearsal}.",
        f"- Lights: {story.lights}.",
        "",
        "## Old and new bundle on patients held out",
        "",
        f"Dice coefficient, mean over patients (each the mean of its segments), {story.passes} dropout passes, the same seed. "
        f"Intervals: {INTERVAL_COVERAGE:.0%}, paired bootstrap over patients; with few patients it is narrower than it should be.",
        "",
        "| | patients | segments | before | after | difference | interval |",
        "|---|--:|--:|--:|--:|--:|---|",
        *(_row(group.value, mean) for group, mean in outcome.groups.items()),
        "",
        "Where a drawing of a network was accepted unchanged, it is the truth: that favours the network that drew it.",
        "",
        "## By structure",
        "",
        "| structure, patients | n | segments | before | after | difference | interval |",
        "|---|--:|--:|--:|--:|--:|---|",
        *(_row(f"{name}, {group.value}", mean) for (group, name), mean in outcome.structures.items()),
        "",
        "## What was known",
        "",
        "Patients in whom a structure was known, on either side.",
        "",
        f"| structure | {' | '.join(kind.value for kind in KnownKind)} | patients |",
        "|---|" + "--:|" * (len(KnownKind) + 1),
        *(
            f"| {name} | {' | '.join(str(counts[kind]) for kind in KnownKind)} | {patients} |"
            for name, counts, patients in known_table(gathered)
        ),
        "",
        *(f"- {line}" for line in gathered.left_out),
    ]
    return "\n".join(lines).rstrip() + "\n"


def comparison_lines(outcome: LearningOutcome) -> list[str]:
    """The comparison in a line per group, for a terminal."""
    return [
        f"{group.value}: Dice {mean.before:.3f} -> {mean.after:.3f} ({_interval(mean)}), {mean.segments} segments of "
        f"{mean.patients} patients"
        for group, mean in outcome.groups.items()
    ]


def _row(name: str, mean: PairedMean) -> str:
    cells = (mean.patients, mean.segments, f"{mean.before:.3f}", f"{mean.after:.3f}", f"{mean.difference:+.3f}", _interval(mean))
    return f"| {name} | {' | '.join(map(str, cells))} |"


def _interval(mean: PairedMean) -> str:
    return "no interval" if mean.interval is None else "{:+.3f} to {:+.3f}".format(*mean.interval)


def _table(outcome: LearningOutcome) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("group", "patient", "abbreviation", "side", "dice_before", "dice_after", "difference"))
    for pair in outcome.pairs:
        numbers = (pair.before, pair.after, pair.after - pair.before)
        writer.writerow((pair.group.value, pair.patient, pair.abbreviation, pair.side, *(f"{number:.6g}" for number in numbers)))
    return text.getvalue()


def _draw(outcome: LearningOutcome, path: Path) -> None:
    """The change of each segment, a panel per group, structures from top to bottom."""
    groups = list(outcome.groups)
    most = max(sum(1 for found, _ in outcome.structures if found is group) for group in groups) if groups else 1
    figure, panels = new_figure(4.2 * max(1, len(groups)), 1.4 + 0.24 * most, max(1, len(groups)))
    for axes, group in zip(panels, groups, strict=False):
        names = [name for found, name in outcome.structures if found is group]
        color = STYLES[1 + list(JudgedGroup).index(group)][0]
        for place, name in enumerate(names):
            changes = [p.after - p.before for p in outcome.pairs if p.group is group and p.abbreviation == name]
            axes.plot(changes, [place] * len(changes), "o", color=color, markersize=3, alpha=0.6)
            axes.plot([outcome.structures[group, name].difference], [place], "|", color="black", markersize=9)
        axes.axvline(0, color="#6b6b6b", linewidth=0.8)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_title(group.value)
        axes.set_xlabel("change of the Dice coefficient")
    figure.savefig(path, dpi=150)
