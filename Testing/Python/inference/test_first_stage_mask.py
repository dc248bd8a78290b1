"""What a first stage hides: the mask on a scan, what cannot be right, and the same for training and use."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import phantom_hu, phantom_volume
from quality_cases import observations
from training_cases import PREPROCESSING, SPEC, small_recipe, write_case

from MSKSegmentLib.bundle import Manifest, ModelBundle, NetworkSpec, load_bundle, save_bundle
from MSKSegmentLib.bundle.first_stage import FirstStage
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.ct.cropping import coarse_body
from MSKSegmentLib.ct.scan_mask import has_flat_object, labels_cut_by, mask_problem, widened
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.evaluation.cases import find_labelled_cases
from MSKSegmentLib.inference.first_stage import FirstStageRun
from MSKSegmentLib.inference.slices import SliceReader, plan_slices
from MSKSegmentLib.network.families import build_network
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.prepared_scan import behind_first_stage, prepare_scan
from MSKSegmentLib.quality.guards import scan_cautions
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.training.data import prepare_data
from MSKSegmentLib.training.finishing import write_bundle
from MSKSegmentLib.training.folds import Split
from MSKSegmentLib.training.loop import train
from MSKSegmentLib.training.pairs import prepare_case
from MSKSegmentLib.training.recipes import PairsData
from MSKSegmentLib.training.virtual_first_stage import hide_outside

SKIN = FirstStage()
RUN = Settings("cpu", passes=2, seed=3)


def on_a_table(volume):
    """The same body above a table top and with a cable between the legs."""
    hu = volume.hu.copy()
    hu[:, 58:60, 8:72] = 120
    hu[:, 30:34, 40] = 900
    return replace(volume, hu=hu)


@pytest.fixture(scope="module")
def behind_skin(tmp_path_factory, tiny_bundle):
    bundle = load_bundle(tiny_bundle)
    preprocessing = replace(bundle.manifest.preprocessing, first_stage=SKIN)
    manifest, state = replace(bundle.manifest, preprocessing=preprocessing), bundle.load_network().state_dict()
    return save_bundle(tmp_path_factory.mktemp("skin") / "behind", manifest, state, None, "A card.", dtype="float32")


def test_the_network_sees_the_body_and_nothing_beside_it(behind_skin):
    volume = on_a_table(phantom_volume())
    scan = prepare_scan(volume)
    seen = behind_first_stage(scan, behind_skin, FirstStageRun())
    body = phantom_hu()[seen.box.slices]
    assert np.array_equal(seen.body.hu, np.where(body > -300, body, -1000)) and seen.findings == scan.findings
    assert (scan.body.hu == 120).any() and np.array_equal(scan.body.hu, volume.hu[scan.box.slices]), "the scan itself is as it was"


def test_what_lies_beside_the_body_changes_nothing_behind_a_first_stage(behind_skin, tiny_bundle):
    alone, table = phantom_volume(), on_a_table(phantom_volume())
    plain = load_bundle(tiny_bundle)
    one, other = (segment_case(volume, behind_skin, RUN) for volume in (alone, table))
    assert np.array_equal(one.labels, other.labels) and np.array_equal(one.uncertainty, other.uncertainty) and one.labels.any()
    before, after = (segment_case(volume, plain, RUN) for volume in (alone, table))
    assert not np.array_equal(before.uncertainty, after.uncertainty), "the cable is there to be seen"
    assert one.facts.record["bundle"]["first_stage"] == {"kind": "body", "margin_mm": 0.0, "fill": -1000.0}
    assert "first_stage" not in before.facts.record["bundle"] and "first_stage" not in before.facts.record["seconds"]


def test_a_cascade_is_trained_on_what_it_sees_in_use(tmp_path):
    case = write_case(tmp_path / "cases", "one")
    files = find_labelled_cases(tmp_path / "cases")[0]
    preprocessing = replace(PREPROCESSING, first_stage=FirstStage(margin_mm=4.0, fill=-500))
    stored = np.load(prepare_case(files, tmp_path / "cache", SPEC, preprocessing))
    scan = prepare_scan(phantom_volume())
    mask = widened(phantom_hu() > -300, scan.working.volume.geometry, 4.0)[scan.box.slices]
    body = replace(scan.body, hu=np.where(mask, scan.body.hu, -500).astype(np.int16))
    plan = plan_slices(body, preprocessing, SPEC)
    kept = replace(preprocessing, hu_window=(-1024, 3071), value_range=(-1024, 3071))
    read = SliceReader(body, plan, kept, 3).read(plan.levels[9])[0, :, : plan.grid[0], : plan.grid[1]]
    assert case.is_dir() and np.array_equal(stored[9, :-1], read.round().numpy()) and (stored[9] == -500).any()


def test_a_first_network_that_learned_limits_the_second(tmp_path):
    for number in range(2):
        write_case(tmp_path / "pairs", f"case{number}", seed=number)
    recipe = small_recipe(iterations=40, name="first", sources=(PairsData(tmp_path / "pairs"),))
    split = Split(train_cases=("case0", "case1"))
    for name in ("first", "second"):
        data, _ = prepare_data(recipe, tmp_path / name, split, None, None, lambda: None)
        train(recipe, data, tmp_path / name, report=lambda status: None)
        bundle = write_bundle(recipe, split, tmp_path / name)
        stage = FirstStage("bundle", margin_mm=8.0, bundle=str(bundle.folder), structures=("FEMUR", "AD"))
        recipe = replace(recipe, iterations=4, name="second", preprocessing=replace(PREPROCESSING, first_stage=stage))
    assert bundle.manifest.preprocessing.first_stage.inside and "first network in this bundle" in bundle.card
    seen = []
    result = segment_case(phantom_volume(), bundle, RUN, lambda stage, done, total: seen.append(stage))
    assert list(dict.fromkeys(seen))[:3] == ["checks", "first_stage", "inference"]
    assert result.facts.record["bundle"]["first_stage"]["digest"] == load_bundle(tmp_path / "first" / "bundle").digest
    mask = behind_first_stage(prepare_scan(phantom_volume()), bundle, FirstStageRun()).mask
    limbs = phantom_hu() > 0
    assert mask[limbs].mean() > 0.9 and mask.mean() < 2 * limbs.mean() and not mask[:, :4].any()
    # What the first does not know it cannot find: then the second sees everything, and the result says so.
    first = load_bundle(tmp_path / "first" / "bundle")
    lost = FirstStage("bundle", bundle=str(first.folder), digest=first.digest, structures=("SACRUM",))
    blind = replace(bundle, manifest=replace(bundle.manifest, preprocessing=replace(PREPROCESSING, first_stage=lost)))
    scan = behind_first_stage(prepare_scan(phantom_volume()), blind, FirstStageRun())
    assert scan.mask is None and [finding.code for finding in scan.findings if "first" in finding.code] == ["first_stage_failed"]
    assert scan_cautions(scan.findings) == ("the first stage of the model failed",)


class Knowing(torch.nn.Module):
    """Femur and adductors by intensity alone, and sure of it: what it cannot see it does not find."""

    def forward(self, images):
        value = images[:, images.shape[1] // 2]
        logits = torch.zeros((len(images), 23, *value.shape[1:]))
        logits[:, 2], logits[:, 13] = 200 * (value - 0.8), 100 * (value - 0.25) - 400 * (value - 0.7).relu()
        return logits


def test_where_the_mask_cuts_what_is_wanted_nothing_is_green(tmp_path, monkeypatch):
    """The whole run: the first stage finds the femur alone, so that muscle which the second network is to find stays hidden."""
    spec = NetworkSpec(levels=2, base_filters=2, in_channels=1, family="attention-unet")
    manifest = Manifest("knowing", "1", "For tests.", "2026-01-01", "CC0", spec, PREPROCESSING, passes=2)
    first = save_bundle(tmp_path / "first", manifest, build_network(spec).state_dict(), None, "A card.")
    monkeypatch.setattr(ModelBundle, "load_network", lambda bundle: Knowing())
    calibration = calibrate(observations(24, only=("FEMUR", "AD")), "2026-01-01", "made up", 2).to_json()
    lights, findings = {}, {}
    for margin in (None, 100.0, 8.0):
        stage = FirstStage("bundle", margin or 0.0, bundle=str(first.folder), digest=first.digest, structures=("FEMUR",))
        preprocessing = replace(PREPROCESSING, first_stage=None if margin is None else stage)
        bundle = replace(first, manifest=replace(manifest, preprocessing=preprocessing), calibration=calibration)
        result = segment_case(phantom_volume(), bundle, RUN)
        findings[margin] = [finding.sentence for finding in result.findings]
        # The phantom's legs end at the scan's faces: what is judged is the part inside.
        lights[margin] = {report.segment.key: report.part_light for report in result.reports if report.measurements}
    assert findings[None] == findings[100.0] == [], "a wide margin hides nothing"
    assert lights[None] == lights[100.0] and set(lights[None].values()) == {Light.GREEN}
    (said,) = findings[8.0]
    assert "ends at Adductors, right, Adductors, left: what lies beyond was hidden" in said
    assert lights[8.0] and set(lights[8.0].values()) == {Light.YELLOW}
    told = [report.reasons for report in result.reports if report.measurements]
    assert all("the first stage of the model hides a part of what lies beside a structure" in reasons for reasons in told)


def test_a_mask_with_a_calibration_phantom_is_not_used(behind_skin):
    """A slab of 20 HU with rods that touches the skin, 200 mm wide: the body's mask takes it in."""
    volume = phantom_volume()
    hu = volume.hu.copy()
    hu[:, 54:60, 15:65] = 20
    hu[:, 56:58, 20:60:10] = 200
    seen = behind_first_stage(prepare_scan(replace(volume, hu=hu)), behind_skin, FirstStageRun())
    assert seen.mask is None and scan_cautions(seen.findings) == ("the first stage of the model failed",)
    assert "something flat under the body, such as a calibration phantom" in seen.findings[-1].sentence
    # As soft as fat, or narrow: a mattress is nothing that the network takes for muscle, and a body may lie flat.
    for soft, width in ((-150, 50), (20, 25)):
        hu = volume.hu.copy()
        hu[:, 54:60, 40 - width // 2 : 40 + width // 2] = soft
        assert not has_flat_object(hu > -300, replace(volume, hu=hu))


def test_a_mask_that_cannot_be_right_is_recognised():
    volume = phantom_volume()
    body, right = coarse_body(volume), volume.hu > -300
    assert mask_problem(right, body, volume.geometry, True) is None
    gap, table, half = right.copy(), right.copy(), right.copy()
    gap[10] = False
    table[:, 44:, :] = True
    half[12:, :, :40] = False
    judged = [mask_problem(mask, body, volume.geometry, True) for mask in (np.zeros_like(right), gap, table, half)]
    assert [problem.split(" ", 2)[-1] for problem in judged[:2]] == ["nothing", "has gaps between slices"]
    assert "outside the body" in judged[2] or "as large as" in judged[2]
    assert "as large as" in judged[3] or "jumps" in judged[3]
    assert mask_problem(half, body, volume.geometry, False) is None, "a structure may end on one side"


def test_a_margin_is_millimetres_in_every_direction():
    mask = np.zeros((9, 21, 21), bool)
    mask[4, 10, 10] = True
    wide = widened(mask, Geometry((21, 21, 9), (1.0, 2.0, 3.0)), 6.0)
    assert [int(np.count_nonzero(wide.any(axis=axes))) for axes in ((1, 2), (0, 2), (0, 1))] == [5, 7, 13]
    assert widened(mask, Geometry((21, 21, 9), (1.0, 2.0, 3.0)), 0.0) is mask


def test_structures_that_the_mask_cuts_are_named():
    labels, mask = np.zeros((4, 20, 20), np.uint8), np.ones((4, 20, 20), bool)
    labels[:, 5:10, 5:10], labels[:, 12:17, 5:10] = 4, 5
    mask[:, :5] = False
    tissue = np.ones_like(mask)
    assert labels_cut_by(labels, mask, tissue, 0.005) == [4]
    tissue[:, :5] = False
    assert labels_cut_by(labels, mask, tissue, 0.005) == [], "it ends at air, as a body does"


@pytest.mark.parametrize("channels", [1, 3])
def test_simulated_slices_lose_what_lies_beside_the_body(channels):
    hu = torch.from_numpy(on_a_table(phantom_volume()).hu[5 : 5 + channels].astype(np.float32))[None]
    body = torch.from_numpy(phantom_hu()[5 : 5 + channels].astype(np.float32))[None]
    hide_outside(hu, torch.zeros((1, 64, 80), dtype=torch.long), replace(PREPROCESSING, first_stage=SKIN))
    assert torch.equal(hu, torch.where(body > -300, body, -1000.0))
    empty = torch.full((1, channels, 64, 80), -990.0)
    hide_outside(empty, torch.zeros((1, 64, 80), dtype=torch.long), replace(PREPROCESSING, first_stage=SKIN))
    assert (empty == -1000).all()


def test_simulated_slices_keep_what_a_first_network_would_find():
    hu, classes = torch.zeros((2, 3, 32, 32)), torch.zeros((2, 32, 32), dtype=torch.long)
    classes[0, 10:20, 10:20] = 2
    stage = FirstStage("bundle", margin_mm=4.0, bundle="any", structures=("FEMUR",))
    hide_outside(hu, classes, replace(PREPROCESSING, first_stage=stage))
    assert (hu[0, :, 9:21, 10:20] == 0).all() and (hu[0, :, :8] == -1000).all() and (hu[1] == -1000).all()
