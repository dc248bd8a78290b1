"""Training in rounds on phantoms: stages that go on, pseudo-labels that are confirmed, tables, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import phantom_hu
from training_cases import PREPROCESSING, SPACING, SPEC, labels_of, small_recipe, write_case

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.errors import Cancelled, InputError
from MSKSegmentLib.evaluation.cases import find_labelled_cases, read_labelled_case
from MSKSegmentLib.evaluation.run import Segmenter
from MSKSegmentLib.sparse import pseudo_cases, rounds
from MSKSegmentLib.sparse.confirmation import ConfirmationGate
from MSKSegmentLib.sparse.pseudo_cases import PseudoLabels, PseudoRun
from MSKSegmentLib.sparse.pseudo_labels import PseudoRule
from MSKSegmentLib.sparse.rounds import SparseCalls, SparsePlan, survey_cases, train_rounds
from MSKSegmentLib.training.pairs import prepare_case

RUN = PseudoRun(2, 0, "cpu", PseudoRule(0.6, 6.0, 0.3))
# Nothing is learned in so short a time; what the network says in between is made up.
RECIPE = small_recipe(iterations=3, checkpoint_every=3, device="cpu")


class Stopped:
    """Says of what was done, and ends the work at the stage of that name."""

    def __init__(self, at=None):
        self.at, self.said = at, []

    def say(self, text):
        self.said.append(text)
        if self.at is not None and self.at in text:
            raise Cancelled

    @property
    def calls(self):
        return SparseCalls(self.say, lambda status: None)


def confirmed(volume, bundle, run, checkpoint=None):
    """Slices 3 to 8 of the first case, the middle of each; nothing of the second."""
    first = np.array_equal(volume.hu, phantom_hu(seed=0))
    known = np.zeros(volume.hu.shape, bool)
    if first:
        known[3:9, 20:44] = True
    return PseudoLabels(labels_of(volume.hu), known, 6 * first, 0.5 * first)


def perfect(bundle, device, passes, seed, checkpoint):
    """Segmentations without an error, so that no network is run."""
    return Segmenter("the truth", bundle.table, lambda name: {"bundle": bundle.digest}, lambda case: (case.truth, {}, ()))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two sparsely labelled cases, and one that is labelled in full."""
    root = tmp_path_factory.mktemp("site")
    for seed in range(2):
        write_case(root / "cases", f"p{seed}", seed=seed, labelled={"slices": [6, 17]})
    case = write_case(root / "test", "q1", seed=9)
    image = sitk.GetImageFromArray(labels_of(phantom_hu(seed=9)))
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(case / "labels.nrrd"))
    return root


@pytest.fixture(scope="module")
def trained(site, tmp_path_factory):
    """Rounds that were stopped between their training and the pseudo-labels and went on; the plan and what was said."""
    plan = SparsePlan(site / "cases", tmp_path_factory.mktemp("out") / "run", site / "test", pseudo=RUN)
    stopped, resumed = Stopped("Round 2: pseudo-labels"), Stopped()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pseudo_cases, "pseudo_labels", confirmed)
        patch.setattr(rounds, "network_segmenter", perfect)
        with pytest.raises(Cancelled):
            train_rounds(RECIPE, plan, stopped.calls)
        train_rounds(RECIPE, plan, resumed.calls)
    return plan, resumed.said


def test_rounds_go_on_where_they_stopped(trained):
    plan, said = trained
    assert "4 of 48 slices are annotated (8.3 %)." in said
    assert any(line.startswith("Nobody drew GMAX in any slice") for line in said)
    assert "Round 1: training: done before." in said and "Round 2: training ..." in said
    again = Stopped()
    bundle = train_rounds(RECIPE, plan, again.calls)
    assert (plan.output / "round-2" / "bundle").is_dir()
    assert bundle.folder == plan.output / "round-1" / "bundle", "of rounds that are equally good the first"
    assert all(line.endswith("done before.") for line in again.said if line.startswith("Round"))


