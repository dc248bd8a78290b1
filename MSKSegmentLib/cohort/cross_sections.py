"""Cross-sections of a stored result, per slice and per anatomical level, as a table in a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..case_result import CaseResult
from ..ct.volume import CTVolume
from ..errors import InputError, shown
from ..measurement.sections import SectionTable, section_table
from ..output.files import whole_file
from ..provenance import input_digest
from ..results.result_reading import read_result

SLICE_COLUMNS = ("case", "slice", "z_mm", "abbreviation", "side", "area_cm2", "mean_hu", "fat_percent")
LEVEL_COLUMNS = ("level", "level_side", "slice", "z_mm", "abbreviation", "side", "light", "area_cm2", "mean_hu", "fat_percent")
TABLE_ENDINGS = (".parquet", ".csv")


def measure_cross_sections(folder: Path, volume: CTVolume) -> tuple[CaseResult, SectionTable]:
    """The result in a folder as it stands, corrections included, and its cross-sections in the CT that it was made on.

    Raises:
        InputError: the folder holds no result, or one of another CT.
    """
    result, _ = read_result(folder)
    digest = result.facts.input_digest
    if not result.geometry.matches(volume.geometry) or (digest is not None and digest != input_digest(volume)):
        raise InputError(f"The CT is not the one that the result in {shown(folder)!r} was made on; name that one with --ct.")
    table = section_table(result.labels, volume.hu, result.geometry, [report.segment for report in result.reports])
    if not result.task.in_hounsfield:
        sections = tuple(replace(section, mean_hu=None, fat_percent=None) for section in table.sections)
        table = replace(table, sections=sections)
    return result, table


def level_rows(result: CaseResult, table: SectionTable) -> list[list[Any]]:
    """Rows of `LEVEL_COLUMNS`, each with the light of its segment; numbers to six digits."""
    lights = {report.segment.key: report.light.value for report in result.reports}
    return [
        [
            level.name,
            level.side.value,
            level.index,
            round(level.z_mm, 2),
            section.segment.structure.abbreviation,
            section.segment.side.value,
            lights[section.segment.key],
            *map(_digits, (section.area_cm2, section.mean_hu, section.fat_percent)),
        ]
        for level, section in table.at_levels()
    ]


def write_slices(path: Path, table: SectionTable, case: str) -> None:
    """Write a row of `SLICE_COLUMNS` per slice and segment, as Parquet or CSV by the file's ending.

    Raises:
        InputError: the ending is another, or the file cannot be written.
        DependencyError: pyarrow is missing.
    """
    import pyarrow
    from pyarrow import csv, parquet

    suffix = checked_table_name(path).suffix.lower()
    text, number = pyarrow.string(), pyarrow.float32()
    types = (text, pyarrow.int32(), number, text, text, number, number, number)
    rows = [
        (case, s.index, s.z_mm, s.segment.structure.abbreviation, s.segment.side.value, s.area_cm2, s.mean_hu, s.fat_percent)
        for s in table.sections
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    written = pyarrow.Table.from_arrays(arrays, names=list(SLICE_COLUMNS))
    with whole_file(path, suffix) as temporary:
        (parquet.write_table if suffix == ".parquet" else csv.write_csv)(written, temporary)


def checked_table_name(path: Path) -> Path:
    """The path of a table.

    Raises:
        InputError: its ending says that it is another kind of file.
    """
    if path.suffix.lower() not in TABLE_ENDINGS:
        raise InputError(f"The table {path.name} must end in .parquet or .csv; choose such a name with -o.")
    return path


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
