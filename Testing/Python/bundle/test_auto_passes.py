"""Bundles whose runs draw fewer passes of slices that have settled: written, run, evaluated, refused by older software."""

import json
from dataclasses import replace

import pytest
from conftest import write_tiny_bundle

from MSKSegmentLib.bundle import Manifest, load_bundle, save_bundle, update_calibration, verify_bundle
from MSKSegmentLib.bundle.updating import update_auto_passes, update_rating
from MSKSegmentLib.calibration.observing import evaluated_cases
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import BundleError, InputError
from MSKSegmentLib.evaluation.run import network_segmenter
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.settings import Settings

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    tiny = load_bundle(write_tiny_bundle(folder / "tiny"))
    # Passes that differ little, so that slices settle.
    manifest = replace(tiny.manifest, passes=9, network=replace(tiny.manifest.network, dropout=0.01))
    nine = save_bundle(folder / "nine", manifest, tiny.load_network().state_dict(), None, tiny.card)
    calibrated = update_calibration(nine, Calibration("2026-01-01", "phantoms", 9, {}, {}).to_json(), folder / "two", "2")
    return update_rating(calibrated, {"format": "none"}, folder / "three", "3")


@pytest.fixture(scope="module")
def settling(plain, tmp_path_factory):
    return update_auto_passes(plain, True, tmp_path_factory.mktemp("auto") / "auto", "4")


def test_it_has_the_same_network_and_no_calibration(plain, settling):
    assert settling.manifest == replace(
        plain.manifest, auto_passes=True, version="4", date=settling.manifest.date, files=settling.manifest.files
    )
    assert settling.read_file("weights.safetensors") == plain.read_file("weights.safetensors")
    assert plain.calibration is not None and plain.rating is not None
    assert settling.calibration is None and settling.rating is None and settling.card == plain.card
    assert verify_bundle(settling.folder) == []


def test_older_software_refuses_it_by_its_version_and_other_bundles_stay_as_they_were(plain, settling):
    old, new = (json.loads((bundle.folder / "bundle.json").read_text()) for bundle in (plain, settling))
    assert old["format_version"] == 1 and "auto_passes" not in old
    assert new["format_version"] == 6 and new["auto_passes"] is True
    with pytest.raises(BundleError, match="garbles an entry"):
        Manifest.from_json({**new, "auto_passes": "yes"})


def test_what_cannot_be_is_refused_and_nothing_is_written(plain, settling, tmp_path):
    with pytest.raises(BundleError, match="tiny 4 draws fewer passes of slices that have settled already; nothing was written"):
        update_auto_passes(settling, True, tmp_path / "no", "5")
    with pytest.raises(BundleError, match="already has version 3"):
        update_auto_passes(plain, True, tmp_path / "no", "3")
    few = replace(plain, manifest=replace(plain.manifest, passes=4))
    with pytest.raises(BundleError, match="with no more than the 4 that are always drawn; nothing was written"):
        update_auto_passes(few, True, tmp_path / "no", "5")
    assert not (tmp_path / "no").exists()
    content = json.loads((settling.folder / "bundle.json").read_text())
    with pytest.raises(BundleError, match="with no more than the 4 that are always drawn; get a fresh copy"):
        Manifest.from_json({**content, "passes": 4})


def test_the_command_says_what_came_out(plain, tmp_path, capsys):
    assert main(["bundle", "auto-passes", str(plain.folder), "-o", str(tmp_path / "new"), "--version", "4"]) == 0
    told = capsys.readouterr().out
    assert "tiny 4" in told and "9 at most, fewer of slices that have settled" in told and "results are not rated" in told
    assert main(["bundle", "auto-passes", str(tmp_path / "new"), "-o", str(tmp_path / "old"), "--version", "5", "--undo"]) == 0
    assert "settled" not in capsys.readouterr().out
    assert main(["bundle", "auto-passes", str(plain.folder), "-o", str(tmp_path / "no"), "--version", "5", "--undo"]) == 2
    assert "tiny 3 draws all passes of every slice; nothing was written" in capsys.readouterr().err


def test_a_run_draws_as_the_bundle_says_unless_a_number_is_asked_for(settling, phantom):
    own = segment_case(phantom, settling, Settings("cpu", seed=1)).facts
    assert own.auto_passes and own.passes == 9 and own.mean_passes < 9
    asked = segment_case(phantom, settling, Settings("cpu", passes=9, seed=1)).facts
    assert not asked.auto_passes and asked.mean_passes == 9
    # What a run records gives the same run again.
    again = segment_case(phantom, settling, Settings("cpu", passes=own.passes, seed=1, auto_passes=own.auto_passes)).facts
    assert again.mean_passes == own.mean_passes
    assert not segment_case(phantom, settling, Settings("cpu", seed=1, preview=True)).facts.auto_passes


def test_lights_that_were_learned_so_carry_no_warning(settling, phantom, tmp_path):
    calibration = Calibration("2026-01-01", "phantoms", 9, {}, {}).to_json()
    lit = update_calibration(settling, calibration, tmp_path / "lit", "5")
    assert "fewer_passes" not in {finding.code for finding in segment_case(phantom, lit, Settings("cpu", seed=1)).findings}
    fixed = update_auto_passes(lit, False, tmp_path / "fixed", "6")
    fixed = update_calibration(fixed, calibration, tmp_path / "lit_fixed", "7")
    found = segment_case(phantom, fixed, Settings("cpu", seed=1, auto_passes=True)).findings
    assert "fewer_passes" in {finding.code for finding in found}


def test_an_evaluation_with_all_passes_is_not_one_of_it(settling, tmp_path):
    own = network_segmenter(settling, "cpu", None, 0, lambda: None)
    asked = network_segmenter(settling, "cpu", 9, 0, lambda: None)
    assert own.key("case") == {"bundle": settling.digest, "passes": 9, "seed": 0, "auto_passes": True}
    assert asked.key("case") == {"bundle": settling.digest, "passes": 9, "seed": 0}
    assert "9 dropout passes at most, fewer of slices that have settled" in own.what
    (tmp_path / "cases").mkdir()
    kept = {"false_muscle_cc": 0.0, "facts": {}, "findings": [], "rows": []}
    for segmenter, fits in ((own, True), (asked, False)):
        (tmp_path / "cases" / "one.json").write_text(json.dumps({"key": segmenter.key("one"), **kept}))
        if fits:
            assert len(evaluated_cases(settling, tmp_path)) == 1
            continue
        with pytest.raises(InputError, match="not one of the bundle 'tiny' with 9 passes at most"):
            evaluated_cases(settling, tmp_path)


def test_an_estimate_counts_the_passes_that_are_usual(settling, capsys):
    command = ["devices", "--bundle", str(settling.folder), "--slices", "24", "--size", "80", "64", "--device", "cpu"]
    assert main(command) == 0
    assert "tiny, about 5 dropout passes, 9 at most" in capsys.readouterr().out
    assert main([*command, "--samples", "9"]) == 0
    assert "tiny, 9 dropout passes\n" in capsys.readouterr().out
