"""Files and folders that are no readable scan; see `broken_inputs`."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from broken_input import BrokenInput
from ct_scans import two_thighs, write_volume


def _missing(folder: Path) -> Path:
    return folder / "nowhere.nii.gz"


def _empty_file(folder: Path) -> Path:
    (folder / "empty.nii").touch()
    return folder / "empty.nii"


def _text(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text("This is a shopping list, not an image.\n" * 20)
        return folder / name

    return make


def _noise_file(folder: Path) -> Path:
    (folder / "noise.nii").write_bytes(np.random.default_rng(3).bytes(5000))
    return folder / "noise.nii"


def _cut(name: str, share: float, compress: bool = True) -> Callable[[Path], Path]:
    """A file that ends early."""

    def make(folder: Path) -> Path:
        path = write_volume(folder / name, two_thighs(), compress=compress)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        return path

    return make


def _detached_without_data(folder: Path) -> Path:
    write_volume(folder / "scan.mhd", two_thighs())
    (folder / "scan.raw").unlink()
    return folder / "scan.mhd"


def _detached_short_data(folder: Path) -> Path:
    write_volume(folder / "scan.mhd", two_thighs())
    data = (folder / "scan.raw").read_bytes()
    (folder / "scan.raw").write_bytes(data[: len(data) // 3])
    return folder / "scan.mhd"


def _bad_gzip(folder: Path) -> Path:
    path = write_volume(folder / "scan.nii.gz", two_thighs())
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    return path


def _gzipped_text(folder: Path) -> Path:
    (folder / "scan.nii.gz").write_bytes(gzip.compress(b"no image at all" * 100))
    return folder / "scan.nii.gz"


def _nifti_field(offset: int, values: bytes) -> Callable[[Path], Path]:
    """A NIfTI file with some bytes of its header replaced."""

    def make(folder: Path) -> Path:
        path = write_volume(folder / "scan.nii", two_thighs())
        data = bytearray(path.read_bytes())
        data[offset : offset + len(values)] = values
        path.write_bytes(data)
        return path

    return make


def _nrrd_line(field: str, line: str) -> Callable[[Path], Path]:
    """A NRRD file with one header line replaced."""

    def make(folder: Path) -> Path:
        path = write_volume(folder / "scan.nrrd", two_thighs())
        header, _, data = path.read_bytes().partition(b"\n\n")
        lines = [line if text.startswith(f"{field}:") else text for text in header.decode().split("\n")]
        path.write_bytes("\n".join(lines).encode() + b"\n\n" + data)
        return path

    return make


def _picture(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        return write_volume(folder / name, np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))

    return make


def _segmentation(folder: Path) -> Path:
    image = sitk.GetImageFromArray((two_thighs() > 0).astype(np.uint8))
    image.SetMetaData("Segment0_ID", "GMAX_right")
    image.SetMetaData("Segment0_LabelValue", "1")
    sitk.WriteImage(image, str(folder / "scan.seg.nrrd"))
    return folder / "scan.seg.nrrd"


def _array(array: Callable[[], np.ndarray], name: str = "scan.nrrd", **options: Any) -> Callable[[Path], Path]:
    return lambda folder: write_volume(folder / name, array(), **options)


def _with_value(value: float) -> Callable[[], np.ndarray]:
    def array() -> np.ndarray:
        values = two_thighs().astype(np.float32)
        values[7, 30, 30] = value
        return values

    return array


def _four_dimensional(folder: Path) -> Path:
    image = sitk.JoinSeries([sitk.GetImageFromArray(two_thighs(seed=s)) for s in range(3)])
    sitk.WriteImage(image, str(folder / "dynamic.nii.gz"))
    return folder / "dynamic.nii.gz"


def _mr_like() -> np.ndarray:
    hu = two_thighs().astype(float)
    noise = np.random.default_rng(5).rayleigh(15, hu.shape)
    return (np.select([hu < -500, hu < -20, hu < 300], [noise, 900 + noise, 350 + noise], 80 + noise)).astype(np.int16)


def _labels() -> np.ndarray:
    hu = two_thighs()
    return np.select([hu > 400, hu > -20], [2, 21], 0).astype(np.uint8)


def _folder_of_texts(folder: Path) -> Path:
    (folder / "papers").mkdir()
    for n in range(3):
        (folder / "papers" / f"note{n}.txt").write_text("nothing to see" * 50)
    return folder / "papers"


def _empty_folder(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"


def _folder_of_volumes(folder: Path) -> Path:
    (folder / "volumes").mkdir()
    write_volume(folder / "volumes" / "scan.nii.gz", two_thighs())
    return folder / "volumes"


BROKEN_FILES: list[BrokenInput] = [
    BrokenInput("missing path", _missing),
    BrokenInput("empty file", _empty_file),
    BrokenInput("text named nii", _text("scan.nii")),
    BrokenInput("text named nrrd", _text("scan.nrrd")),
    BrokenInput("text named mha", _text("scan.mha")),
    BrokenInput("text named dcm", _text("scan.dcm")),
    BrokenInput("text file", _text("list.txt")),
    BrokenInput("noise named nii", _noise_file),
    BrokenInput("truncated nii.gz", _cut("scan.nii.gz", 0.5)),
    BrokenInput("truncated nii", _cut("scan.nii", 0.5, False)),
    BrokenInput("nii header only", _cut("scan.nii", 0.002, False)),
    BrokenInput("truncated nrrd", _cut("scan.nrrd", 0.6)),
    BrokenInput("truncated raw nrrd", _cut("scan.nrrd", 0.6, False)),
    BrokenInput("truncated mha", _cut("scan.mha", 0.6, False)),
    BrokenInput("mhd without data", _detached_without_data),
    BrokenInput("mhd with short data", _detached_short_data),
    BrokenInput("damaged gzip", _bad_gzip),
    BrokenInput("gzipped text", _gzipped_text),
    BrokenInput("nii with absurd size", _nifti_field(42, np.array([32000, 32000, 32000], "<i2").tobytes())),
    BrokenInput("nii with unknown type", _nifti_field(70, np.array([7777], "<i2").tobytes())),
    BrokenInput("nii with zero spacing", _nifti_field(80, np.array([0.0, 0.0, 0.0], "<f4").tobytes())),
    BrokenInput("nrrd with zero spacing", _nrrd_line("space directions", "space directions: (4,0,0) (0,4,0) (0,0,0)")),
    BrokenInput("nrrd with NaN direction", _nrrd_line("space directions", "space directions: (4,0,0) (0,nan,0) (0,0,5)")),
    BrokenInput("sheared nrrd", _nrrd_line("space directions", "space directions: (4,0,0) (2,4,0) (0,0,5)")),
    BrokenInput("PNG", _picture("slice.png")),
    BrokenInput("2D nrrd", _picture("slice.nrrd")),
    BrokenInput("one slice", _array(lambda: two_thighs(1))),
    BrokenInput("3 slices", _array(lambda: two_thighs(3), "scan.nii.gz")),
    BrokenInput("7 slices", _array(lambda: two_thighs(7))),
    BrokenInput("16 pixels", _array(lambda: two_thighs(16, 16, 16))),
    BrokenInput("4D", _four_dimensional),
    BrokenInput("vector", _array(lambda: np.stack([two_thighs()] * 3, axis=-1), is_vector=True)),
    BrokenInput("RGB", _array(lambda: np.zeros((12, 64, 64, 3), np.uint8), "scan.mha", is_vector=True)),
    BrokenInput("complex", _array(lambda: two_thighs().astype(np.complex64))),
    BrokenInput("NaN", _array(_with_value(np.nan))),
    BrokenInput("infinity", _array(_with_value(np.inf), "scan.nii.gz")),
    BrokenInput("all zero", _array(lambda: np.zeros((12, 64, 64), np.int16))),
    BrokenInput("all air", _array(lambda: np.full((12, 64, 64), -1024, np.int16))),
    BrokenInput("noisy air", _array(lambda: np.minimum(two_thighs() // 50 - 980, -950).astype(np.int16))),
    BrokenInput("constant", _array(lambda: np.full((12, 64, 64), 40, np.int16), "scan.mha")),
    BrokenInput("8 bit", _array(lambda: np.clip((two_thighs() + 150.0) / 2, 0, 255).astype(np.uint8))),
    BrokenInput("clipped window", _array(lambda: np.clip(two_thighs(), -150, 250))),
    BrokenInput("not rescaled", _array(lambda: np.maximum(two_thighs() + 1024, 0).astype(np.int16))),
    BrokenInput("MR-like", _array(_mr_like, "scan.nii.gz")),
    BrokenInput("normalised MR", _array(lambda: ((_mr_like() - 300.0) / 250).astype(np.float32))),
    BrokenInput("label map", _array(_labels)),
    BrokenInput("Slicer segmentation", _segmentation),
    BrokenInput("15 mm slices", _array(two_thighs, spacing=(4.0, 4.0, 15.0))),
    BrokenInput("0.05 mm pixels", _array(two_thighs, spacing=(0.05, 0.05, 1.0))),
    BrokenInput("8 mm pixels", _array(two_thighs, spacing=(8.0, 8.0, 5.0))),
    BrokenInput("microscopic slices", _array(two_thighs, spacing=(4.0, 4.0, 0.02))),
    BrokenInput("tiny body", _array(two_thighs, spacing=(0.5, 0.5, 0.5))),
    BrokenInput("series of a file", _array(two_thighs), ("--series", "1")),
    BrokenInput("empty folder", _empty_folder),
    BrokenInput("folder of texts", _folder_of_texts),
    BrokenInput("folder of volumes", _folder_of_volumes),
]
