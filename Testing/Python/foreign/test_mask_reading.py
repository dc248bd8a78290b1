"""Masks in every form are read, recognised and written as a result that other commands work on; others are refused."""

from __future__ import annotations

import csv
import gzip
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from foreign_masks import codes, drawn_by, names_of
from given_labels import told

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.label_grid import place_labels
from MSKSegmentLib.ct.label_resampling import place_or_resample
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.foreign import find_label_table, import_case, mask_of_array, read_mask, translate
from MSKSegmentLib.results.result_reading import read_case

pytest_plugins = ("given_labels",)
# Few structures are enough where only reading is asked about.
SOME = {"gluteus_maximus_left": 104, "hip_right": 1, "sacrum": 3}


@pytest.fixture(scope="module")
def files(case, tmp_path_factory):
    """The CT, and masks of the phantom in several forms."""
    labels, volume = case
    folder = tmp_path_factory.mktemp("masks")

    def write(name, array):
        sitk.WriteImage(volume.geometry.image_of(array), str(folder / name), True)

    write("ct.nrrd", volume.hu)
    write("mm.nii.gz", drawn_by("musclemap", labels))
    write("ts.nii.gz", drawn_by("totalsegmentator", labels).astype(np.uint8))
    (folder / "parts").mkdir()
    for name, label in SOME.items():
        write(f"parts/{name}.nii.gz", (labels == label).astype(np.uint8))
    write("parts/urinary_bladder.nii.gz", (labels == 9).astype(np.uint8))
    return folder


def with_names(path, names, target):
    """A copy of a NIfTI file with names as TotalSegmentator stores them: XML in a header extension."""
    data = bytearray(gzip.decompress(path.read_bytes()))
    entries = "".join(f'<Label Key="{value}" Red="1"><![CDATA[{name}]]></Label>' for value, name in names.items())
    content = f"<CaretExtension><VolumeInformation><LabelTable>{entries}</LabelTable></VolumeInformation></CaretExtension>".encode()
    content += b"\0" * (-(len(content) + 8) % 16)
    begin = 352 + 8 + len(content)
    data[108:112] = np.float32(begin).tobytes()
    extension = b"\1\0\0\0" + np.array([len(content) + 8, 0], "<i4").tobytes() + content
    target.write_bytes(gzip.compress(bytes(data[:348]) + extension + bytes(data[352:])))


def test_a_nifti_with_names_needs_no_table(files, case):
    with_names(files / "ts.nii.gz", names_of("totalsegmentator"), files / "named.nii.gz")
    found = translate(read_mask(files / "named.nii.gz"), HIP_AND_THIGH)
    assert (found.label_table.name, found.recognised_by) == ("totalsegmentator", "its names")
    plain = translate(read_mask(files / "ts.nii.gz"), HIP_AND_THIGH, find_label_table("totalsegmentator", HIP_AND_THIGH))
    np.testing.assert_array_equal(found.labels, plain.labels)


def test_a_folder_of_one_structure_files(files, case):
    labels, _ = case
    found = translate(read_mask(files / "parts"), HIP_AND_THIGH)
    assert found.label_table.name == "totalsegmentator"
    np.testing.assert_array_equal(found.labels, np.where(np.isin(labels, list(SOME.values())), labels, 0))
    assert [label.name for label in found.kept.labels if label.voxels] == ["urinary_bladder"]


def test_a_file_of_another_grid_in_a_folder_is_refused(files, case, tmp_path):
    labels, volume = case
    elsewhere = replace(volume.geometry, origin=(0.0, 0.0, 0.0))
    for side, grid in (("left", volume.geometry), ("right", elsewhere)):
        sitk.WriteImage(grid.image_of((labels == 104).astype(np.uint8)), str(tmp_path / f"gluteus_maximus_{side}.nii.gz"))
    with pytest.raises(InputError, match="lies on another grid than the other files"):
        translate(read_mask(tmp_path), HIP_AND_THIGH)


def test_a_segmentation_of_slicer_by_names_in_layers(case, tmp_path):
    labels, volume = case
    stacked = np.stack([(labels == 104) * 1 + (labels == 3) * 2, (labels == 104) * 1], axis=-1).astype(np.uint8)
    image = sitk.GetImageFromArray(stacked, isVector=True)
    image.SetSpacing(volume.geometry.spacing)
    image.SetOrigin(volume.geometry.origin)
    segments = [("Segment_1", "Left buttock", 0, 1), ("sacrum", "sacrum", 0, 2), ("Segment_3", "Gluteus maximus L", 1, 1)]
    for number, (identifier, name, layer, value) in enumerate(segments):
        for key, text in {"ID": identifier, "Name": name, "Layer": layer, "LabelValue": value}.items():
            image.SetMetaData(f"Segment{number}_{key}", str(text))
    sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))
    found = translate(read_mask(tmp_path / "a.seg.nrrd"), HIP_AND_THIGH)
    np.testing.assert_array_equal(found.labels, np.where(np.isin(labels, (3, 104)), labels, 0))
    assert [label.name for label in found.kept.labels] == ["Left buttock"]


