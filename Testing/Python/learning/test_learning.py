"""A whole learning: published when better, refused when worse, resumed wherever it was stopped."""

import json
from dataclasses import replace

import pytest
from learning_cases import phantom_case, write_corrected
from training_cases import SPACING

import MSKSegmentLib.learning.run as learning_run
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import load_bundle, verify_bundle
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import Cancelled, InputError
from MSKSegmentLib.evaluation.run import Segmenter
from MSKSegmentLib.learning.comparison import FEWEST_DRAWN, DicePair, JudgedGroup, judge_learning, paired_mean
from MSKSegmentLib.learning.gathering import gather
from MSKSegmentLib.learning.plan import LearningPlan
from MSKSegmentLib.learning.run import LearningCalls, learn
from MSKSegmentLib.output.stages import StageFolder

STAGES = ("cases", "rehearsal", "before", "training", "after", "lights")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Corrected results of four patients, and three cases to rehearse."""
    import SimpleITK as sitk

    root = tmp_path_factory.mktemp("site")
    for seed in range(4):
        write_corrected(root / "reviews" / f"r{seed}", seed)
    for seed in range(10, 13):
        case = root / "rehearsal" / f"v{seed}"
        case.mkdir(parents=True)
        volume, labels = phantom_case(seed)
        for name, array in (("ct", volume.hu), ("labels", labels)):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing(SPACING)
            sitk.WriteImage(image, str(case / f"{name}.nrrd"))
    return root


@pytest.fixture
def skill(monkeypatch, tiny_bundle):
    """Segmentations of the old and of the new bundle, as shares of the true slices, in place of a network's; no plots."""
    shares = {"old": 0.5, "new": 0.9}
    old = load_bundle(tiny_bundle).digest

    def segmenter(bundle, device, passes, seed, checkpoint):
        share = shares["old" if bundle.digest == old else "new"]

        def segment(case):
            labels = case.truth.copy()
            labels[round(share * len(labels)) :] = 0
            return labels, {}, ()

        return Segmenter("a stand-in", HIP_AND_THIGH, lambda name: {"bundle": bundle.digest, "passes": 3}, segment)

    monkeypatch.setattr(learning_run, "network_segmenter", segmenter)
    monkeypatch.setattr("MSKSegmentLib.evaluation.run.write_plots", lambda *_: [])
    return shares


def run(site, bundle, output, checkpoint=lambda: None, said=None, **changes):
    plan = replace(LearningPlan(output, rehearsal=site / "rehearsal", iterations=2, device="cpu"), **changes)
    calls = LearningCalls((said if said is not None else []).append, lambda status: None, checkpoint)
    return learn(load_bundle(bundle), gather([site / "reviews"]), plan, calls)


def test_a_better_bundle_is_published_with_its_comparison(site, tiny_bundle, skill, tmp_path):
    end = run(site, tiny_bundle, tmp_path / "new")
    assert end.bundle.folder == tmp_path / "new" and verify_bundle(tmp_path / "new") == []
    manifest, old = end.bundle.manifest, load_bundle(tiny_bundle)
    assert (manifest.name, manifest.version) == ("tiny", "1+learned-uncalibrated") and end.bundle.calibration is None
    assert manifest.license == "Apache-2.0" and "corrections of 2 patients" in manifest.description
    before, after = (bundle.load_network().state_dict() for bundle in (old, end.bundle))
    assert before.keys() == after.keys() and any(not before[key].equal(after[key]) for key in before), "two iterations were learned"
    assert (
        "Judging" not in end.bundle.card
        and "Not calibrated" in end.bundle.card
        and "| corrected, held out | 2 |" in end.bundle.card
    )
    folder = tmp_path / "new-learning"
    assert {"learn.md", "learn.csv", "learn.png"} <= {path.name for path in folder.iterdir()}
    card = (folder / "learn.md").read_text()
    assert "**Published:**" in card and "50% of all slices from 1 given cases" in card and "2 patients were held out" in card
    rows = (folder / "learn.csv").read_text().splitlines()
    assert rows[0].startswith("group,patient,abbreviation") and len(rows) == 1 + 2 * 4 + 2 * 4
    mean = end.outcome.groups[JudgedGroup.CORRECTED]
    assert mean.patients == 2 and mean.difference > 0.2 and mean.interval is None
    sides = [{path.name.partition("@")[0] for path in (folder / "corrected" / side).iterdir()} for side in ("training", "held_out")]
    assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == 4
    with pytest.raises(Exception, match="There already is a new"):
        run(site, tiny_bundle, tmp_path / "new")


