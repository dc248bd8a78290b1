"""Every odd image file is read as the scan that it holds, with what is doubtful told, or refused in one true sentence."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from ct_scans import write_dicom
from image_inputs import (
    ASSUMED,
    ASSUMED_INPUTS,
    META_INPUTS,
    NIFTI_INPUTS,
    NRRD_INPUTS,
    SIDES,
    SIZES,
    ImageInput,
    Nifti,
    detached,
    lopsided,
    meta,
    nifti,
    nrrd,
    sheared,
)

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct import CTVolume, Geometry, read_ct, read_label_map, read_labels, to_working_grid
from MSKSegmentLib.engine import SegmentRequest
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.provenance import input_digest
from MSKSegmentLib.quality.guards import scan_cautions
from MSKSegmentLib.results.segmentation_file import write_ct
from MSKSegmentLib.settings import Settings

REAL_CT = Path(__file__).resolve().parents[4] / "shared" / "ct" / "pelvis_3mm.nii.gz"
TABLES = {"nifti": NIFTI_INPUTS, "nrrd": NRRD_INPUTS, "meta": META_INPUTS}
ENTRIES = [pytest.param(entry, id=f"{kind}: {entry.name}") for kind, table in TABLES.items() for entry in table]


def assert_same_in_the_patient(found: CTVolume, wanted: CTVolume, tolerance: int = 0, places: bool = True) -> None:
    """Each voxel has the same HU at the same place in the patient, whatever the order of axes in memory."""
    a, b = to_working_grid(found).volume, to_working_grid(wanted).volume
    assert np.abs(a.hu.astype(int) - b.hu).max() <= tolerance
    assert a.geometry.spacing == pytest.approx(b.geometry.spacing, rel=1e-4)
    if places:
        corners = np.array([[0, 0, 0], *np.diag(np.array(b.geometry.size) - 1)])
        # A quarter of a voxel is what angles may be evened out by.
        nearest = 0.25 * min(b.geometry.spacing)
        assert np.linalg.norm(a.geometry.to_physical(corners) - b.geometry.to_physical(corners), axis=1).max() <= nearest


@pytest.mark.parametrize("entry", ENTRIES)
def test_read_as_the_scan_or_refused(entry: ImageInput, tmp_path: Path) -> None:
    wanted = lopsided()
    path = entry.make(tmp_path, wanted)
    if entry.refused:
        with pytest.raises(InputError, match=entry.refused) as caught:
            read_ct(path)
        sentence = str(caught.value)
        assert sentence.endswith(".") and ". " not in sentence and "\n" not in sentence
        return
    volume = read_ct(path)
    assert {finding.code for finding in volume.findings} == entry.codes
    # Findings go into results, which hold no names.
    assert not any(path.name in finding.sentence for finding in volume.findings)
    assert_same_in_the_patient(volume, wanted, entry.tolerance, "position_not_stated" not in entry.codes)


def test_the_same_scan_has_the_same_digest_in_every_format(tmp_path: Path) -> None:
    scan = lopsided()
    wanted = input_digest(scan)
    for make in (nifti(), nifti(sform_code=0), nrrd(), nrrd("space: RAS", frame=np.diag([-1, -1, 1])), meta()):
        assert input_digest(read_ct(make(tmp_path, scan))) == wanted
    noisy = replace(scan.geometry, direction=((1.0, -1e-9, 0.0), (1e-9, 1.0, -0.0), (0.0, 0.0, 1.0)))
    assert input_digest(CTVolume(scan.hu, noisy)) == wanted


@pytest.mark.skipif(not REAL_CT.exists(), reason="the shared real CT is absent")
@pytest.mark.parametrize(
    "name", ["sform only", "NIfTI-2", "vox_offset 0", "pixdim 1 beside the sform", "negative pixdim beside the sform", "metres",
             "slope 0 with an intercept", "qform mirrored", "codes 0"],
)  # fmt: skip
def test_a_real_ct_is_read_as_it_was(name: str, tmp_path: Path) -> None:
    wanted = read_ct(REAL_CT)
    entry = next(entry for entry in NIFTI_INPUTS if entry.name == name)
    path = entry.make(tmp_path, wanted)
    if entry.refused:
        with pytest.raises(InputError, match=entry.refused):
            read_ct(path)
    elif name == "qform mirrored":
        assert SIDES in {finding.code for finding in read_ct(path).findings}
    else:
        assert_same_in_the_patient(read_ct(path), wanted)


def test_no_light_is_green_in_a_templates_space(tmp_path: Path) -> None:
    volume = read_ct(nifti(qform_code=0, sform_code=4)(tmp_path, lopsided()))
    assert scan_cautions(volume.findings) == ("the scan's file says that it lies in a template's space",)


@pytest.mark.parametrize("entry", ASSUMED_INPUTS, ids=lambda entry: entry.name)
def test_axes_that_the_user_states(entry: ImageInput, tmp_path: Path) -> None:
    scan = lopsided()
    path = entry.make(tmp_path, scan)
    with pytest.raises(InputError, match="--assume-orientation LPS or RAS"):
        read_ct(path)
    volume = read_ct(path, assume_orientation=entry.assume)
    assert [finding.code for finding in volume.findings] == [ASSUMED]
    # The numbers of the file in the frame that was said: for RAS the same array, turned by half about the body's axis.
    turned = CTVolume(scan.hu, Geometry(scan.geometry.size, scan.geometry.spacing, direction=((-1, 0, 0), (0, -1, 0), (0, 0, 1))))
    assert_same_in_the_patient(volume, scan if entry.assume == "LPS" else turned, places=False)


def test_what_the_file_states_outweighs_what_is_assumed(tmp_path: Path) -> None:
    volume = read_ct(nifti()(tmp_path, lopsided()), assume_orientation="RAS")
    assert volume.findings == ()
    assert_same_in_the_patient(volume, lopsided())
    with pytest.raises(InputError, match="say LPS or RAS"):
        read_ct(tmp_path / "scan.nii", assume_orientation="XYZ")


def test_doubts_about_sides_and_sizes_keep_lights_from_green(tmp_path: Path) -> None:
    for make, code, assume in (
        (nifti(qform_code=0, sform_code=0), ASSUMED, "LPS"),
        (nifti(quaternion=[0.0, 0.0, 0.0]), SIDES, None),
        (nifti(qform_code=0, pixdim=[1.0] * 8), SIZES, None),
    ):
        volume = read_ct(make(tmp_path, lopsided()), assume_orientation=assume)
        assert [finding.code for finding in volume.findings] == [code]
        assert len(scan_cautions(volume.findings)) == 1
        # A copy of the CT keeps the doubt.
        write_ct(tmp_path / "ct.nrrd", volume)
        copy = read_ct(tmp_path / "ct.nrrd")
        assert copy.findings == volume.findings
        assert_same_in_the_patient(copy, volume)


@pytest.mark.parametrize("kind", ["nrrd", "mhd"])
def test_voxels_behind_bytes_that_the_header_does_not_name_are_told(kind: str, tmp_path: Path) -> None:
    plain = nrrd("data file: scan.raw") if kind == "nrrd" else meta()
    path = detached("scan.nhdr" if kind == "nrrd" else "scan.mhd", "scan.raw", plain, bytes(108))(tmp_path, lopsided())
    assert [finding.code for finding in read_ct(path).findings] == ["bytes_left_over"]


# --- sheared grids ---------------------------------------------------------------------------------------------------------------


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
        nifti("labels.nii", qform_code=0, matrix=sheared(15.0))(tmp_path, CTVolume(labels, volume.geometry))
    )
    assert geometry.matches(ct.geometry)
    assert set(np.unique(made)) == {0, 2, 102}
    assert (made == 2)[ct.hu == 50].mean() > 0.98 and (made == 102)[ct.hu == 200].mean() > 0.95


# --- labels ----------------------------------------------------------------------------------------------------------------------


def label_array() -> np.ndarray:
    labels = np.zeros((20, 64, 96), np.int16)
    labels[3:12, 20:40, 10:40] = 2
    labels[3:12, 20:40, 60:80] = 102
    labels[12:, 30:50, 10:30] = 22
    return labels


@pytest.mark.parametrize(
    "fields",
    [
        {"data": label_array().astype(np.float64) + 1e-9, "datatype": 64, "bitpix": 64},
        {"data": label_array().astype(np.float32) * np.float32(1 + 1e-7), "datatype": 16, "bitpix": 32},
        {"data": (label_array() * 10).astype(np.int16), "slope": 0.1},
        {"data": (label_array() - 100).astype(np.int16), "slope": 1.0, "intercept": 100.0},
        {"data": label_array(), "slope": 0.0, "intercept": 7.0},
    ],
    ids=["1e-9 off", "float32", "scaled", "shifted", "slope 0"],
)
def test_labels_that_other_programs_store_as_numbers(fields: dict, tmp_path: Path) -> None:
    labels, _ = read_labels(nifti(**fields)(tmp_path, lopsided()))
    np.testing.assert_array_equal(labels, label_array())


def test_labels_in_between_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds the value 2.4"):
        read_labels(nifti(data=label_array() * 1.2, datatype=64, bitpix=64)(tmp_path, lopsided()))


def test_a_label_map_may_need_the_same_word_on_its_axes(tmp_path: Path) -> None:
    path = nifti(data=label_array(), qform_code=0, sform_code=0)(tmp_path, lopsided())
    with pytest.raises(InputError, match="--assume-orientation"):
        read_label_map(path)
    found = read_label_map(path, "LPS")
    np.testing.assert_array_equal(found.labels, label_array())
    assert [finding.code for finding in found.findings] == [ASSUMED]


# --- through the command line ----------------------------------------------------------------------------------------------------


def measured(folder: Path, ct: Path, labels: Path, *more: str) -> dict[str, tuple[float, float]]:
    """Volume and HU per structure and side, as `mskseg measure` writes them."""
    output = folder / f"out-{ct.stem}-{len(list(folder.iterdir()))}"
    assert main(["measure", str(labels), "--ct", str(ct), "-o", str(output), *more]) == 0
    content = json.loads((output / "result.json").read_text(encoding="utf-8"))
    rows = content["segments"] if "segments" in content else content["reports"]
    found = {}
    for row in rows:
        numbers = row["measurements"]
        if numbers:
            found[row["key"]] = (numbers["volume_cc"], numbers["mean_hu"])
    assert found
    return found


def test_numbers_per_side_are_those_of_the_plain_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = lopsided()
    sitk.WriteImage(scan.geometry.image_of(scan.hu), str(tmp_path / "plain.nrrd"))
    sitk.WriteImage(scan.geometry.image_of(label_array().astype(np.uint8)), str(tmp_path / "labels.nrrd"))
    labels = tmp_path / "labels.nrrd"
    plain = measured(tmp_path, tmp_path / "plain.nrrd", labels)
    assert plain["FEMUR_right"][0] != plain["FEMUR_left"][0]
    for name in ("pixdim 1 beside the sform", "negative pixdim beside the sform", "vox_offset 0", "metres"):
        entry = next(entry for entry in NIFTI_INPUTS if entry.name == name)
        found = measured(tmp_path, entry.make(tmp_path, scan), labels)
        assert found.keys() == plain.keys()
        for key, numbers in plain.items():
            assert found[key] == pytest.approx(numbers, rel=1e-4), (name, key)
    unstated = nrrd("spacings: SPACING", without=("space directions", "space", "space origin"))(tmp_path, scan)
    assert main(["measure", str(labels), "--ct", str(unstated), "-o", str(tmp_path / "o")]) == 2
    assert "--assume-orientation" in capsys.readouterr().err and not (tmp_path / "o").exists()


def test_an_assumed_orientation_lasts_in_the_result(tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = nifti(qform_code=0, sform_code=0)(tmp_path, lopsided())
    settings = Settings(bundle=str(tiny_bundle), seed=3, assume_orientation="LPS")
    request = SegmentRequest(path, tmp_path / "out", settings, keep_ct=True)
    assert main([*request.arguments(), "--samples", "2"]) == 0
    content = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert any("LPS was assumed" in sentence for sentence in content["warnings"])
    assert ASSUMED in {finding["code"] for finding in content["findings"]}
    assert "green" not in (tmp_path / "out" / "measurements.csv").read_text(encoding="utf-8")
    assert main(["check", str(tmp_path / "out" / "ct.nrrd")]) == 0
    assert "LPS was assumed" in capsys.readouterr().out


@pytest.mark.parametrize("entry", [entry for table in TABLES.values() for entry in table if entry.refused], ids=lambda e: e.name)
def test_nothing_is_written_on_refusal(
    entry: ImageInput, tiny_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = entry.make(tmp_path, lopsided())
    before = sorted(tmp_path.rglob("*"))
    command = ["segment", str(path), "-o", str(tmp_path / "out"), "--bundle", str(tiny_bundle), "--progress", "none"]
    assert main(command) == 2
    sentence = capfd.readouterr().err.strip()
    assert entry.refused in sentence and "\n" not in sentence and str(tmp_path) not in sentence
    assert sorted(tmp_path.rglob("*")) == before
