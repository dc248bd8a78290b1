"""The chapter on review in the report on failure detection: what following the queue saves, by both rules for lights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..case_result import Light
from ..evaluation.plots import DOTS_PER_INCH
from ..evaluation.tables import CaseScores
from ..output.files import whole_file
from .judging import CALIBRATED_RULE, PAPER_RULE, Judged, Thresholds
from .review_plots import plot_review
from .review_saving import RatedRow, ReviewSaving, saving_sentences, simulate_review

PICTURE = "quality_review.png"


def write_review_report(
    folder: Path, card: str, cases: Sequence[CaseScores], judged: Sequence[Judged], thresholds: Thresholds
) -> None:
    """Add the chapter to the Markdown file `card` of `folder`, and its figure.

    `judged` are the segments of `cases` that were found, `thresholds` as in `simulate_review`.
    """
    savings = {rule: review_by(rule, cases, judged, thresholds) for rule in (CALIBRATED_RULE, PAPER_RULE)}
    with whole_file(folder / PICTURE, ".png") as path:
        plot_review(savings[CALIBRATED_RULE]).savefig(path, dpi=DOTS_PER_INCH)
    text = (folder / card).read_text(encoding="utf-8").rstrip()
    with whole_file(folder / card, ".md") as path:
        path.write_text("\n".join([text, "", *_chapter(savings)]) + "\n", encoding="utf-8")


def review_by(rule: str, cases: Sequence[CaseScores], judged: Sequence[Judged], thresholds: Thresholds) -> ReviewSaving:
    """The simulated review of the cases by the lights of `CALIBRATED_RULE` or `PAPER_RULE`.

    The paper's rule knows no probability of failure.
    """
    judged_by_key = {
        (judgement.observation.patient, judgement.observation.abbreviation, judgement.observation.side): judgement
        for judgement in judged
    }
    rated = []
    for case in cases:
        rows = []
        for row in case.rows:
            judgement = judged_by_key.get((case.name, row.segment.structure.abbreviation, row.segment.side.value))
            light = judgement.light_by(rule) if judgement else Light.GREY
            probability = (
                judgement.estimate.failure_probability if judgement and judgement.estimate and rule == CALIBRATED_RULE else None
            )
            rows.append(RatedRow(row, light, probability))
        rated.append(rows)
    return simulate_review(rated, thresholds)


def _chapter(savings: Mapping[str, ReviewSaving]) -> list[str]:
    lines = [
        "## Review",
        "",
        "A simulated reviewer looks at what the queue flags, and recognises every error that is looked at.",
        "",
        "| Rule | Flagged | Errors found | Failed found | Errors left | Minutes of looking per case | of them saved |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for rule, saving in savings.items():
        cells = [
            f"{saving.flagged} of {saving.looks}",
            f"{saving.wrong_found} of {saving.wrong}",
            f"{saving.failed_found} of {saving.failed}",
            str(saving.wrong - saving.wrong_found),
            f"{saving.looking_flagged:.1f}",
            f"{saving.saved:.1f}",
        ]
        lines.append(f"| {' | '.join([rule, *cells])} |")
    return [*lines, "", " ".join(saving_sentences(savings[CALIBRATED_RULE])), "", f"![Review]({PICTURE})"]
