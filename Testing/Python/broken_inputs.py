"""A catalogue of broken inputs for reading, and the small scans that they are made from.

Every entry writes one input into an empty folder and returns the path to give to the program. All of them must be
refused with one sentence; `cli_args` are further arguments of the command line.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SPACING = (4.0, 4.0, 5.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class BrokenInput:
    """A name for the test's id, how to write the input, and arguments for the command line."""

    name: str
    make: Callable[[Path], Path]
    cli_args: tuple[str, ...] = ()

    @property
    def series(self) -> str | None:
        """The value of --series among the arguments."""
        return self.cli_args[self.cli_args.index("--series") + 1] if "--series" in self.cli_args else None


def two_thighs(slices: int = 16, rows: int = 64, columns: int = 96, seed: int = 0) -> np.ndarray:
    """HU int16 ``[z, y, x]`` of two thighs in air: fat around muscle around the femur, with noise. Left is thinner."""
    y, x = np.mgrid[:rows, :columns].astype(float)
    section = np.full((rows, columns), -1000.0)
    for center, scale in ((0.27, 1.0), (0.73, 0.9)):
        radius = np.hypot((x - center * columns) / (0.19 * columns), (y - 0.5 * rows) / (0.36 * rows)) / scale
        section[radius < 1.0] = -100
        section[radius < 0.8] = 50
        section[radius < 0.22] = 700
    noise = np.random.default_rng(seed).normal(0, 10, (slices, rows, columns))
    return np.rint(section + noise).astype(np.int16)


def write_volume(
    path: Path, array: np.ndarray, spacing: tuple[float, ...] = SPACING, is_vector: bool = False, compress: bool = False
) -> Path:
    """Write an array ``[z, y, x]`` in the format of the path's ending."""
    image = sitk.GetImageFromArray(array, isVector=is_vector)
    if image.GetDimension() == len(spacing):
        image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path), compress)
    return path


def write_dicom(
    folder: Path,
    hu: np.ndarray,
    *,
    spacing: tuple[float, float] = SPACING[:2],
    levels: Any = None,
    orientation: tuple[float, ...] = AXIAL,
    positions: Any = None,
    number: int = 1,
    rescale: Callable[[int], tuple[float, float]] = lambda k: (1.0, -1024.0),
    prefix: str = "slice",
    tags: dict[str, Any] | None = None,
    edit: Callable[[int, Dataset], None] | None = None,
) -> Path:
    """Write HU ``[z, y, x]`` as single-frame CT files; `levels` are the slices' z, `edit` changes single headers."""
    folder.mkdir(parents=True, exist_ok=True)
    levels = np.arange(len(hu)) * SPACING[2] if levels is None else levels
    series_uid = generate_uid(entropy_srcs=[str(number), prefix])
    for k, section in enumerate(hu):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
        data.SOPInstanceUID = generate_uid(entropy_srcs=[series_uid, str(k)])
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.PatientName, data.PatientID = "Phantom", "P"
        data.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
        data.SeriesInstanceUID, data.SeriesNumber, data.InstanceNumber = series_uid, number, k + 1
        data.SeriesDescription = f"Thigh {number}"
        slope, intercept = rescale(k)
        stored = np.rint((section.astype(float) - intercept) / slope).astype(np.int16)
        data.RescaleSlope, data.RescaleIntercept = slope, intercept
        data.Rows, data.Columns = section.shape
        data.PixelSpacing = [spacing[1], spacing[0]]
        data.ImageOrientationPatient = list(orientation)
        position = (-150.0, -100.0, float(levels[k])) if positions is None else positions[k]
        data.ImagePositionPatient = [round(float(p), 5) for p in position]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.PixelData = stored.tobytes()
        for tag, value in (tags or {}).items():
            setattr(data, tag, value)
        if edit is not None:
            edit(k, data)
        # Names in reverse, so that the order of files is not the order of slices.
        data.save_as(folder / f"{prefix}{number}_{len(hu) - k:03d}.dcm", enforce_file_format=True)
    return folder


# --- files ---


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


# --- DICOM ---


def _dicom(slices: int = 16, **options: Any) -> Callable[[Path], Path]:
    return lambda folder: write_dicom(folder / "series", two_thighs(slices), **options)


def _each(**tags: Any) -> Callable[[int, Dataset], None]:
    def edit(_: int, data: Dataset) -> None:
        for tag, value in tags.items():
            setattr(data, tag, value)

    return edit


def _only(index: int, **tags: Any) -> Callable[[int, Dataset], None]:
    def edit(k: int, data: Dataset) -> None:
        if k == index:
            _each(**tags)(k, data)

    return edit


def _without(*tags: str) -> Callable[[int, Dataset], None]:
    def edit(_: int, data: Dataset) -> None:
        for tag in tags:
            delattr(data, tag)

    return edit


def _without_slices(*lost: int) -> Callable[[Path], Path]:
    kept = np.setdiff1d(np.arange(24), lost)
    return lambda folder: write_dicom(folder / "series", two_thighs(24)[kept], levels=kept * 2.0)


