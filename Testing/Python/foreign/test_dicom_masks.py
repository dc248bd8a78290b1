"""DICOM segmentations: segments by name and code, on the slices of their series, and never of another study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dicom_result_cases import TAGS, make_dicom_case

pytest.importorskip("highdicom", reason="highdicom is not installed")

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.label_grid import place_labels
from MSKSegmentLib.ct.reading.files import read_ct
from MSKSegmentLib.dicom_results.identity import identity_of
from MSKSegmentLib.dicom_results.segmentation import make_segmentation
from MSKSegmentLib.dicom_results.source import open_source
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.foreign import import_case, read_mask, translate
from MSKSegmentLib.foreign.dicom_masks import frame_of_reference


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return make_dicom_case(tmp_path_factory.mktemp("dicom"))


@pytest.fixture(scope="module")
def exported(case):
    path = case.folder.parent / "segmentation.dcm"
    source = open_source(case.result, case.series)
    make_segmentation(case.result, source, identity_of(case.result, (), 1)).save_as(path, enforce_file_format=True)
    return path


def test_what_was_exported_comes_back(case, exported):
    found = translate(read_mask(exported), HIP_AND_THIGH)
    assert (found.label_table.name, found.recognised_by) == ("ours", "its names")
    placed = place_labels(found.labels, found.geometry, case.result.geometry)
    np.testing.assert_array_equal(placed.labels, case.result.labels)


def test_segments_without_a_known_name_are_known_by_code_and_side(case, exported):
    mask = read_mask(exported)
    coded = [segment for segment in mask.segments if segment.code.scheme == "SCT"]
    assert len(coded) > 6 and all(segment.side for segment in coded if "acrum" not in segment.called)
    layers = tuple(replace(layer, segments=tuple(replace(s, texts=("no name",)) for s in layer.segments)) for layer in mask.layers)
    found = translate(replace(mask, layers=layers), HIP_AND_THIGH)
    assert found.recognised_by == "the codes of its structures"
    gmed = HIP_AND_THIGH.segment("GMED_left").label
    placed = place_labels(found.labels, found.geometry, case.result.geometry)
    np.testing.assert_array_equal(placed.labels == gmed, case.result.labels == gmed)


@pytest.mark.parametrize(
    ("uids", "sentence"),
    [({"study_uid": "1.2.3"}, "belongs to another study than the CT"), ({"frame_uid": "1.2.3"}, "in another frame of reference")],
)
def test_another_study_or_frame_is_refused(uids, sentence, case, exported):
    with pytest.raises(InputError, match=sentence):
        import_case(read_ct(case.series), replace(read_mask(exported), **uids), HIP_AND_THIGH)


def test_the_frame_of_a_series_is_that_of_its_segmentation(case, exported):
    assert read_mask(exported).frame_uid == frame_of_reference(sorted(case.series.iterdir())[0]) == TAGS["FrameOfReferenceUID"]


def test_other_dicom_objects_are_refused(case):
    one = sorted(case.series.iterdir())[0]
    with pytest.raises(InputError, match="is no DICOM segmentation but of modality CT"):
        read_mask(one)
    with pytest.raises(InputError, match="holds 20 DICOM files"):
        read_mask(case.series)
