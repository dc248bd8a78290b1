"""DICOM results of series that are not as they were, not on one grid, or no series at all."""

import json
import shutil
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import pydicom
import pytest
from dicom_result_cases import TAGS, hip_case, make_dicom_case, positions, result_of, write_series
from enhanced_ct import write_enhanced
from review_cases import LABEL

pytest.importorskip("highdicom", reason="highdicom is not installed")

from MSKSegmentLib.ct.reading.files import read_ct
from MSKSegmentLib.dicom_results.export import export_dicom, source_place
from MSKSegmentLib.dicom_results.identity import identity_of
from MSKSegmentLib.dicom_results.segmentation import make_segmentation
from MSKSegmentLib.dicom_results.source import by_frames, open_source
from MSKSegmentLib.errors import DependencyError, InputError
from MSKSegmentLib.results.result_reading import read_result
from MSKSegmentLib.run_facts import facts_from_json


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return make_dicom_case(tmp_path_factory.mktemp("dicom"))


@pytest.fixture
def series(case, tmp_path):
    return shutil.copytree(case.series, tmp_path / "series")


def test_a_result_keeps_its_series_without_names_and_paths(case):
    content = json.loads((case.folder / "result.json").read_text(encoding="utf-8"))
    kept = content["provenance"]["input"]["dicom"]
    assert kept["instances"] == [one.instance_uid for one in case.volume.source.slices]
    assert set(kept) == {"study", "series", "instances"}
    text = json.dumps(content, ensure_ascii=False)
    assert "Yamada" not in text and "P-17" not in text and str(case.series) not in text
    assert facts_from_json(content["provenance"]) == read_result(case.folder)[0].facts


def test_another_file_beside_the_series_does_not_matter(case, series):
    second = pydicom.dcmread(next(series.iterdir()))
    second.SeriesInstanceUID, second.SOPInstanceUID = "1.2.3.4", "1.2.3.4.5"
    second.save_as(series / "another.dcm")
    assert len(open_source(case.result, series).slices) == len(case.volume.hu)


@pytest.mark.parametrize("thickness", ["empty", "missing"])
def test_a_series_need_not_state_its_slice_thickness(case, series, thickness):
    for file in series.iterdir():
        data = pydicom.dcmread(file)
        if thickness == "missing":
            data.pop("SliceThickness", None)
        else:
            data.SliceThickness = None
        data.save_as(file)
    source = open_source(case.result, series)
    made = make_segmentation(case.result, source, identity_of(case.result, (), 3))
    measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SliceThickness) == pytest.approx(case.volume.geometry.spacing[2])


def test_the_series_may_be_zipped(case, tmp_path):
    path = tmp_path / "series.zip"
    with zipfile.ZipFile(path, "w") as target:
        for file in case.series.iterdir():
            target.write(file, file.name)
    source = open_source(case.result, path)
    assert source.place == path and [str(image.SOPInstanceUID) for image in source.images] == list(
        case.result.facts.series.instances
    )


def test_changed_series_are_refused(case, series):
    paths = sorted(series.iterdir())
    data = pydicom.dcmread(paths[3])
    kept = paths[3].read_bytes()
    pixels = np.frombuffer(data.PixelData, "<i2").copy()
    pixels[100] += 1
    data.PixelData = pixels.tobytes()
    data.save_as(paths[3])
    with pytest.raises(InputError, match="has changed"):
        open_source(case.result, series)
    paths[3].write_bytes(kept)
    paths[0].unlink()
    with pytest.raises(InputError, match="other images"):
        open_source(case.result, series)


def test_places_without_the_series_are_refused(case, series, tmp_path):
    for path in series.iterdir():
        data = pydicom.dcmread(path)
        data.SeriesInstanceUID = "1.2.3.4"
        data.save_as(path)
    with pytest.raises(InputError, match="does not hold the series"):
        open_source(case.result, series)
    with pytest.raises(InputError, match="does not hold the series"):
        open_source(case.result, tmp_path / "nowhere")


def test_results_of_other_files_and_without_a_place_are_refused(case, tmp_path):
    with pytest.raises(InputError, match="does not say where"):
        source_place(case.result, None)
    assert source_place(replace(case.result, facts=replace(case.result.facts, source=str(tmp_path))), None) == tmp_path
    image = replace(case.result, facts=replace(case.result.facts, series=None))
    with pytest.raises(InputError, match="does not say which DICOM series"):
        source_place(image, case.series)


