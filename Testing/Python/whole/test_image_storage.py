"""Voxels of image files that are packed, spread over files, or stored on a sheared grid."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
from ct_scans import write_dicom
from image_checks import assert_same_in_the_patient
from image_writing import Nifti, lopsided, meta, nifti, nrrd, sheared

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct import CTVolume, Geometry, read_ct, read_labels
from MSKSegmentLib.errors import InputError


def _packed_meta(folder: Path, packed: bytes, stated: int | None) -> Path:
    lines = [] if stated is None else [f"CompressedDataSize = {stated}"]
    plain = meta("CompressedData = True", *lines)(folder, lopsided())
    header = plain.read_bytes().partition(b"LOCAL\n")[0] + b"LOCAL\n"
    plain.write_bytes(header + packed)
    return plain


def test_a_packed_metaimage_is_read_whole_or_refused(tmp_path: Path) -> None:
    wanted = lopsided()
    raw = wanted.hu.astype("<i2").tobytes()
    packed = zlib.compress(raw, 1)
    assert_same_in_the_patient(read_ct(_packed_meta(tmp_path, packed, len(packed))), wanted)
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 255
    # The toolkit reads all of these without an error, and leaves what is missing as it finds it in memory.
    spoiled = (packed[:-200], bytes(flipped), packed[:-4] + bytes(4), zlib.compress(raw[: len(raw) // 2], 1), gzip.compress(raw, 1))
    for content in spoiled:
        with pytest.raises(InputError, match="packed voxels of scan.mha"):
            read_ct(_packed_meta(tmp_path, content, len(content)))
    with pytest.raises(InputError, match="packed voxels of scan.mha"):
        read_ct(_packed_meta(tmp_path, packed, 1000))
    with pytest.raises(InputError, match="how many bytes its packed voxels take"):
        read_ct(_packed_meta(tmp_path, packed, None))


@pytest.mark.parametrize("how", ["list", "pattern"])
@pytest.mark.parametrize(("files", "words"), [(20, ""), (17, "17 files for its 20 slices"), (21, "21 files"), (-1, "is missing")])
def test_a_metaimage_of_one_file_per_slice_is_read_whole_or_refused(how: str, files: int, words: str, tmp_path: Path) -> None:
    wanted = lopsided()
    for k, section in enumerate(wanted.hu):
        (tmp_path / f"s{k:02d}.raw").write_bytes(section.astype("<i2").tobytes())
    count = 20 if files < 0 else files
    if files < 0:
        (tmp_path / "s07.raw").unlink()
    names = "\n".join(f"s{k:02d}.raw" for k in range(count))
    stated = f"LIST\n{names}\n" if how == "list" else f"s%02d.raw 0 {count - 1} 1\n"
    path = tmp_path / "scan.mhd"
    path.write_bytes(meta()(tmp_path, wanted).read_bytes().partition(b"LOCAL\n")[0] + stated.encode())
    if not words:
        assert_same_in_the_patient(read_ct(path), wanted)
        return
    with pytest.raises(InputError, match=words):
        read_ct(path)


def leaning(degrees: float, slices: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A straight body of two unequal bars scanned with a tilted gantry: HU, the directions of columns and the first voxels, LPS."""
    angle = np.radians(degrees)
    column = np.array([0.0, np.cos(angle), np.sin(angle)])
    origins = np.array([(-96.0, -64.0, 4.0 * k) for k in range(slices)])
    i, j = np.meshgrid(np.arange(96) * 2.0, np.arange(64) * 2.0)
    hu = np.empty((slices, 64, 96), np.int16)
    for k, origin in enumerate(origins):
        x, y = origin[0] + i, origin[1] + j * column[1]
        hu[k] = np.where(np.hypot(x + 45, y) < 30, 50, np.where(np.hypot(x - 45, y) < 20, 200, -1000))
    return hu, column, origins


@pytest.mark.parametrize("degrees", [15.0, -22.0])
@pytest.mark.parametrize("how", ["sform", "sform and qform", "nrrd", "mha"])
def test_a_tilted_stack_is_straightened_as_its_dicom_is(degrees: float, how: str, tmp_path: Path) -> None:
    hu, column, origins = leaning(degrees)
    dicom = read_ct(write_dicom(tmp_path / "s", hu, spacing=(2.0, 2.0), orientation=(1, 0, 0, *column), positions=origins))
    steps = np.column_stack([(2.0, 0, 0), 2 * column, (0, 0, 4.0)])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = np.diag([-1, -1, 1]) @ steps, np.diag([-1, -1, 1]) @ origins[0]
    if "sform" in how:
        # The usual quaternion beside a sheared sform is that of the nearest rotation.
        made = Nifti(hu, matrix, qform_code=1 if "qform" in how else 0)
        path = tmp_path / "s.nii"
        path.write_bytes(made.bytes())
    elif how == "nrrd":
        volume = CTVolume(hu, Geometry((96, 64, 24), (2.0, 2.0, 4.0), (-96.0, -64.0, 0.0)))
        text = " ".join("(" + ",".join(f"{v:.9f}" for v in step) + ")" for step in steps.T)
        path = nrrd(f"space directions: {text}")(tmp_path, volume)
    else:
        volume = CTVolume(hu, Geometry((96, 64, 24), (2.0, 2.0, 4.0), (-96.0, -64.0, 0.0)))
        text = " ".join(f"{v:.9f}" for v in np.ravel((steps / np.linalg.norm(steps, axis=0)).T))
        path = meta(f"TransformMatrix = {text}")(tmp_path, volume)
    found = read_ct(path)
    assert [f.sentence for f in found.findings if f.code == "gantry_tilt"] == [
        f.sentence for f in dicom.findings if f.code == "gantry_tilt"
    ]
    assert len(found.findings) == 1
    assert found.geometry.matches(dicom.geometry, 0.05)
    assert np.abs(found.hu.astype(int) - dicom.hu).max() <= 3
    # The bars stand where they stood: the larger one right of the middle.
    indices = np.moveaxis(np.indices(found.hu.shape)[::-1], 0, -1)
    x, y, _ = np.moveaxis(found.geometry.to_physical(indices), -1, 0)
    assert (found.hu[np.hypot(x + 45, y) < 27] == 50).all() and (found.hu[np.hypot(x - 45, y) < 17] == 200).all()


def test_labels_of_a_tilted_stack_stay_on_its_voxels(tmp_path: Path) -> None:
    hu, _, _ = leaning(15.0)
    labels = np.select([hu == 50, hu == 200], [2, 102], 0).astype(np.int16)
    volume = CTVolume(hu, Geometry((96, 64, 24), (2.0, 2.0, 4.0), (-96.0, -64.0, 0.0)))
    ct = read_ct(nifti("ct.nii", qform_code=0, matrix=sheared(15.0))(tmp_path, volume))
    made, geometry = read_labels(
        nifti("labels.nii", qform_code=0, matrix=sheared(15.0))(tmp_path, CTVolume(labels, volume.geometry)), HIP_AND_THIGH
    )
    assert geometry.matches(ct.geometry)
    assert set(np.unique(made)) == {0, 2, 102}
    assert (made == 2)[ct.hu == 50].mean() > 0.98 and (made == 102)[ct.hu == 200].mean() > 0.95