def _colour(folder: Path) -> Path:
    def edit(_: int, data: Dataset) -> None:
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
        data.PixelData = bytes(data.Rows * data.Columns * 3)

    return write_dicom(folder / "capture", two_thighs(10), edit=edit, tags={"ImageType": ["DERIVED", "SECONDARY"]})


def _two_series(folder: Path) -> Path:
    write_dicom(folder / "study" / "a", two_thighs(12), number=2)
    write_dicom(folder / "study" / "b", two_thighs(10), number=3)
    return folder / "study"


def _twice_at_each_level(folder: Path) -> Path:
    levels = np.repeat(np.arange(10) * 3.0, 2)
    return write_dicom(folder / "series", two_thighs(20), levels=levels)


def _one_size_off(folder: Path) -> Path:
    write_dicom(folder / "series", two_thighs(12))
    write_dicom(folder / "series", two_thighs(1, rows=48, columns=48), levels=[60.0], prefix="other", edit=_same_series)
    return folder / "series"


def _same_series(_: int, data: Dataset) -> None:
    data.SeriesInstanceUID = generate_uid(entropy_srcs=["1", "slice"])


def _cut_slice(folder: Path) -> Path:
    series = write_dicom(folder / "series", two_thighs(12))
    path = sorted(series.iterdir())[5]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 9000])
    return series


def _garbled_headers(folder: Path) -> Path:
    series = write_dicom(folder / "series", two_thighs(10))
    for path in sorted(series.iterdir()):
        data = bytearray(path.read_bytes())
        data[140:700] = np.random.default_rng(1).bytes(560)
        path.write_bytes(data)
    return series


def _undecodable(folder: Path) -> Path:
    def edit(_: int, data: Dataset) -> None:
        data.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2KLossless
        data.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + bytes(600)])
        data["PixelData"].is_undefined_length = True

    return write_dicom(folder / "series", two_thighs(10), edit=edit)


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


def _single_dicom_slice(folder: Path) -> Path:
    series = write_dicom(folder / "series", two_thighs(8))
    alone = folder / "alone"
    alone.mkdir()
    return Path(shutil.copy(sorted(series.iterdir())[0], alone))


_LEVELS = np.arange(16) * 5.0
_SHIFTED = [(-150.0 + 12.0 * (k % 2), -100.0, 5.0 * k) for k in range(16)]
_SKEWED = [(-150.0, -100.0 + 6.0 * k, 5.0 * k) for k in range(16)]

BROKEN: list[BrokenInput] = [
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
    BrokenInput(
        "nrrd with NaN direction", _nrrd_line("space directions", "space directions: (4,0,0) (0,nan,0) (0,0,5)")
    ),
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
    BrokenInput("DICOM MR", _dicom(edit=_each(Modality="MR"))),
    BrokenInput("DICOM PET", _dicom(edit=_each(Modality="PT"))),
    BrokenInput("DICOM without modality", _dicom(edit=_without("Modality"))),
    BrokenInput("DICOM colour capture", _colour),
    BrokenInput("DICOM localizer", _dicom(tags={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})),
    BrokenInput("DICOM of 5 slices", _dicom(5)),
    BrokenInput("single DICOM slice", _single_dicom_slice),
    BrokenInput("DICOM missing slice", _without_slices(9)),
    BrokenInput("DICOM missing slices", _without_slices(5, 6, 14)),
    BrokenInput("DICOM missing before last", _without_slices(21, 22)),
    BrokenInput("DICOM duplicate position", _dicom(levels=np.array([*_LEVELS[:15], _LEVELS[4]]))),
    BrokenInput("DICOM two phases", _twice_at_each_level),
    BrokenInput("DICOM several series", _two_series),
    BrokenInput("DICOM unknown series", _two_series, ("--series", "99")),
    BrokenInput("DICOM mixed orientations", _dicom(edit=_only(4, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]))),
    BrokenInput("DICOM mixed sizes", _one_size_off),
    BrokenInput("DICOM mixed spacing", _dicom(edit=_only(4, PixelSpacing=[3.5, 3.5]))),
    BrokenInput("DICOM without positions", _dicom(edit=_without("ImagePositionPatient"))),
    BrokenInput("DICOM without spacing", _dicom(edit=_without("PixelSpacing"))),
    BrokenInput("DICOM zero spacing", _dicom(spacing=(0.0, 0.0))),
    BrokenInput("DICOM invalid orientation", _dicom(orientation=(1.0, 0.0, 0.0, 1.0, 0.0, 0.0))),
    BrokenInput("DICOM zigzag", _dicom(positions=_SHIFTED)),
    BrokenInput("DICOM stacked askew", _dicom(positions=_SKEWED)),
    BrokenInput("DICOM 15 mm apart", _dicom(levels=_LEVELS * 3)),
    BrokenInput("DICOM not rescaled", _dicom(edit=_each(RescaleIntercept=0))),
    BrokenInput("DICOM multi-frame", _dicom(edit=_each(NumberOfFrames=16))),
    BrokenInput("DICOM cut slice", _cut_slice),
    BrokenInput("DICOM garbled headers", _garbled_headers),
    BrokenInput("DICOM undecodable", _undecodable),
]
