"""A stored result judged: lights and reasons of what the network did not draw, provenance, reviews, refusals."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from foreign_masks import TABLES, drawn_by
from given_labels import body, by_key, told
from mask_cases import mask_observations, view_of

import MSKSegmentLib.rating.rate as rating
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.case_result import Light, ReviewState
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.boxes import Box
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.foreign import import_case, mask_of_array
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.prepared_scan import prepare_scan
from MSKSegmentLib.quality.paper_rule import DiceThresholds
from MSKSegmentLib.rating.rate import rate_case
from MSKSegmentLib.rating.rated_folder import case_to_rate, check_places, write_rated
from MSKSegmentLib.rating.rating_calibration import RatingCalibration
from MSKSegmentLib.rating.scan_view import ScanView
from MSKSegmentLib.results.result_folder import SLICES_TO_LOOK_AT, write_result
from MSKSegmentLib.results.result_reading import read_case
from MSKSegmentLib.results.segmentation_file import write_ct
from MSKSegmentLib.review.folder import open_folder, save
from MSKSegmentLib.tasks import load_task

AD, BF = (HIP_AND_THIGH.segment(f"{name}_right").label for name in ("AD", "BF"))


@pytest.fixture(scope="module")
def seen():
    """The phantom, its CT, and what a network says of every second slice of it."""
    labels, volume = body()
    scan = replace(prepare_scan(volume), step=2)
    truth = np.ascontiguousarray(labels[scan.box.slices][::2])
    view = view_of(truth, scan.seen_geometry)
    return labels, volume, ScanView(scan, view, scan.findings, ("torch",), np.zeros(labels.shape, np.float32))


@pytest.fixture
def bundle(seen, monkeypatch):
    monkeypatch.setattr(rating, "view_scan", lambda *_: seen[2])
    return resolve_bundle(None)


@pytest.fixture(scope="module")
def calibrated():
    names = [structure.abbreviation for structure in HIP_AND_THIGH.structures]
    observations = mask_observations(20, structures=names)
    thresholds = {name: DiceThresholds(20, 0.9, 0.03) for name in names}
    return RatingCalibration(calibrate(observations, "2026-01-01", "made up", 3, thresholds=thresholds), {}).to_json()


def _damaged(labels):
    """Adductors that lack a stretch in the middle, and no biceps."""
    mask = np.where(labels == BF, 0, labels)
    shown = np.flatnonzero((labels == AD).any(axis=(1, 2)))
    part = slice(shown[len(shown) // 3], shown[2 * len(shown) // 3])
    mask[part] = np.where(mask[part] == AD, 0, mask[part])
    return mask


def test_a_bundle_of_another_task_does_not_judge(seen, bundle):
    labels, volume, _ = seen
    result = measure_case(labels, volume.geometry, volume)
    with pytest.raises(InputError, match="task trunk-ct, and the bundle mskseg-virtual is of hip-thigh-ct"):
        rate_case(replace(result, task=load_task("trunk-ct")), volume, bundle)


def test_without_calibration_nothing_is_green_but_disagreement_is_told(seen, bundle):
    labels, volume, _ = seen
    result = measure_case(_damaged(labels), volume.geometry, volume)
    rated = rate_case(result, volume, replace(bundle, rating=None), seed=1)
    reports = by_key(rated.result)
    assert not any(report.light is Light.GREEN for report in rated.result.reports)
    adductors, biceps = reports["AD_right"], reports["BF_right"]
    assert adductors.measurements == by_key(result)["AD_right"].measurements
    assert any("cannot judge: uncalibrated" in reason for reason in adductors.reasons)
    assert any("disagrees with the network in the slices" in reason for reason in adductors.reasons)
    assert adductors.scores.agreement < reports["AD_left"].scores.agreement and adductors.predicted_dice is None
    assert "the segmentation lacks it" in biceps.reasons[0] and biceps.suspect and biceps.measurements is None
    assert told(rated.result, "not_rated") and "Biceps femoris, right" in told(rated.result, "missing_in_mask")[0]
    assert rated.slices["AD_right"][0].disagreement > 0.8
    record = rated.result.facts.record["rated"]
    assert record["seed"] == 1 and record["calibration"] is None and len(record["labels"]) == 64
    assert record["bundle"]["digest"] == bundle.digest


def test_lights_follow_the_calibration_and_the_mask(seen, bundle, calibrated):
    labels, volume, _ = seen
    model = replace(bundle, rating=calibrated)
    good = by_key(rate_case(measure_case(labels, volume.geometry, volume), volume, model).result)
    bad = rate_case(measure_case(_damaged(labels), volume.geometry, volume), volume, model)
    now = by_key(bad.result)
    assert good["GMAX_right"].light is Light.GREEN and good["GMAX_right"].predicted_dice > 0.9
    assert now["AD_right"].light in (Light.YELLOW, Light.RED) and now["AD_right"].predicted_dice < good["AD_right"].predicted_dice
    # A yellow light is called inaccurate only where that is more likely than not.
    yellow = [report for report in (*good.values(), *now.values()) if report.light is Light.YELLOW]
    for report in yellow:
        assert report.light_word == ("not confirmed" if report.failure_probability < 0.5 else "inaccurate")
    assert yellow and replace(yellow[0], failure_probability=0.6).verdict == "inaccurate"
    assert replace(yellow[0], failure_probability=0.4).verdict == "not confirmed"
    assert now["AD_right"].paper_light is None and told(bad.result, "rated") and not told(bad.result, "not_rated")
    again = rate_case(bad.result, volume, replace(bundle, rating=None))
    assert told(again.result, "not_rated") and not told(again.result, "rated")


def test_the_part_of_a_cut_mask_is_called_by_its_odds(seen, bundle, calibrated):
    labels, volume, _ = seen
    result = measure_case(labels, volume.geometry, volume)
    cut = tuple(
        replace(one, measurements=one.measurements and replace(one.measurements, truncated_by=("inferior",)))
        for one in result.reports
    )
    rated = rate_case(replace(result, reports=cut), volume, replace(bundle, rating=calibrated)).result
    parts = [report for report in rated.reports if report.part_light is Light.YELLOW]
    assert parts and all(report.light is Light.GREY for report in parts)
    for report in parts:
        word = "not confirmed" if report.failure_probability < 0.5 else "inaccurate"
        assert f"its part inside the scan is rated {word}" in report.reasons


def test_exchanged_sides_are_red_even_without_calibration(seen, bundle):
    labels, volume, _ = seen
    mask = np.where(labels == AD, AD + 100, np.where(labels == AD + 100, AD, labels))
    rated = rate_case(measure_case(mask, volume.geometry, volume), volume, replace(bundle, rating=None))
    report = by_key(rated.result)["AD_right"]
    assert report.light is Light.RED and "sides are exchanged" in report.reasons[0]


def test_a_folder_is_judged_and_keeps_its_ct(seen, bundle, tmp_path):
    labels, volume, _ = seen
    folder = tmp_path / "out"
    write_result(
        folder, measure_case(_damaged(labels), volume.geometry, volume), extra=lambda part: write_ct(part / "ct.nrrd", volume)
    )
    (folder / "notes.txt").write_text("mine")
    check_places(folder, None)
    case = case_to_rate(folder, volume)
    write_rated(case, rate_case(case.result, volume, replace(bundle, rating=None)))
    assert {"ct.nrrd", "notes.txt", SLICES_TO_LOOK_AT} <= {path.name for path in folder.iterdir()}
    with (folder / SLICES_TO_LOOK_AT).open(newline="") as file:
        first = next(row for row in csv.DictReader(file) if (row["abbreviation"], row["side"]) == ("AD", "right"))
    assert first["rank"] == "1" and float(first["disagreement"]) > 0.8
    with (folder / "measurements.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if (row["abbreviation"], row["side"]) == ("AD", "right"))
    assert 0 < float(row["agreement"]) < 0.9 and "disagrees with the network" in row["reasons"]
    content = json.loads((folder / "result.json").read_text())
    assert content["provenance"]["rated"]["passes"] == 3 and content["findings"][0]["code"] == "not_rated"
    assert read_case(folder).result.reports[0].scores.agreement is not None


def test_a_corrected_result_keeps_its_review_and_the_lights_of_the_run(seen, bundle, tmp_path):
    labels, volume, _ = seen
    folder = tmp_path / "out"
    measured = measure_case(labels, volume.geometry, volume)
    run_of_network = replace(measured, facts=replace(measured.facts, passes=10))
    write_result(folder, run_of_network)
    with pytest.raises(InputError, match="as the network drew it"):
        case_to_rate(folder, volume)
    session = open_folder(folder, volume, "A. Reader")
    session.edit_labels(Box((0, 0, 60), (labels.shape[2], labels.shape[1], 20)), np.where(labels == AD, 0, labels)[60:80])
    session.accept("GMAX_right")
    save(session, folder)
    before = read_case(folder)
    case = case_to_rate(folder, volume)
    rated = rate_case(case.result, volume, replace(bundle, rating=None))
    for output in (tmp_path / "new", None):
        write_rated(case, rated, output)
        after = read_case(output or folder)
        assert (
            after.history[:-1] == before.history and after.history[-1].what == "rated" and (after.automatic.labels == labels).all()
        )
        assert (after.result.labels == before.result.labels).all()
        edited, accepted = by_key(after.result)["AD_right"], by_key(after.result)["GMAX_right"]
        assert edited.state is ReviewState.EDITED and edited.scores.agreement is not None and edited.dice_to_automatic < 1
        assert accepted == by_key(before.result)["GMAX_right"] and accepted.state is ReviewState.ACCEPTED


def test_structures_that_the_network_does_not_know_stay_grey(seen, bundle, calibrated):
    labels, volume, _ = seen
    result = measure_case(labels, volume.geometry, volume)
    structures = tuple(
        replace(one, abbreviation="OTHER", name="Another muscle") if one.index == AD else one for one in HIP_AND_THIGH.structures
    )
    table = replace(HIP_AND_THIGH, name="others", structures=structures)
    reports = tuple(replace(report, segment=table.segment_of_label(report.segment.label)) for report in result.reports)
    rated = by_key(rate_case(replace(result, table=table, reports=reports), volume, replace(bundle, rating=calibrated)).result)
    assert rated["OTHER_right"].light is Light.GREY and "does not know this structure" in rated["OTHER_right"].reasons[0]
    assert rated["GMAX_right"].predicted_dice is not None


@pytest.mark.parametrize("with_calibration", [False, True])
def test_an_iliopsoas_is_compared_with_both_parts_and_never_green(seen, bundle, calibrated, with_calibration):
    labels, volume, _ = seen
    psoas = HIP_AND_THIGH.segment("PSOAS_right").label
    drawn = np.where(labels == psoas, 0, labels)
    model = replace(bundle, rating=calibrated if with_calibration else None)
    reports = {}
    for name, mask in (("whole", labels), ("without psoas", drawn)):
        own = mask_of_array(drawn_by("totalsegmentator", mask), volume.geometry)
        imported = import_case(volume, own, HIP_AND_THIGH, TABLES["totalsegmentator"]).result
        rated = rate_case(imported, volume, model, seed=1).result
        reports[name] = by_key(rated)
        assert "ILI_right" not in str(told(rated, "missing_in_mask")) and "Iliacus" not in str(told(rated, "missing_in_mask"))
    good, bad = (reports[name]["ILPS_right"] for name in reports)
    assert good.scores.agreement > 0.8 > 0.7 > bad.scores.agreement and good.scores.pairwise_dice > 0.8
    assert (good.light, bad.light) == (Light.GREY, Light.YELLOW)
    assert "the network has this structure in parts" in good.reasons[0]
    assert any("disagrees with the network in the slices" in reason for reason in bad.reasons)
    assert good.predicted_dice is good.failure_probability is good.dice_limits is None
    assert reports["whole"]["ILI_right"].reasons == ("measured as a part of a larger structure, which is one in this segmentation",)


def test_an_iliopsoas_that_the_mask_lacks_is_told(seen, bundle):
    labels, volume, _ = seen
    parts = [HIP_AND_THIGH.segment(f"{name}_left").label for name in ("ILI", "PSOAS")]
    own = mask_of_array(drawn_by("totalsegmentator", np.where(np.isin(labels, parts), 0, labels)), volume.geometry)
    imported = import_case(volume, own, HIP_AND_THIGH, TABLES["totalsegmentator"]).result
    rated = rate_case(imported, volume, replace(bundle, rating=None), seed=1).result
    assert "Iliopsoas, left" in told(rated, "missing_in_mask")[0] and by_key(rated)["ILPS_left"].suspect


def test_what_cannot_be_judged_is_said_in_one_sentence(seen, tmp_path, capsys):
    labels, volume, _ = seen
    result = measure_case(labels, volume.geometry, volume)
    empty = replace(result, reports=tuple(replace(report, measurements=None) for report in result.reports))
    with pytest.raises(InputError, match="nothing to judge"):
        rating.check_to_rate(empty)
    for folder, sentence in (("none", "There is no result"), ("out", "holds no CT")):
        assert main(["rate", str(tmp_path / folder), "--quiet"]) == 2
        said = capsys.readouterr().err
        assert sentence in said and len(said.splitlines()) == 1
        write_result(tmp_path / "out", result)