def test_a_worse_bundle_is_refused_and_its_comparison_kept(site, tiny_bundle, skill, tmp_path, capsys):
    skill["new"] = 0.4
    command = ["learn", str(site / "reviews"), "-o", str(tmp_path / "new"), "--bundle", str(tiny_bundle), "--iterations", "1"]
    assert main([*command, "--rehearse", str(site / "rehearsal"), "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert "is not published: on corrections held out the mean Dice coefficient went from" in error and error.count("\n") == 1
    assert "on rehearsed patients it fell" in error and "new-learning" in error
    assert not (tmp_path / "new").exists() and "**Not published:**" in (tmp_path / "new-learning" / "learn.md").read_text()
    assert load_bundle(tmp_path / "new-learning" / "training" / "bundle"), "whoever wants it nevertheless finds it there"


class Killed(BaseException):
    """What nothing catches, as a kill."""


def test_a_learning_that_is_killed_again_and_again_goes_on(site, tiny_bundle, skill, tmp_path, monkeypatch):
    """Killed at the end of every stage, right before it is marked as done."""
    write = StageFolder.write
    for number, stage in enumerate(STAGES):

        def killed(path, content, stage=stage):
            if path.name == f"{stage}.json":
                raise Killed
            write(path, content)

        with monkeypatch.context() as patch:
            patch.setattr(StageFolder, "write", staticmethod(killed))
            with pytest.raises(Killed):
                run(site, tiny_bundle, tmp_path / "new")
        marked = {path.stem for path in (tmp_path / "new-learning" / "stages").iterdir()}
        assert marked == set(STAGES[:number]) and not (tmp_path / "new").exists()
    said: list[str] = []
    assert run(site, tiny_bundle, tmp_path / "new", said=said).bundle is not None
    assert sum(line.endswith("done before.") for line in said) == len(STAGES) - 1


def test_a_cancelled_training_keeps_what_it_learned(site, tiny_bundle, skill, tmp_path):
    calls = []

    def checkpoint():
        calls.append(1)
        if (tmp_path / "new-learning" / "stages" / "before.json").exists() and len(calls) > 12:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run(site, tiny_bundle, tmp_path / "new", checkpoint, iterations=50)
    state = tmp_path / "new-learning" / "training"
    assert (state / "checkpoint.pt").exists() and not (state / "bundle").exists()
    with pytest.raises(InputError, match="other corrections or with other options"):
        run(site, tiny_bundle, tmp_path / "new", iterations=3)


def test_the_training_gets_the_hours_that_comparing_leaves(site, tiny_bundle, skill, tmp_path, monkeypatch):
    given = []

    def recorded(recipe, folder, choices, *_):
        given.append(choices.minutes)
        raise Killed

    monkeypatch.setattr(learning_run, "run_recipe", recorded)
    with pytest.raises(Killed):
        run(site, tiny_bundle, tmp_path / "new")
    for stage, seconds in (("cases", 60), ("rehearsal", 120), ("before", 600)):
        (tmp_path / "new-learning" / "stages" / f"{stage}.json").write_text(json.dumps({"seconds": seconds}))
    with pytest.raises(Killed):
        run(site, tiny_bundle, tmp_path / "new", hours=1)
    assert given == [None, pytest.approx(60 - 3 - 10 * 2.15)]
    with pytest.raises(InputError, match=r"take 0\.4 hours by themselves .* give more than that with --hours"):
        run(site, tiny_bundle, tmp_path / "new", hours=0.4)


def test_without_anything_to_rehearse_it_is_refused(site, tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.delenv("MSKSEG_ATLAS", raising=False)
    with pytest.raises(InputError, match="or choose --rehearsal-share 0"):
        run(site, tiny_bundle, tmp_path / "new", rehearsal=None)
    assert not (tmp_path / "new-learning").exists()


def pairs(group, differences, before=0.8):
    """One segment per patient with these changes."""
    return [DicePair(group, f"p{n}", "GMED", "right", before, before + change) for n, change in enumerate(differences)]


def test_what_is_worse():
    better = pairs(JudgedGroup.CORRECTED, [0.05, 0.02, 0.03])
    assert judge_learning(better).reasons == ()
    (reason,) = judge_learning(pairs(JudgedGroup.CORRECTED, [0.02, -0.03, 0.0])).reasons
    assert reason == "on corrections held out the mean Dice coefficient went from 0.800 to 0.797, and did not rise"
    assert "no corrected segment" in judge_learning(pairs(JudgedGroup.AS_DRAWN, [0.1])).reasons[0]
    forgot = pairs(JudgedGroup.REHEARSED, [-0.02, -0.02])
    assert "on rehearsed patients it fell from 0.800 to 0.780, by more than 0.01" in judge_learning(better + forgot).reasons
    assert judge_learning(better + pairs(JudgedGroup.REHEARSED, [-0.005, 0.0])).reasons == ()
    drawn = pairs(JudgedGroup.AS_DRAWN, [-0.03] * FEWEST_DRAWN)
    assert len(judge_learning(better + drawn).reasons) == 1
    assert judge_learning(better + pairs(JudgedGroup.AS_DRAWN, [-0.8, -0.8])).reasons == (), "too few to decide"
    one = [replace(pair, abbreviation="TFL", after=pair.before - 0.06) for pair in better]
    lifted = [replace(pair, patient=f"{pair.patient}", after=pair.before + 0.2) for pair in better]
    assert judge_learning(lifted + one).reasons == ("TFL (corrected, held out) fell from 0.800 to 0.740",)


def test_intervals_are_by_patient():
    """A hundred segments of one patient are no more patients."""
    many = pairs(JudgedGroup.CORRECTED, [0.1]) * 100 + pairs(JudgedGroup.CORRECTED, [0.1, -0.1, 0.0])[1:]
    mean = paired_mean(many)
    assert mean.patients == 3 and mean.segments == 102
    assert mean.difference == pytest.approx(0) and mean.interval == pytest.approx((-0.1, 0.1))
    assert paired_mean(pairs(JudgedGroup.CORRECTED, [0.1, 0.1])).interval is None
