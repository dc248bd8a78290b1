"""``quality.md``: the performance of failure detection, in tables for a model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..case_result import Light
from ..quality.calibration import Calibration
from .judging import CALIBRATED_RULE, PAPER_RULE, Judged, lights_table
from .report_measures import JUDGES, MEAN, POOLED, WITHIN, Measure, by_structure

REFERENCE_SCORE = "mean_variance"
MOST_WRONG_GREENS = 30
_NAMES = {
    CALIBRATED_RULE: "**all evidence (this software)**",
    PAPER_RULE: "paper's rule (line through mean variance)",
    "mean_variance": "mean variance (the paper's score)",
}

Table = Mapping[tuple[str, str, str], Measure]


def quality_markdown(
    judged: Sequence[Judged], measures: Sequence[Measure], calibration: Calibration, what: str, missed: int
) -> str:
    """The report; `what` says in a sentence what was judged, `missed` how many segments were not found and have no light."""
    table = {(measure.measure, measure.judge, measure.structure): measure for measure in measures}
    lines = [
        "# Failure detection",
        "",
        what + ". " + _counts(judged, calibration, missed),
        "",
        "## How well scores rank segments by their error",
        "",
        *_ranking(table),
        "",
        "AUROC with the 95 % bootstrap interval over patients. Pooled: all structures together, rules by how far below the "
        "structure's threshold they predict Dice. Within: pairs of the same structure only. Mean: over the structures that have "
        "both kinds. r and rho: Pearson's and Spearman's correlation with 1 - Dice. AURC: area under the risk-coverage curve of "
        f"1 - Dice, smaller is better (with Dice known {_number(table, 'aurc', 'oracle', POOLED, 4)}, with nothing known "
        f"{_number(table, 'aurc', 'no rule', POOLED, 4)}).",
        "",
        "![ROC](quality_roc.png) ![Risk-coverage](quality_risk_coverage.png)",
        "",
        "## Lights",
        "",
        *lights_table(judged),
        "",
        *_light_sentences(table),
        "",
        "## Prediction and intervals",
        "",
        *_intervals(table, calibration),
        "",
        "![Calibration](quality_calibration.png)",
        "",
        "## Structures",
        "",
        *_structures(judged, table),
        "",
        "![Dice against uncertainty](quality_dice_uncertainty.png)",
        "![Dice against predicted Dice](quality_dice_predicted.png)",
        "",
        *_conditions(judged),
        *_wrong_greens(judged),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _counts(judged: Sequence[Judged], calibration: Calibration, missed: int) -> str:
    rated = [segment for segment in judged if segment.inaccurate is not None]
    patients = len({segment.observation.patient for segment in judged})
    inaccurate, failed = sum(bool(segment.inaccurate) for segment in rated), sum(bool(segment.failed) for segment in rated)
    false = sum(segment.observation.volume_ratio is None for segment in judged)
    rests = "no rule from all evidence"
    if calibration.model is not None:
        rests = f"{calibration.model.patients} patients with {calibration.model.segments} segments"
    return (
        f"{patients} patients, {len(judged)} segments, {inaccurate} of them inaccurate (Dice below median - 2 x 1.4826 MAD of "
        f"ordinary calibration cases) and {failed} failed (- 3 x). {false} segments were called where the truth has none (Dice 0); "
        f"{missed} of the truth were missed altogether and get no light. Calibration of {calibration.date}: {rests}."
    )


def _ranking(table: Table) -> list[str]:
    head = "| Score | n | inaccurate, pooled | within | mean | failed, pooled | within | mean | r | rho | AURC | gain |"
    lines = [head, "|---|" + "---:|" * (head.count("|") - 2)]
    reference = table.get(("auroc_inaccurate", REFERENCE_SCORE, WITHIN))
    for judge in JUDGES:
        pooled = table.get(("auroc_inaccurate", judge, POOLED))
        if pooled is None or pooled.value is None:
            continue
        cells = [_NAMES.get(judge, judge.replace("_", " ")), str(pooled.n)]
        for target in ("inaccurate", "failed"):
            cells += [_area(table.get((f"auroc_{target}", judge, name))) for name in (POOLED, WITHIN)]
            cells.append(_number(table, f"auroc_{target}", judge, MEAN, 3))
        for measure, digits in (("pearson", 2), ("spearman", 2), ("aurc", 4)):
            cells.append(_number(table, measure, judge, POOLED, digits))
        within = table[("auroc_inaccurate", judge, WITHIN)].value
        is_comparable = reference is not None and reference.value is not None and within is not None
        cells.append(f"{within - reference.value:+.3f}" if is_comparable and reference and reference.value and within else "-")
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "Gain: AUROC for inaccurate within structures, minus that of the paper's score."]
    return lines


def _light_sentences(table: Table) -> list[str]:
    lines = []
    for rule in (CALIBRATED_RULE, PAPER_RULE):
        parts = []
        for measure, words in (
            ("wrong_greens", "green lights on inaccurate segments"),
            ("greens_below_0.80", "green lights on segments with Dice below 0.80"),
            ("needless_reds", "red lights on segments that are not inaccurate"),
            ("needless_flags", "segments that are not inaccurate, yellow or red all the same"),
            ("grey", "segments without a light (cut by the field of view, or uncalibrated)"),
        ):
            found = table[(measure, rule, POOLED)]
            parts.append(f"{words}: {_share(found)}")
        lines.append(f"- By {rule}: {'; '.join(parts)}.")
    return lines


def _intervals(table: Table, calibration: Calibration) -> list[str]:
    covered = calibration.model.covered if calibration.model else {}
    lines = ["| 90 % interval | n | holds the truth | median width | at calibration, left out |", "|---|---:|---:|---:|---:|"]
    for quantity, words, digits, unit in (
        ("dice", "Dice", 3, ""),
        ("volume", "volume", 2, " of the measured"),
        ("mean_hu", "mean HU", 1, " HU"),
    ):
        found, width = (
            table[(f"coverage_{quantity}", CALIBRATED_RULE, POOLED)],
            table[(f"width_{quantity}", CALIBRATED_RULE, POOLED)].value,
        )
        before = covered.get(quantity)
        cells = [words, str(found.n), "-" if found.value is None else f"{found.value:.1%}"]
        cells.append("-" if width is None else f"{width:.{digits}f}{unit}")
        cells.append("-" if before is None else f"{before:.1%}")
        lines.append(f"| {' | '.join(cells)} |")
    errors = [
        f"by {rule} {_number(table, 'dice_mae', rule, POOLED, 3)} (bias {_number(table, 'dice_bias', rule, POOLED, 3, '+')})"
        for rule in (CALIBRATED_RULE, PAPER_RULE)
    ]
    return [*lines, "", f"Mean absolute error of predicted Dice: {', '.join(errors)}."]


def _structures(judged: Sequence[Judged], table: Table) -> list[str]:
    head = (
        "| Structure | n | inaccurate | failed | AUROC inaccurate | by paper's rule | AUROC failed | by paper's rule "
        "| wrong greens | by paper's rule | needless reds | holds Dice | volume | HU |"
    )
    lines = [head, "|---|" + "---:|" * (head.count("|") - 2)]
    for name, chosen in by_structure(judged).items():
        counts = len(chosen), sum(bool(segment.inaccurate) for segment in chosen), sum(bool(segment.failed) for segment in chosen)
        cells = [name, *map(str, counts)]
        for target in ("inaccurate", "failed"):
            cells += [_area(table.get((f"auroc_{target}", rule, name))) for rule in (CALIBRATED_RULE, PAPER_RULE)]
        cells += [_events(table[("wrong_greens", rule, name)]) for rule in (CALIBRATED_RULE, PAPER_RULE)]
        cells.append(_events(table[("needless_reds", CALIBRATED_RULE, name)]))
        for quantity in ("dice", "volume", "mean_hu"):
            share = table[(f"coverage_{quantity}", CALIBRATED_RULE, name)].value
            cells.append("-" if share is None else f"{share:.0%}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _conditions(judged: Sequence[Judged]) -> list[str]:
    """The results by stress condition; empty where no condition is stated."""
    kinds = sorted({segment.observation.condition for segment in judged})
    if kinds in ([], [""]):
        return []
    lines = [
        "## By what was done to the patient",
        "",
        "| Kind | patients | segments | inaccurate | green | wrong | red | needless | grey |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind in kinds:
        chosen = [segment for segment in judged if segment.observation.condition == kind]
        lit = {light: [segment for segment in chosen if segment.light is light] for light in Light}
        counts = [
            len({segment.observation.patient for segment in chosen}),
            len(chosen),
            sum(bool(segment.inaccurate) for segment in chosen),
            len(lit[Light.GREEN]),
            sum(bool(segment.inaccurate) for segment in lit[Light.GREEN]),
            len(lit[Light.RED]),
            sum(segment.inaccurate is False for segment in lit[Light.RED]),
            len(lit[Light.GREY]),
        ]
        lines.append(f"| {kind or 'not said'} | {' | '.join(map(str, counts))} |")
    return [*lines, ""]


def _wrong_greens(judged: Sequence[Judged]) -> list[str]:
    """Every green light on an inaccurate segment, worst first."""
    wrong = sorted(
        (segment for segment in judged if segment.inaccurate and segment.light is Light.GREEN),
        key=lambda segment: segment.observation.dice,
    )
    if not wrong:
        return ["## Wrong greens", "", "None."]
    lines = ["## Wrong greens", "", "| Case | Segment | Kind | Dice | predicted |", "|---|---|---|---:|---:|"]
    for segment in wrong[:MOST_WRONG_GREENS]:
        item = segment.observation
        predicted = "-" if segment.estimate is None else f"{segment.estimate.dice:.3f}"
        cells = [item.patient, f"{item.abbreviation} {item.side}", item.condition or "-", f"{item.dice:.3f}", predicted]
        lines.append(f"| {' | '.join(cells)} |")
    if len(wrong) > MOST_WRONG_GREENS:
        lines += ["", f"And {len(wrong) - MOST_WRONG_GREENS} more."]
    return lines


def _area(found: Measure | None) -> str:
    if found is None or found.value is None:
        return "-"
    interval = "" if found.low is None or found.high is None else f" ({found.low:.3f}-{found.high:.3f})"
    return f"{found.value:.3f}{interval}"


def _share(found: Measure) -> str:
    return f"{found.events} of {found.n}" + ("" if found.value is None else f" ({found.value:.1%})")


def _events(found: Measure) -> str:
    return f"{found.events}/{found.n}"


def _number(table: Table, measure: str, judge: str, structure: str, digits: int, sign: str = "") -> str:
    found = table.get((measure, judge, structure))
    return "-" if found is None or found.value is None else f"{found.value:{sign}.{digits}f}"
