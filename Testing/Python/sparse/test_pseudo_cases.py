"""From the class maps of the passes to pseudo-labels on the CT's own grid, whatever its axes and slices are."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import phantom_hu, phantom_volume
from training_cases import PREPROCESSING, SPEC, classes_of, write_case

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.cases import find_labelled_cases, find_true_cases
from MSKSegmentLib.evaluation.run import folder_tasks
from MSKSegmentLib.inference import predict as predicting
from MSKSegmentLib.inference.evidence import SliceEvidence
from MSKSegmentLib.inference.predict import Prediction
from MSKSegmentLib.sparse.pseudo_cases import PseudoRun, pseudo_labels
from MSKSegmentLib.sparse.pseudo_labels import PseudoRule
from MSKSegmentLib.tasks import HIP_THIGH_CT

RUN = PseudoRun(10, 0, "cpu", PseudoRule(0.9, 4.0, 0.3))
NOTHING = np.zeros(0)


def bundle(interval=6.0):
    """A bundle as far as it is looked at; its network is never called."""
    preprocessing = type(PREPROCESSING)(in_plane_spacing_mm=8.0, slice_interval_mm=interval)
    manifest = SimpleNamespace(network=SPEC, preprocessing=preprocessing)
    return SimpleNamespace(manifest=manifest, table=HIP_AND_THIGH, task=HIP_THIGH_CT, load_network=lambda: None)


@pytest.fixture
def doubtful(monkeypatch):
    """A network that finds the phantom's femora and muscles at half the resolution; slices in which half of its passes doubt."""
    slices = []

    def predict(volume, network, spec, preprocessing, sampling, progress=None, checkpoint=None, body=None):
        classes = classes_of(volume.hu)
        levels = predicting.plan_slices(volume, preprocessing, spec).levels
        evidence = []
        for level in levels:
            maps = np.repeat(classes[round(level)][None, ::2, ::2], sampling.passes, axis=0)
            if round(level) in slices:
                maps[: sampling.passes // 2] = 0
            evidence.append(SliceEvidence(float(level), sampling.passes, *[NOTHING] * 9, maps))
        return Prediction(classes, np.zeros(classes.shape, np.float32), evidence=tuple(evidence))

    monkeypatch.setattr(predicting, "predict", predict)
    return slices


def classes_with_sides(labels):
    return np.where(labels > 100, labels - 100, labels)


def test_confirmed_labels_lie_where_the_ct_shows_them(doubtful):
    volume = phantom_volume()
    found = pseudo_labels(volume, bundle(), RUN)
    truth = classes_of(volume.hu)
    kept = found.known & (found.labels > 0)
    assert (classes_with_sides(found.labels)[kept] == truth[kept]).all() and kept.sum() > 0.85 * (truth[1:-1] > 0).sum()
    assert found.slices == len(truth) - 2 and 0.75 < found.share < 1
    assert not found.known[0].any() and not found.known[-1].any() and set(np.unique(found.labels)) == {0, 2, 13, 102, 113}


def test_a_doubtful_slice_and_none_beside_it_is_left_out(doubtful):
    doubtful.append(10)
    found = pseudo_labels(phantom_volume(), bundle(), RUN)
    # The neighbours look at what most passes say of the slice, which of equally many is background.
    assert np.flatnonzero(~found.known.any(axis=(1, 2))).tolist() == [0, 9, 10, 11, 23]


def test_a_ct_stored_along_other_axes_gives_the_same(doubtful):
    volume = phantom_volume()
    turned = sitk.DICOMOrient(volume.geometry.image_of(volume.hu), "RAI")
    other = CTVolume(sitk.GetArrayFromImage(turned), Geometry.of_image(turned))
    straight, flipped = (pseudo_labels(one, bundle(), RUN) for one in (volume, other))
    assert straight.slices == flipped.slices and straight.share == pytest.approx(flipped.share, abs=0.02)
    image = turned.__class__(turned)
    assert np.array_equal(classes_with_sides(flipped.labels)[flipped.known] > 0, (sitk.GetArrayFromImage(image) > 0)[flipped.known])


def test_of_thin_slices_those_that_the_network_saw_are_kept(doubtful):
    hu = np.repeat(phantom_hu(), 3, axis=0)
    thin = CTVolume(hu, Geometry(hu.shape[::-1], (4.0, 4.0, 2.0)))
    found = pseudo_labels(thin, bundle(6.0), RUN)
    seen = np.flatnonzero(found.known.any(axis=(1, 2)))
    assert 20 <= len(seen) <= 24 and set(np.diff(seen).tolist()) <= {2, 3}, "one in three slices"


def test_a_network_is_never_judged_by_its_own_labels(tmp_path):
    case = write_case(tmp_path / "cases", "p1")
    assert [one.name for one in folder_tasks(tmp_path / "cases", HIP_AND_THIGH)] == ["p1"]
    (case / "pseudo.json").write_text("{}")
    for judge in (lambda: folder_tasks(tmp_path / "cases", HIP_AND_THIGH), lambda: list(find_true_cases(tmp_path / "cases"))):
        with pytest.raises(InputError, match="'p1' holds pseudo-labels, which are no truth"):
            judge()
    assert find_labelled_cases(tmp_path / "cases"), "training may learn from them"