def test_slicers_terminology_is_understood_where_names_are_not(case, tmp_path):
    labels, volume = case
    image = volume.geometry.image_of((labels == 104).astype(np.uint8))
    term = "List~SCT^123037004^Anatomical Structure~SCT^181674001^Gluteus maximus muscle~SCT^7771000^Left~~^^~^^"
    for key, text in {"ID": "Segment_1", "Name": "Po links", "LabelValue": "1", "Tags": f"TerminologyEntry:{term}|"}.items():
        image.SetMetaData(f"Segment0_{key}", text)
    sitk.WriteImage(image, str(tmp_path / "t.seg.nrrd"))
    table = tmp_path / "none.csv"
    table.write_text("name,structure\nsomething else,GMED\n", encoding="utf-8")
    found = translate(read_mask(tmp_path / "t.seg.nrrd"), HIP_AND_THIGH, find_label_table(str(table), HIP_AND_THIGH))
    np.testing.assert_array_equal(found.labels, np.where(labels == 104, labels, 0))


def test_import_writes_a_result_that_reads_back(files, case, tmp_path, capsys):
    labels, volume = case
    out = tmp_path / "out"
    assert main(["import", str(files / "parts"), "--ct", str(files / "ct.nrrd"), "-o", str(out), "--keep-ct"]) == 0
    assert "imported" in capsys.readouterr().out.lower()
    case_read = read_case(out)
    assert codes(case_read.result.findings) >= {"imported", "unknown_labels", "other_convention"}
    content = json.loads((out / "result.json").read_text(encoding="utf-8"))
    (other,) = content["provenance"]["imported"]["other_labels"]
    assert other["name"] == "urinary_bladder" and "other_labels.seg.nrrd" in content["files"]
    kept = read_mask(out / "other_labels.seg.nrrd")
    assert [segment.called for segment in kept.segments] == ["urinary_bladder"]
    np.testing.assert_array_equal(kept.layers[0].voxels() > 0, labels == 9)
    rows = list(csv.DictReader((out / "measurements.csv").open(encoding="utf-8")))
    assert len(rows) == 43 and {row["light"] for row in rows} == {"grey"}
    assert main(["slices", str(out), "--ct", str(files / "ct.nrrd"), "-o", str(tmp_path / "s.csv"), "--quiet"]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ts.nii.gz"], "say whose they are: --labels"),
        (["gone.nii.gz"], "There is no file gone.nii.gz"),
        (["ct.nrrd"], "holds the negative value .* an image and no label map"),
        (["ts.nii.gz", "--labels", "musclemap"], "is a structure that is measured here"),
        (["ts.nii.gz", "--labels", "their.csv"], "There is no table their.csv"),
        (["mm.nii.gz", "--ct", "mm.nii.gz"], "Hounsfield|HU"),
    ],
)
def test_what_cannot_be_imported_leaves_nothing(arguments, sentence, files, tmp_path, capsys):
    words = [str(files / word) if word.endswith((".gz", ".nrrd")) else word for word in arguments]
    ct = [] if "--ct" in words else ["--ct", str(files / "ct.nrrd")]
    assert main(["import", *words, *ct, "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert re.search(sentence, error) and "\n" not in error
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def finer(labels, grid):
    """The same label map on voxels of half the size."""
    size, spacing = tuple(2 * n for n in grid.size), tuple(step / 2 for step in grid.spacing)
    origin = tuple(grid.to_physical([-0.25] * 3).tolist())
    return labels.repeat(2, 0).repeat(2, 1).repeat(2, 2), Geometry(size, spacing, origin)


def test_another_grid_in_the_same_place_is_resampled_with_a_finding(case):
    labels, volume = case
    result = import_case(volume, mask_of_array(*finer(labels, volume.geometry)), HIP_AND_THIGH).result
    np.testing.assert_array_equal(result.labels, labels)
    assert "brought onto the voxels of the CT" in told(result, "labels_resampled")[0]


def test_a_finer_map_counts_as_cut_and_outside_where_one_on_the_ct_does(case):
    labels, volume = case
    grid, first = volume.geometry, 60
    part = grid.cropped((0, 0, first), (*grid.size[:2], grid.size[2] - first))
    ct = grid.cropped((0, 0, 0), (*grid.size[:2], 110))
    placed, resampled = place_or_resample(*finer(labels[first:], part), ct)
    same = place_labels(labels[first:], part, ct)
    assert resampled and same.cut_at_edge[2] and same.outside[102]
    np.testing.assert_array_equal(placed.labels, same.labels)
    np.testing.assert_array_equal(placed.outside, same.outside)
    np.testing.assert_array_equal(placed.cut_at_edge, same.cut_at_edge)


@pytest.mark.parametrize(
    ("shift", "spacing", "sentence"),
    [((30.0, 0.0, 0.0), 1.0, "lie 30.00, 0.00, 0.00 mm apart"), ((3000.0, 0.0, 0.0), 0.5, "lies outside the CT")],
)
def test_a_mask_that_lies_elsewhere_is_refused(shift, spacing, sentence, case):
    labels, volume = case
    grid = volume.geometry
    moved = replace(
        grid, origin=tuple(a + b for a, b in zip(grid.origin, shift, strict=True)), spacing=tuple(s * spacing for s in grid.spacing)
    )
    with pytest.raises(InputError, match=sentence):
        import_case(volume, mask_of_array(labels, moved), HIP_AND_THIGH)
