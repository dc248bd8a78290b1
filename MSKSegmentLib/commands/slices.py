"""``mskseg slices``: cross-sections of a result, per slice and anatomical level."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..packages import FOR_MEASURING, require
from .arguments import reading_options
from .base import PLACE, Command, Invocation, pass_invocation


@click.command(cls=Command)
@click.argument("result", type=PLACE, metavar="RESULT")
@click.option("--ct", type=PLACE, required=True, metavar="CT", help="the CT that was segmented")
@click.option("-o", "--output", type=PLACE, required=True, metavar="FILE", help="a .parquet or .csv file")
@reading_options
@click.option("--case", metavar="NAME", help="what the rows are called (default: the name of RESULT)")
@click.option("--json", "as_json", is_flag=True, help="answer by one JSON object, with the rows of the levels")
@pass_invocation
def command(
    invocation: Invocation,
    result: Path,
    ct: Path,
    output: Path,
    series: str | None,
    assume_orientation: str | None,
    case: str | None,
    as_json: bool,
) -> None:
    """Write area, mean HU and fat of every structure in every slice of RESULT, and print them at its anatomical levels.

    The levels are S1, acetabular roof, femoral head centre, lesser trochanter, and 1/3, 1/2 (mid-thigh) and 2/3 of the femur; one
    that the scan does not show is missing.
    """
    from ..cohort.cross_sections import LEVEL_COLUMNS, checked_table_name, level_rows, measure_cross_sections, write_slices
    from ..ct import read_ct
    from ..results.result_reading import read_content, task_of_result

    checked_table_name(output)
    require("pyarrow", *FOR_MEASURING)
    modality = task_of_result(read_content(result)).modality
    volume = read_ct(ct, series, assume_orientation, modality)
    invocation.checkpoint()
    found, table = measure_cross_sections(result, volume)
    write_slices(output, table, case or result.resolve().name)
    rows = level_rows(found, table)
    slices = len({section.index for section in table.sections})
    message = f"{len(table.sections)} cross-sections in {slices} slices, {len(table.levels)} anatomical levels found."
    if as_json:
        print(json.dumps({"message": message, "columns": LEVEL_COLUMNS, "rows": rows}, ensure_ascii=False))
        return
    print(",".join(LEVEL_COLUMNS))
    for row in rows:
        print(",".join("" if value is None else str(value) for value in row))
    invocation.say(message)