def test_pseudo_labels_are_cases_without_what_was_drawn(trained):
    plan, _ = trained
    (files,) = find_labelled_cases(plan.output / "pseudo-2")
    assert files.name == "p0", "nothing was confirmed in the other case, which training would refuse"
    case = read_labelled_case(files, HIP_AND_THIGH)
    known = ~case.outside
    assert np.flatnonzero(known.any(axis=(1, 2))).tolist() == [3, 4, 5, 7, 8], "slice 6 is learned from the annotation"
    facts = json.loads((files.labels.parent / "pseudo.json").read_text())
    assert facts["slices"] == 6 and facts["rule"]["reach_mm"] == 6.0 and "no truth" in facts["what"]
    prepared = np.load(prepare_case(files, plan.output / "look", SPEC, PREPROCESSING))
    assert set(np.unique(prepared[:, -1])) == {-1, 0, 2, 13}, "what is not confirmed is unlabelled, not background"


def test_the_tables_compare_the_rounds(trained):
    plan, _ = trained
    rows = (plan.output / "rounds.csv").read_text().splitlines()
    assert rows[0].startswith("round,structure") and {row.split(",")[0] for row in rows[1:]} == {"1", "2"}
    cells = [row.split(",") for row in rows[1:]]
    assert {tuple(row[1:6]) for row in cells} >= {("FEMUR", "1", "2", "0", "1.000"), ("ALL", "1", "4", "0", "1.000")}
    text = (plan.output / "rounds.md").read_text()
    assert (
        "4 of 48 slices of 2 cases were annotated (8.3 %)." in text and "| FEMUR |" in text and "no later round is better" in text
    )
    recipe = json.loads((plan.output / "round-2" / "recipe.json").read_text())
    assert [source["weight"] for source in recipe["sources"]] == [0.5, 0.5] and recipe["initial"].endswith("checkpoint.pt")


def test_other_work_in_the_folder_is_not_gone_on_with(trained):
    plan, _ = trained
    with pytest.raises(InputError, match="from other cases or with other options"):
        train_rounds(RECIPE, replace(plan, share=0.25), Stopped().calls)


def test_cases_that_cannot_be_meant_are_refused(site, trained, tmp_path):
    plan = SparsePlan(site / "test", tmp_path / "run", None, pseudo=RUN)
    with pytest.raises(InputError, match="no labelled.json, so that all of its slices"):
        train_rounds(RECIPE, plan, Stopped().calls)
    with pytest.raises(InputError, match="'p0' is among those to learn from"):
        train_rounds(RECIPE, replace(plan, cases=site / "cases", test=site / "cases"), Stopped().calls)
    with pytest.raises(InputError, match="'p0' holds pseudo-labels"):
        train_rounds(RECIPE, replace(plan, cases=trained[0].output / "pseudo-2"), Stopped().calls)
    write_case(tmp_path / "cases", "p5", labelled={"slices": []})
    with pytest.raises(InputError, match="No slice of the case 'p5' is annotated"):
        survey_cases(find_labelled_cases(tmp_path / "cases"), HIP_AND_THIGH)
    with pytest.raises(InputError, match="1 to 9 rounds"):
        replace(plan, rounds=0)


def test_pseudo_labels_that_are_wrong_where_somebody_drew_are_not_learned(site, tmp_path, monkeypatch):
    """A network that calls a muscle background, and all of its passes agree: the rounds go on with what was drawn."""
    seen = []

    def blind(volume, bundle, run, checkpoint=None):
        """Of two cases, in two rounds: it sees the muscle in the second round of pseudo-labels."""
        seen.append(volume)
        found = confirmed(volume, bundle, run)
        return found if len(seen) > 2 else replace(found, labels=np.where(found.labels % 100 == 13, 0, found.labels))

    monkeypatch.setattr(pseudo_cases, "pseudo_labels", blind)
    monkeypatch.setattr(rounds, "network_segmenter", perfect)
    plan = SparsePlan(site / "cases", tmp_path / "run", site / "test", rounds=3, pseudo=RUN)
    train_rounds(RECIPE, plan, Stopped().calls)
    recipe = json.loads((plan.output / "round-2" / "recipe.json").read_text())
    assert [source["pairs"] for source in recipe["sources"]] == [str(site / "cases")]
    assert recipe["initial"] == str(plan.output / "round-1" / "checkpoint.pt")
    assert len(json.loads((plan.output / "round-3" / "recipe.json").read_text())["sources"]) == 2, (
        "they are judged anew in each round"
    )
    text = (plan.output / "rounds.md").read_text()
    assert "Round 2: Pseudo-labels are not learned" in text and "confirmed as background" in text
    assert "| 2 | annotated slices alone |" in text and "| 3 | annotated slices, and pseudo-labels in 6 slices" in text
    with pytest.raises(InputError, match="shares from 0 to 1"):
        ConfirmationGate(least_right=2)
