"""Two results of programs that do not draw the same structures: what one never draws, and what one draws as a whole."""

import csv

import numpy as np
import pytest
from foreign_masks import TABLES, drawn_by, names_of
from given_labels import LABEL, body, by_key

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import ReviewState
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.foreign import import_case, mask_of_array, write_imported
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.results.result_reading import StoredCase
from MSKSegmentLib.results.segmentation_file import write_ct
from MSKSegmentLib.two_results.agreement_table import agreement_of, disagreement_of
from MSKSegmentLib.two_results.known import drawable_structures
from MSKSegmentLib.two_results.not_drawn import agreement_summary, not_drawn_of
from MSKSegmentLib.two_results.pair import pair_cases
from MSKSegmentLib.two_results.taking import take_segments

ILIACUS, PSOAS = (np.array([LABEL[f"{name}_{side}"] for side in ("right", "left")]) for name in ("ILI", "PSOAS"))


def _stored(result):
    return StoredCase(result, result, ())


@pytest.fixture(scope="module")
def scan():
    labels, volume = body()
    return labels, volume, measure_case(labels, volume.geometry, volume)


def _imported(scan, program, labels=None, named=False):
    drawn = drawn_by(program, scan[0] if labels is None else labels)
    mask = mask_of_array(drawn, scan[1].geometry, names_of(program) if named else None)
    return import_case(scan[1], mask, HIP_AND_THIGH, TABLES[program])


def _pair(first, second, volume):
    return pair_cases(_stored(first), _stored(second), volume)


def test_what_a_program_never_draws_is_said_and_not_counted(scan):
    labels, volume, ours = scan
    theirs = _imported(scan, "totalsegmentator", named=True).result
    pair = _pair(ours, theirs, volume)
    absent = not_drawn_of(pair)
    assert {"AD_right", "AD_left", "GRAC_right"} <= {one.segment.key for one in absent}
    assert all(one.in_first and one.words == "not drawn by TotalSegmentator" for one in absent)
    adductors = next(one for one in absent if one.segment.key == "AD_left")
    assert adductors.volume_cc == pytest.approx(by_key(ours)["AD_left"].measurements.volume_cc)
    # Nothing of it is a disagreement: neither in the table nor on the map, whichever result comes first.
    for one in (pair, _pair(theirs, ours, volume)):
        rows = agreement_of(one, distances=False)
        assert rows and all(row.dice == 1 for row in rows) and not disagreement_of(one).any()
        summary = agreement_summary(one, rows)
        assert summary[0] == f"Mean Dice coefficient of the {len(rows)} segments that both draw: 1.000."
        assert summary[1].startswith("Not drawn by TotalSegmentator, and not counted: ") and "Adductors" in summary[1]
    assert not any(one.in_first for one in not_drawn_of(_pair(theirs, ours, volume)))


def test_what_a_program_draws_and_missed_is_a_disagreement(scan):
    """MuscleMap's numbers have a gluteus maximus: that none is in this map is an error, not a habit."""
    labels, volume, ours = scan
    without = np.where(np.isin(labels, [LABEL["GMAX_right"], LABEL["GMAX_left"]]), 0, labels)
    theirs = _imported(scan, "musclemap", without).result
    assert "GMAX" in drawable_structures(theirs)
    rows = agreement_of(_pair(ours, theirs, volume), distances=False)
    assert {row.segment.key for row in rows if row.dice == 0} == {"GMAX_right", "GMAX_left"}
    # Nor does the result say that nobody looked.
    assert by_key(theirs)["GMAX_right"].reasons == by_key(measure_case(without, volume.geometry, volume))["GMAX_right"].reasons


def test_an_iliopsoas_is_compared_with_iliacus_and_psoas_together(scan):
    labels, volume, ours = scan
    damaged = labels.copy()
    damaged[: len(labels) // 3][np.isin(labels[: len(labels) // 3], ILIACUS)] = 0
    damaged[labels == PSOAS[0]] = 0
    theirs = _imported(scan, "totalsegmentator", damaged, named=True).result
    pair = _pair(ours, theirs, volume)
    rows = {row.segment.key: row for row in agreement_of(pair, distances=False)}
    assert not {"ILI_right", "PSOAS_right"} & rows.keys() and not {"ILI", "PSOAS"} & {
        one.segment.structure.abbreviation for one in not_drawn_of(pair)
    }
    whole = [np.isin(one, [ILIACUS[0], PSOAS[0]]).sum() for one in (labels, damaged)]
    assert rows["ILPS_right"].dice == pytest.approx(2 * whole[1] / sum(whole))
    assert rows["ILPS_right"].lights[0] is None and rows["ILPS_right"].lights[1] is not None
    assert pair.keys_in_first("ILPS_left") == ("ILI_left", "PSOAS_left") and pair.keys_in_first("GMAX_left") == ("GMAX_left",)
    assert "Iliopsoas is one structure in one of the results" in agreement_summary(pair, list(rows.values()))[-1]
    # The whole cannot be taken into parts, but parts into the whole.
    with pytest.raises(InputError, match="'ILPS_right'; known are"):
        take_segments(pair, ["ILPS_right"])
    taken = take_segments(_pair(theirs, ours, volume), ["ILPS"]).result
    whole = taken.table.segment("ILPS_right").label
    assert np.array_equal(taken.labels == whole, np.isin(labels, [ILIACUS[0], PSOAS[0]]))
    assert by_key(taken)["ILPS_right"].state is ReviewState.EDITED


def test_the_command_tells_both(scan, tmp_path, capsys):
    pytest.importorskip("monai")
    _, volume, ours = scan
    write_result(tmp_path / "ours", ours, extra=lambda partial: write_ct(partial / "ct.nrrd", volume))
    write_imported(tmp_path / "theirs", _imported(scan, "totalsegmentator", named=True))
    assert main(["agreement", str(tmp_path / "theirs"), str(tmp_path / "ours"), "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "not drawn by TotalSegmentator" in printed and "Iliopsoas is one structure in one of the results" in printed
    with (tmp_path / "out" / "agreement.csv").open(encoding="utf-8") as file:
        rows = {(row["abbreviation"], row["side"]): row for row in csv.DictReader(file)}
    adductors = rows["AD", "left"]
    assert adductors["not_drawn_by"].startswith("TotalSegmentator") and not adductors["dice"] and not adductors["volume_first_cc"]
    assert float(adductors["volume_second_cc"]) > 0 and rows["ILPS", "left"]["dice"] == "1.0"
