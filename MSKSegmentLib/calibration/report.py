"""The performance of failure detection on cases with true labels: numbers, tables and figures in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..evaluation.folder import REPORT as CSV_FILE
from ..output.files import whole_file
from ..quality.calibration import Calibration
from .judging import Judged, thresholds_of
from .ranking import RESAMPLES
from .report_measures import Measure, measure_quality, quality_csv
from .report_tables import quality_markdown

QUALITY_CARD = "quality.md"


def write_quality(folder: Path, judged: Sequence[Judged], calibration: Calibration, what: str, missed: int) -> list[Measure]:
    """Write ``quality.csv``, ``quality.md`` and the figures into `folder`; returns all numbers.

    `what` says in a sentence what was judged, `missed` how many segments of the truth were not found and have no light.
    """
    from .report_plots import write_quality_plots

    thresholds = thresholds_of(calibration, [segment.observation for segment in judged])
    measures = measure_quality(judged, thresholds, RESAMPLES)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {CSV_FILE: quality_csv(measures), QUALITY_CARD: quality_markdown(judged, measures, calibration, what, missed)}
    for name, text in texts.items():
        with whole_file(folder / name, Path(name).suffix) as path:
            path.write_text(text, encoding="utf-8", newline="")
    write_quality_plots(folder, judged, measures, calibration, thresholds)
    return measures