def test_nothing_is_written_where_it_cannot_be(case, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files"):
        export_dicom(case.folder, full, case.series)
    with pytest.raises(InputError):
        export_dicom(case.folder, tmp_path / "new", tmp_path / "nowhere")
    assert not (tmp_path / "new").exists() and [p.name for p in full.iterdir()] == ["notes.txt"]


def test_missing_package_is_named(case, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(DependencyError, match=r"mskseg\[dicom\]"):
        export_dicom(case.folder, tmp_path / "new", case.series)


def test_series_that_name_no_frame_of_reference_are_refused(tmp_path):
    result, volume = hip_case()
    series = write_series(tmp_path / "series", volume, lambda k, data: data.__delattr__("FrameOfReferenceUID"))
    result, _ = result_of(series, result)
    with pytest.raises(InputError, match="no frame of reference"):
        open_source(result, series)


def drawn_on(volume, result):
    """A result whose labels follow the density of the CT that was read, so that they can be told on the slices."""
    return replace(result, labels=(volume.hu > 0).astype(np.uint8), uncertainty=None, geometry=volume.geometry)


def test_labels_of_a_straightened_scan_go_back_to_the_tilted_slices(tmp_path):
    result, volume = hip_case()
    hu = np.where(volume.hu > 0, 200, -200).astype(np.int16)
    tilted = positions(volume) + np.outer(np.arange(len(hu)), (0.0, 4 * np.tan(np.radians(14)), 0.0))
    series = write_series(tmp_path / "series", replace(volume, hu=hu), places=tilted)
    result, read = result_of(series, result)
    assert read.geometry.size[1] > volume.geometry.size[1]
    result = drawn_on(read, result)
    source = open_source(result, series)
    assert not source.match.exact and not source.match.unseen
    frames = by_frames(source, result.labels)
    # Half a pixel of interpolation is all that lies between.
    assert frames.shape == hu.shape and np.mean((frames > 0) == (hu > 0)) > 0.9
    data = make_segmentation(result, source, identity_of(result, (), 1))
    groups = [group.PlanePositionSequence[0].ImagePositionPatient for group in data.PerFrameFunctionalGroupsSequence]
    places = {tuple(float(v) for v in place) for place in groups}
    assert places <= {tuple(float(v) for v in np.round(place, 5)) for place in tilted} and len(places) == len(hu)


def test_labels_of_mixed_intervals_go_to_the_nearest_slices(tmp_path):
    result, volume = hip_case()
    # The upper half was scanned at twice the interval.
    chosen = [*range(10), *range(10, 20, 2)]
    some = replace(volume, hu=volume.hu[chosen], geometry=replace(volume.geometry, size=(*volume.geometry.size[:2], 15)))
    series = write_series(tmp_path / "series", some, places=positions(volume)[chosen])
    read = read_ct(series)
    assert read.resampled
    result = replace(drawn_on(read, result), facts=result_of(series, result)[0].facts)
    source = open_source(result, series)
    frames = by_frames(source, result.labels)
    assert source.match.unseen == read.geometry.size[2] - 15 and len(frames) == 15
    np.testing.assert_array_equal(frames, volume.hu[chosen] > 0)


def test_labels_of_a_multi_frame_scan_lie_on_its_frames(tmp_path):
    result, volume = hip_case()
    order = np.random.default_rng(2).permutation(len(volume.hu)).tolist()
    complete = partial(add_tags, tags=TAGS)
    path = write_enhanced(tmp_path / "ct.dcm", volume.hu, order=order, positions=positions(volume), edit=complete)
    result, read = result_of(path, result)
    np.testing.assert_array_equal(read.hu, volume.hu)
    source = open_source(result, path)
    assert source.multi_frame and source.match.exact
    np.testing.assert_array_equal(by_frames(source, result.labels), result.labels[order])
    data = make_segmentation(result, source, identity_of(result, (), 1))
    for frame, group in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        key = data.SegmentSequence[group.SegmentIdentificationSequence[0].ReferencedSegmentNumber - 1].TrackingID
        place = [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient]
        level = round(result.geometry.to_index(place)[2])
        np.testing.assert_array_equal(frame > 0, result.labels[level] == LABEL[key])
        drawn_on = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert order[int(drawn_on.ReferencedFrameNumber) - 1] == level


def add_tags(data, tags):
    for keyword, value in tags.items():
        setattr(data, keyword, value)


def test_a_scan_spread_over_multi_frame_files_is_refused(tmp_path):
    result, volume = hip_case()
    for name, order in (("a", range(10)), ("b", range(10, 20))):
        place = tmp_path / "ct" / f"{name}.dcm"
        write_enhanced(place, volume.hu, order=order, positions=positions(volume), edit=partial(add_tags, tags=TAGS))
    result, _ = result_of(tmp_path / "ct", result)
    with pytest.raises(InputError, match="spread over several multi-frame files"):
        open_source(result, tmp_path / "ct")
