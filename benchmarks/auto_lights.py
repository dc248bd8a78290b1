"""Lights of runs that draw fewer passes of slices that have settled, beside those of runs that draw all: is anything lost?

    mskseg bundle auto-passes B -o FEWER --version V
    mskseg evaluate CASES --bundle B -o CALIBRATION/all          and with FEWER into CALIBRATION/fewer, likewise for tests
    python benchmarks/auto_lights.py CALIBRATION TEST [TEST ...]

Each folder holds the evaluations ``all`` and ``fewer`` of the same cases, and a test may hold ``again``, one with all passes and
another seed: what differs between that and ``all`` is chance. Calibrated is on CALIBRATION in either way; tests hold other
patients. A segment is inaccurate by the thresholds of the calibration with all passes in every column. Nothing is segmented here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from common import machine, machine_line, markdown_table

from MSKSegmentLib.calibration.calibrate_bundle import observed_segments
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.calibration.judging import CALIBRATED_RULE, Judged, Thresholds, judge_observations, thresholds_of
from MSKSegmentLib.calibration.observing import case_observations, is_ordinary
from MSKSegmentLib.calibration.placing import reference_of
from MSKSegmentLib.calibration.report_measures import POOLED, Measure, measure_quality
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.folder import read_evaluation
from MSKSegmentLib.evaluation.metrics import Outcome
from MSKSegmentLib.evaluation.tables import CaseScores
from MSKSegmentLib.quality.calibration import Calibration

ALL, FEWER, AGAIN = "all", "fewer", "again"
VALUES = ("auroc_inaccurate", "auroc_failed", "dice_bias", "dice_mae", "width_dice", "width_volume")
COUNTS = (
    *("wrong_greens", "greens_below_0.80", "needless_reds", "needless_flags"),
    *("coverage_dice", "coverage_volume", "coverage_mean_hu"),
)


def main() -> None:
    """Calibrate either way, judge the tests, print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("tests", type=Path, nargs="+")
    parser.add_argument("--passes", type=int, default=10, help="of a slice at most, as evaluated (default: 10)")
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    print(f"{machine_line(machine())}\n")
    ways = {way: _calibrated(options.calibration / way, options.passes) for way in (ALL, FEWER)}
    for test in options.tests:
        found = {way: _cases(test / way) for way in (ALL, FEWER, AGAIN) if (test / way).is_dir()}
        names = [sorted(case.name for case in cases) for cases in found.values()]
        if any(one != names[0] for one in names):
            raise InputError(f"The evaluations in {test.name!r} are of different cases; evaluate the same ones.")
        arms = [("all passes", found[ALL], ways[ALL])]
        if AGAIN in found:
            arms.append(("all passes, another seed", found[AGAIN], ways[ALL]))
        arms += [
            ("fewer, lights learned with all", found[FEWER], ways[ALL]),
            ("fewer, lights learned with fewer", found[FEWER], ways[FEWER]),
            ("all passes, lights learned with fewer", found[ALL], ways[FEWER]),
        ]
        print(f"**{test.name}** ({len(names[0])} cases)\n")
        print(_table(arms, ways[ALL], options.passes, options.resamples), flush=True)


def _cases(folder: Path) -> list[CaseScores]:
    return [case for _, case in read_evaluation(folder)]


def _calibrated(folder: Path, passes: int) -> Calibration:
    """As `calibrate_bundle` does it."""
    cases = _cases(folder)
    table = cases[0].table
    reference = reference_of((case for case in cases if is_ordinary(case.facts)), table)
    return calibrate(observed_segments(cases, reference, folder), "", "", passes, reference, table=table)


def _table(arms: Sequence[tuple[str, Sequence[CaseScores], Calibration]], common: Calibration, passes: int, resamples: int) -> str:
    columns = []
    for _, cases, calibration in arms:
        observations = [item for case in cases for item in case_observations(case, calibration.reference)]
        thresholds: Thresholds = thresholds_of(common, observations)
        judged: list[Judged] = judge_observations(observations, calibration, passes, thresholds)
        measures = measure_quality(judged, thresholds, resamples)
        found = {one.measure: one for one in measures if one.judge == CALIBRATED_RULE and one.structure == POOLED}
        columns.append([_mean_dice(cases), *(_value(found[name]) for name in VALUES), *(_count(found[name]) for name in COUNTS)])
    rows = [[name, *cells] for name, *cells in zip(("mean Dice", *VALUES, *COUNTS), *columns, strict=True)]
    return markdown_table(["", *(name for name, _, _ in arms)], rows) + "\n"


def _mean_dice(cases: Sequence[CaseScores]) -> str:
    scores = [row.dice or 0.0 for case in cases for row in case.rows if row.outcome in (Outcome.COMPARED, Outcome.MISSED)]
    return f"{sum(scores) / len(scores):.4f}"


def _value(measure: Measure) -> str:
    if measure.value is None:
        return "-"
    return f"{measure.value:.3f}" + ("" if measure.low is None else f" ({measure.low:.3f}-{measure.high:.3f})")


def _count(measure: Measure) -> str:
    return "-" if measure.value is None else f"{measure.events} of {measure.n} ({measure.value:.1%})"


if __name__ == "__main__":
    main()
