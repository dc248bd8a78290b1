"""Green limits held against cases of a kind that the calibration has not met: raised where they are contradicted, never lowered."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from quality_cases import observations, write_evaluation

from MSKSegmentLib.bundle import load_bundle, update_calibration
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.calibration.judging import judge_observations, thresholds_of
from MSKSegmentLib.calibration.tightening import tighten
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.quality.calibration import Calibration

PASSES = 3
TOOLS = Path(__file__).resolve().parents[3] / "Tools"


@pytest.fixture(scope="module")
def calibration():
    return calibrate(observations(60), "2026-01-01", "ordinary bodies", PASSES)


def other_bodies(names, patients=10):
    """Patients in whom the scores of these structures no longer tell that they are wrong."""
    found = observations(patients, seed=5, hard=0.0)
    return [replace(item, dice=item.dice - 0.2) if item.abbreviation in names else item for item in found]


def judged_by(calibration, items):
    return judge_observations(items, calibration, PASSES, thresholds_of(calibration, items))


def greens(judged, name):
    return [one for one in judged if one.observation.abbreviation == name and one.light is Light.GREEN]


def run_tool(name, *words):
    return subprocess.run([sys.executable, *map(str, (TOOLS / name, *words))], capture_output=True, text=True)


def test_a_structure_whose_greens_are_wrong_gets_fewer_and_the_others_keep_theirs(calibration):
    items = other_bodies({"OE"})
    before = judged_by(calibration, items)
    assert any(one.inaccurate for one in greens(before, "OE"))
    new, limits = tighten(calibration, before)
    assert [limit.abbreviation for limit in limits] == ["OE"]
    after = judged_by(new, items)
    assert not any(one.inaccurate for one in greens(after, "OE"))
    for one, other in zip(before, after, strict=True):
        if one.observation.abbreviation != "OE":
            assert one == other
    assert "OE" in str(limits[0]) and f"{limits[0].wrong} of {limits[0].greens}" in str(limits[0])
    # What was mended is not mended again.
    assert tighten(new, after) == (new, ())


def test_a_structure_that_is_always_wrong_is_never_green_again_whatever_its_ceiling(calibration):
    items = [replace(item, dice=0.5) if item.abbreviation == "FEMUR" else item for item in observations(10, seed=5, hard=0.0)]
    before = judged_by(calibration, items)
    assert any(one.estimate.dice >= 0.95 for one in greens(before, "FEMUR"))
    new, limits = tighten(calibration, before)
    assert [limit.after for limit in limits] == [None] and "never given now" in str(limits[0])
    assert not greens(judged_by(new, items), "FEMUR")
    # It is kept on the way through a bundle's file.
    assert not greens(judged_by(Calibration.from_json(json.loads(json.dumps(new.to_json()))), items), "FEMUR")


def test_the_ceiling_does_not_give_greens_back(calibration):
    items = [
        replace(item, dice=item.dice - 0.2) if item.abbreviation == "FEMUR" and item.patient < "p005" else item
        for item in observations(10, seed=5, hard=0.0)
    ]
    before = judged_by(calibration, items)
    wrong = [one.estimate.dice for one in greens(before, "FEMUR") if one.inaccurate]
    assert max(wrong) > 0.95
    new, _ = tighten(calibration, before)
    assert all(one.estimate.dice > max(wrong) for one in greens(judged_by(new, items), "FEMUR"))


def test_patients_of_the_same_kind_change_nothing(calibration):
    assert tighten(calibration, judged_by(calibration, observations(10, seed=3, hard=0.0))) == (calibration, ())


def test_the_command_writes_a_bundle_or_says_that_nothing_is_contradicted(calibration, tiny_bundle, tmp_path, capsys):
    lit = update_calibration(load_bundle(tiny_bundle), calibration.to_json(), tmp_path / "lit", "2")
    key = {"bundle": lit.digest, "passes": PASSES, "seed": 0}
    contradicted = write_evaluation(tmp_path / "contradicted", other_bodies({"OE"}), key)
    usual = write_evaluation(tmp_path / "usual", observations(10, seed=3, hard=0.0), key)

    def arguments(data, out, *more):
        named = ["--bundle", str(lit.folder), "--source", "other bodies", "--version", "3", "-o", str(tmp_path / out)]
        return ["calibrate", str(data), "--tighten", *named, *more]

    assert main(arguments(usual, "same")) == 0
    assert "there is no new bundle" in capsys.readouterr().out and not (tmp_path / "same").exists()
    assert main(arguments(contradicted, "harder")) == 0
    assert "OE: " in capsys.readouterr().out
    new = load_bundle(tmp_path / "harder")
    assert new.manifest.version == "3" and new.manifest.files["weights.safetensors"] == lit.manifest.files["weights.safetensors"]
    stored = Calibration.from_json(new.calibration)
    assert stored.source == "ordinary bodies; green limits of OE raised on other bodies (10 patients)"
    assert lit.digest in stored.networks
    before, after = calibration.model.limits, stored.model.limits
    assert after["OE"].green_from is None or after["OE"].green_from > before["OE"].green_from
    assert after["GMAX"].green_from == pytest.approx(before["GMAX"].green_from)
    assert main(arguments(contradicted, "other", "--masks")) == 2
    assert main(["calibrate", str(contradicted), "--tighten", "--bundle", str(tiny_bundle), "--source", "x", "--version", "3", "-o",
                 str(tmp_path / "none")]) == 2  # fmt: skip
    assert "calibrate it first" in capsys.readouterr().err


def test_evaluations_of_other_networks_can_only_take_greens_away(calibration, tiny_bundle, tmp_path):
    lit = update_calibration(load_bundle(tiny_bundle), calibration.to_json(), tmp_path / "lit", "2")
    runs, others = [], [replace(item, patient=f"q{item.patient}") for item in observations(10, seed=3, hard=0.0)]
    for name, items in (("one", other_bodies({"OE"})), ("other", others)):
        key = {"bundle": f"a network that left {name} out", "passes": PASSES, "seed": 0}
        runs.append(str(write_evaluation(tmp_path / name, items, key)))

    def run(bundle, *evaluations, out):
        words = [bundle.folder, *evaluations, "-o", tmp_path / out, "--version", "3", "--source", "bodies left out"]
        return run_tool("tighten_by_strangers.py", *words)

    same = run(lit, runs[1], out="same")
    assert same.returncode == 0 and "there is no new bundle" in same.stdout and not (tmp_path / "same").exists()
    done = run(lit, *runs, out="harder")
    assert done.returncode == 0, done.stderr
    stored, before = Calibration.from_json(load_bundle(tmp_path / "harder").calibration), calibration.model.limits
    assert stored.source.endswith("green limits of OE raised on bodies left out (20 patients)")
    for name, limit in stored.model.limits.items():
        raised = limit.green_from is None or limit.green_from > before[name].green_from + 1e-9
        assert raised == (name == "OE")
    refused = run(load_bundle(tiny_bundle), *runs, out="none")
    assert refused.returncode == 1 and "calibrate it first" in refused.stderr and "Traceback" not in refused.stderr
    twice = run(lit, runs[0], runs[0], out="none")
    assert twice.returncode == 1 and "in more than one" in twice.stderr and not (tmp_path / "none").exists()
    fewer = write_evaluation(tmp_path / "fewer", other_bodies({"OE"}), {"bundle": "a network", "passes": PASSES - 1, "seed": 0})
    refused = run(lit, fewer, out="none")
    assert refused.returncode == 1 and "other passes" in refused.stderr and not (tmp_path / "none").exists()


def test_the_higher_green_limit_of_two_bundles_holds(calibration, tiny_bundle, tmp_path):
    def lit(name, version, **changed):
        limits = {key: replace(limit, **changed.get(key, {})) for key, limit in calibration.model.limits.items()}
        changed = replace(calibration, model=replace(calibration.model, limits=limits))
        return update_calibration(load_bundle(tiny_bundle), changed.to_json(), tmp_path / name, version)

    new = lit("new", "2", OE={"green_from": 0.86}, GMIN={"green_from": 0.95}, SACRUM={"green_from": None})
    earlier = lit("earlier", "1.9", OE={"green_from": 0.91}, GMIN={"green_from": 0.89}, PI={"green_from": None})
    words = ("--earlier", earlier.folder, "--version", "3", "-o", tmp_path / "kept")
    done = run_tool("keep_limits.py", new.folder, *words)
    assert done.returncode == 0, done.stderr
    kept = load_bundle(tmp_path / "kept")
    stored = Calibration.from_json(kept.calibration)
    assert stored.source == "ordinary bodies; green limits of OE, PI no lower than in 1.9" and new.digest in stored.networks
    wanted = {"OE": 0.91, "GMIN": 0.95, "SACRUM": None, "PI": None}
    for name, limit in stored.model.limits.items():
        assert limit.green_from == pytest.approx(wanted.get(name, calibration.model.limits[name].green_from)), name
    again = run_tool("keep_limits.py", kept.folder, *words[:-1], tmp_path / "none")
    assert again.returncode == 0 and "there is no new bundle" in again.stdout and not (tmp_path / "none").exists()
    refused = run_tool("keep_limits.py", tiny_bundle, *words[:-1], tmp_path / "none")
    assert refused.returncode == 1 and "calibrate it first" in refused.stderr and not (tmp_path / "none").exists()
