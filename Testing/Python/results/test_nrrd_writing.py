"""NRRD files are those that SimpleITK would write, but for how their voxels are compressed."""

import gzip

import numpy as np
import pytest
import SimpleITK as sitk

from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.results.nrrd_writing import write_nrrd

TURNED = ((0.0, 0.6, -0.8), (1.0, 0.0, 0.0), (0.0, 0.8, 0.6))
GEOMETRY = Geometry((7, 5, 3), (0.78125, 1.1, 3.0), (-12.5, 40.25, 1.0 / 3.0), TURNED)
ENTRIES = {"Name": "M. sartorius", "Tags": 'a:1|b:["x"]|', "Lines": "one\nsizes: 1 1 1\n\nencoding: raw\nthree", "Größe": "5 µm"}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_header_and_voxels_are_those_of_simpleitk(tmp_path, dtype):
    array = np.random.default_rng(0).normal(20, 10, GEOMETRY.shape).astype(dtype)
    image = GEOMETRY.image_of(array)
    for key, value in ENTRIES.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(tmp_path / "theirs.nrrd"), useCompression=True)
    write_nrrd(tmp_path / "ours.nrrd", array, GEOMETRY, ENTRIES)
    (ours, packed), (theirs, _) = ((tmp_path / name).read_bytes().split(b"\n\n", 1) for name in ("ours.nrrd", "theirs.nrrd"))
    assert ours == theirs
    assert gzip.decompress(packed) == array.tobytes()
    read, same = (sitk.ReadImage(str(tmp_path / name)) for name in ("ours.nrrd", "theirs.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(read), array) and Geometry.of_image(read) == Geometry.of_image(same)


def test_an_array_that_is_a_view_of_several_megabytes_is_whole(tmp_path):
    """More than one block of one thread, and not as it lies in memory."""
    array = np.random.default_rng(0).integers(0, 9, (70, 200, 300), np.uint8).transpose(0, 2, 1)
    geometry = Geometry(array.shape[::-1], (1.0, 1.0, 1.0))
    write_nrrd(tmp_path / "a.nrrd", array, geometry, {})
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.nrrd"))), array)


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(ValueError, match="on a grid of shape"):
        write_nrrd(tmp_path / "a.nrrd", np.zeros((5, 7, 3), np.uint8), GEOMETRY, {})
    with pytest.raises((OSError, RuntimeError)):
        write_nrrd(tmp_path / "nowhere" / "a.nrrd", np.zeros(GEOMETRY.shape, np.uint8), GEOMETRY, {})
