"""Two results of one CT: the table, the slices and the map of their differences, and a structure taken from the other."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from given_labels import LABEL, body, by_key

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import Light, ReviewState
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.reading.label_maps import read_labels
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.results.result_reading import read_case
from MSKSegmentLib.results.segmentation_file import write_ct
from MSKSegmentLib.two_results.agreement_table import agreement_of, disagreement_of
from MSKSegmentLib.two_results.pair import pair_cases, read_two_results
from MSKSegmentLib.two_results.taking import take_segments

GMAX, FEMUR = LABEL["GMAX_left"], LABEL["FEMUR_right"]


class Pair:
    """Two results of one CT. The second lacks a slab of the left gluteus maximus and gives a femur a voxel of its neighbour."""

    def __init__(self, folder):
        self.labels, self.volume = body()
        self.other = self.labels.copy()
        where = np.argwhere(self.labels == GMAX)[:, 0]
        self.slab = slice(int(np.median(where)), int(np.median(where)) + 4)
        self.other[self.slab][self.other[self.slab] == GMAX] = 0
        self.first, self.second = folder / "first", folder / "second"
        for place, labels in ((self.first, self.labels), (self.second, self.other)):
            result = measure_case(labels, self.volume.geometry, self.volume)
            record = {**result.facts.record, "other_model": {"title": "Somebody's program", "version": "3.1"}}
            result = replace(result, facts=replace(result.facts, record=record))
            # One of the folders holds the CT.
            write_result(place, result, None, lambda partial: write_ct(partial / "ct.nrrd", self.volume))
        (self.first / "ct.nrrd").unlink()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return Pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def read(pair):
    return read_two_results(pair.first, pair.second)


def test_the_table_begins_with_what_agrees_least(pair, read):
    pytest.importorskip("monai")
    rows = agreement_of(read)
    worst = rows[0]
    first, second = (int((labels == GMAX).sum()) for labels in (pair.labels, pair.other))
    assert worst.segment.label == GMAX and worst.dice == pytest.approx(2 * second / (first + second))
    assert worst.volume_difference_percent == pytest.approx(200 * (second - first) / (second + first))
    assert worst.asd_mm > 0 and worst.hd95_mm >= worst.asd_mm
    # The phantom's first axis is superior-inferior.
    lost = [int((pair.labels[k] == GMAX).sum()) for k in range(len(pair.labels))]
    x, y, _ = pair.volume.geometry.spacing
    assert worst.slices[0].index in range(pair.slab.start, pair.slab.stop)
    assert lost[worst.slices[0].index] == max(lost[pair.slab])
    assert worst.slices[0].area_cm2 == pytest.approx(max(lost[pair.slab]) * x * y / 100)
    assert all(row.dice == 1.0 and not row.slices and row.asd_mm == 0 for row in rows[1:]) and len(rows) > 5


def test_the_map_shows_where_they_differ(pair, read):
    assert np.array_equal(disagreement_of(read), np.where(pair.labels != pair.other, GMAX, 0))


def test_the_command_writes_table_and_map(pair, tmp_path, capsys):
    pytest.importorskip("monai")
    assert main(["agreement", str(pair.second), str(pair.first), "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("Gluteus maximus, left")
    with (tmp_path / "out" / "agreement.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["abbreviation"] == "GMAX" and float(rows[0]["volume_difference_percent"]) > 0
    table = read_case(pair.first).result.table
    shown, _ = read_labels(tmp_path / "out" / "disagreement.seg.nrrd", table)
    assert np.array_equal(shown == GMAX, pair.labels != pair.other)
    assert main(["agreement", str(pair.second), str(pair.first), "-o", str(tmp_path / "out")]) == 2
    assert "holds files" in capsys.readouterr().err


def test_a_structure_is_taken_from_the_other_result(pair, tmp_path):
    assert main(["agreement", str(pair.second), str(pair.first), "--take", "GMAX_left", "-o", str(tmp_path / "new")]) == 0
    case = read_case(tmp_path / "new")
    assert np.array_equal(case.result.labels, pair.labels) and np.array_equal(case.automatic.labels, pair.other)
    report = by_key(case.result)["GMAX_left"]
    assert report.measurements.voxels == (pair.labels == GMAX).sum() and report.state is ReviewState.EDITED
    assert report.light is Light.GREY and report.reasons[0].startswith("taken from another result (Somebody's program 3.1)")
    (event,) = case.history
    assert (event.what, event.key, event.details["taken_from"]) == ("edited", "GMAX_left", "Somebody's program 3.1")
    # The results that it was made of stay as they were.
    assert np.array_equal(read_case(pair.second).result.labels, pair.other)


def test_what_cannot_be_taken_is_said(pair, read, tmp_path, capsys):
    for words, sentence in (
        (["--take", "GMAX"], "Nothing says where"),
        (["--take", "LIVER", "-o", str(tmp_path / "new")], "No structure that both results know is called 'LIVER'"),
    ):
        assert main(["agreement", str(pair.first), str(pair.second), *words]) == 2
        assert sentence in capsys.readouterr().err and not (tmp_path / "new").exists()
    erased = replace(read, other_labels=np.where(read.other_labels == FEMUR, 0, read.other_labels))
    with pytest.raises(Exception, match="nothing of FEMUR_right"):
        take_segments(erased, ["femur"])


def test_results_of_different_ct_are_refused(pair, tmp_path, capsys):
    other = replace(pair.volume, hu=pair.volume.hu + np.int16(1))
    write_result(tmp_path / "other", measure_case(pair.labels, other.geometry, other))
    assert main(["agreement", str(pair.first), str(tmp_path / "other")]) == 2
    assert "are results of different CT" in capsys.readouterr().err


def test_what_a_program_was_never_asked_for_is_left_out(pair, read):
    """TotalSegmentator has no adductors: that is no disagreement about them."""
    second = read.second.result
    adductors = HIP_AND_THIGH.structure("AD")
    asked = [{"structure": one.abbreviation} for one in HIP_AND_THIGH.structures if one is not adductors]
    record = {**second.facts.record, "imported": {"segments": asked}}
    reports = tuple(
        replace(report, measurements=None) if report.segment.structure == adductors else report for report in second.reports
    )
    result = replace(second, reports=reports, facts=replace(second.facts, record=record))
    again = pair_cases(read.first, replace(read.second, result=result), read.volume)
    assert set(read.shared) - set(again.shared) == {"AD_right", "AD_left"}
