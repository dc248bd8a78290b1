"""A report of which nothing is predicted."""

from __future__ import annotations

from dataclasses import replace

from ..case_result import Light, SegmentReport


def without_prediction(report: SegmentReport, reasons: tuple[str, ...]) -> SegmentReport:
    """The report with a grey light for these reasons; its measurements and evidence stay, what a calibration said of them goes."""
    return replace(
        report,
        light=Light.GREY,
        reasons=reasons,
        predicted_dice=None,
        dice_limits=None,
        dice_interval=None,
        volume_interval_cc=None,
        mean_hu_interval=None,
        failure_probability=None,
        usual_uncertainty=None,
        paper_light=None,
        part_light=None,
    )
