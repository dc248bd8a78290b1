"""`mskseg slices`: a stored result's cross-sections in a file, and the refusal of another CT."""

import csv
import json

import numpy as np
import pytest
from pyarrow import parquet
from rendered_bones import rendered_bones

from MSKSegmentLib.cohort.cross_sections import LEVEL_COLUMNS, SLICE_COLUMNS
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.measurement.levels import LEVEL_NAMES
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.results.segmentation_file import write_ct


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    labels, grid = rendered_bones((4.0, 4.0, 4.0))
    hu = np.where(labels > 0, 500, -80).astype(np.int16)
    volume = CTVolume(hu, grid)
    write_ct(folder / "ct.nrrd", volume)
    write_result(folder / "result", measure_case(labels, grid, volume))
    return folder


def test_every_slice_and_level_is_written(stored, tmp_path, capsys):
    words = ["slices", str(stored / "result"), "--ct", str(stored / "ct.nrrd"), "--case", "p1"]
    assert main([*words, "-o", str(tmp_path / "s.parquet"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    table = parquet.read_table(tmp_path / "s.parquet").to_pylist()
    assert tuple(table[0]) == SLICE_COLUMNS and {row["case"] for row in table} == {"p1"}
    assert {row["abbreviation"] for row in table} == {"PELVIS", "FEMUR", "SACRUM"}
    rows = [dict(zip(LEVEL_COLUMNS, row, strict=True)) for row in answer["rows"]]
    assert {row["level"] for row in rows} == set(LEVEL_NAMES)
    by_place = {(row["slice"], row["abbreviation"], row["side"]): row["area_cm2"] for row in table}
    for row in rows:
        assert row["area_cm2"] == pytest.approx(by_place[row["slice"], row["abbreviation"], row["side"]], rel=1e-5)
    assert main([*words, "-o", str(tmp_path / "s.csv")]) == 0
    with (tmp_path / "s.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(table)


@pytest.mark.parametrize("name", ["s.xlsx", "s.parquet"])
def test_another_ending_or_ct_is_refused(stored, tmp_path, capsys, name):
    labels, grid = rendered_bones((4.0, 4.0, 4.0))
    other = tmp_path / "other.nrrd"
    write_ct(other, CTVolume(np.where(labels > 0, 501, -80).astype(np.int16), grid))
    assert main(["slices", str(stored / "result"), "--ct", str(other), "-o", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / name).exists()
