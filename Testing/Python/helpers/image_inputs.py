"""Image files as other programs write them: what they state, leave out, or state twice, and what is to become of each."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ct_scans import two_thighs

from MSKSegmentLib.ct import CTVolume, Geometry

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def lopsided() -> CTVolume:
    """Two thighs of which no axis can be exchanged or turned unnoticed: rod and fat pad lie right, in front and above."""
    hu = two_thighs(20, 64, 96)
    hu[12:, 8:16, 20:32] = 400
    geometry = Geometry((96, 64, 20), (4.0, 4.0, 5.0), (-150.0, -100.0, -400.0))
    return CTVolume(hu, geometry)


# --- NIfTI -----------------------------------------------------------------------------------------------------------------------


@dataclass
class Nifti:
    """The fields of a NIfTI file, in the file's own units; those left None follow from the scan."""

    data: np.ndarray
    matrix: np.ndarray
    qform_code: int = 1
    sform_code: int = 1
    pixdim: list[float] | None = None
    quaternion: list[float] | None = None
    qoffset: list[float] | None = None
    srow: np.ndarray | None = None
    slope: float = 0.0
    intercept: float = 0.0
    offset: float | None = None
    begin: int | None = None
    units: int = 2
    version: int = 1
    order: str = "<"
    dims: list[int] | None = None
    datatype: int = 4
    bitpix: int = 16
    magic: bytes | None = None
    tail: bytes = b""

    @staticmethod
    def of(volume: CTVolume) -> Nifti:
        geometry = volume.geometry
        matrix = np.eye(4)
        matrix[:3, :3] = LPS_TO_RAS @ geometry.matrix
        matrix[:3, 3] = LPS_TO_RAS @ geometry.origin
        return Nifti(volume.hu, matrix)

    def bytes(self) -> bytes:
        lengths = np.linalg.norm(self.matrix[:3, :3], axis=0)
        rotation = self.matrix[:3, :3] / lengths
        qfac = 1.0 if np.linalg.det(rotation) > 0 else -1.0
        rotation[:, 2] *= qfac
        pixdim = self.pixdim or [qfac, *lengths, 0, 0, 0, 0]
        quaternion = self.quaternion or quaternion_of(rotation)
        qoffset = self.qoffset if self.qoffset is not None else list(self.matrix[:3, 3])
        srow = self.matrix[:3] if self.srow is None else self.srow
        dims = self.dims or list(self.data.shape[::-1])
        dim = [len(dims), *dims] + [1] * (7 - len(dims))
        least = 352 if self.version == 1 else 544
        offset = least if self.offset is None else self.offset
        o = self.order
        if self.version == 1:
            head = bytearray(352)
            struct.pack_into(f"{o}i", head, 0, 348)
            struct.pack_into(f"{o}8h", head, 40, *dim)
            struct.pack_into(f"{o}2h", head, 70, self.datatype, self.bitpix)
            struct.pack_into(f"{o}8f", head, 76, *pixdim)
            struct.pack_into(f"{o}3f", head, 108, offset, self.slope, self.intercept)
            head[123] = self.units
            struct.pack_into(f"{o}2h", head, 252, self.qform_code, self.sform_code)
            struct.pack_into(f"{o}6f", head, 256, *quaternion, *qoffset)
            struct.pack_into(f"{o}12f", head, 280, *np.ravel(srow))
            head[344:348] = self.magic or b"n+1\0"
        else:
            head = bytearray(544)
            struct.pack_into(f"{o}i", head, 0, 540)
            head[4:12] = self.magic or b"n+2\0\r\n\x1a\n"
            struct.pack_into(f"{o}2h", head, 12, self.datatype, self.bitpix)
            struct.pack_into(f"{o}8q", head, 16, *dim)
            struct.pack_into(f"{o}8d", head, 104, *pixdim)
            struct.pack_into(f"{o}q", head, 168, int(offset))
            struct.pack_into(f"{o}2d", head, 176, self.slope, self.intercept)
            struct.pack_into(f"{o}2i", head, 344, self.qform_code, self.sform_code)
            struct.pack_into(f"{o}6d", head, 352, *quaternion, *qoffset)
            struct.pack_into(f"{o}12d", head, 400, *np.ravel(srow))
            struct.pack_into(f"{o}i", head, 500, self.units)
        begin = least if self.begin is None else self.begin
        voxels = self.data.astype(self.data.dtype.newbyteorder(o)).tobytes()
        return bytes(head[:begin]).ljust(begin, b"\0") + voxels + self.tail


def quaternion_of(rotation: np.ndarray) -> list[float]:
    """The b, c, d of the rotation nearest to a matrix, with a not negative."""
    from scipy.spatial.transform import Rotation

    b, c, d, a = Rotation.from_matrix(rotation).as_quat()
    return [float(v if a >= 0 else -v) for v in (b, c, d)]


def nifti(name: str = "scan.nii", **changes: Any) -> Callable[[Path, CTVolume], Path]:
    """A NIfTI file with some fields changed; a value that is callable gets the plain `Nifti`."""

    def make(folder: Path, volume: CTVolume) -> Path:
        made = Nifti.of(volume)
        values = {key: value(made) if callable(value) else value for key, value in changes.items()}
        for key, value in values.items():
            setattr(made, key, value)
        (folder / name).write_bytes(made.bytes())
        return folder / name

    return make


def scaled(factor: float) -> dict[str, Any]:
    """Fields for lengths that are given in another unit: one of the file is `factor` mm."""
    return {
        "matrix": lambda n: np.vstack([n.matrix[:3] / factor, n.matrix[3:]]),
        "units": {1000.0: 1, 0.001: 3}[factor],
    }


def sheared(degrees: float) -> Callable[[Nifti], np.ndarray]:
    """The voxel matrix with the third axis leaning towards the second."""

    def change(plain: Nifti) -> np.ndarray:
        matrix = plain.matrix.copy()
        lean = np.radians(degrees)
        second = matrix[:3, 1] / np.linalg.norm(matrix[:3, 1])
        matrix[:3, 2] += np.tan(lean) * np.linalg.norm(matrix[:3, 2]) * second
        return matrix

    return change


def _pixdim(first: float = 1.0, at: int | None = None, value: float = 0.0, factor: float = 1.0) -> Callable[[Nifti], list[float]]:
    def change(plain: Nifti) -> list[float]:
        pixdim = [first, *(np.linalg.norm(plain.matrix[:3, :3], axis=0) * factor), 0.0, 0.0, 0.0, 0.0]
        if at is not None:
            pixdim[at] = value
        return [float(v) for v in pixdim]

    return change


def _turned(degrees: float, flip: bool = False, shift: float = 0.0) -> Callable[[Nifti], np.ndarray]:
    """The sform turned about the axis from head to foot, mirrored, or moved."""

    def change(plain: Nifti) -> np.ndarray:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        middle = plain.matrix @ [*((np.array(plain.data.shape[::-1]) - 1) / 2), 1]
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag([-1.0 if flip else 1.0, 1, 1])
        matrix = plain.matrix.copy()
        matrix[:3, :3] = turn @ matrix[:3, :3]
        matrix[:3, 3] = turn @ (matrix[:3, 3] - middle[:3]) + middle[:3] + [shift, 0, 0]
        return matrix[:3]

    return change


def _rounded_axes(plain: Nifti) -> np.ndarray:
    """Axes 0.05 degrees off right angles, as conversions with rounded numbers leave them."""
    matrix = plain.matrix.copy()
    matrix[0, 1] += matrix[1, 1] * np.tan(np.radians(0.05))
    return matrix


def _with_nan(plain: Nifti) -> np.ndarray:
    srow = plain.matrix[:3].copy()
    srow[1, 1] = np.nan
    return srow


def _gzipped(make: Callable[[Path, CTVolume], Path], name: str) -> Callable[[Path, CTVolume], Path]:
    def pack(folder: Path, volume: CTVolume) -> Path:
        data = make(folder, volume)
        packed = gzip.compress(data.read_bytes(), 1)
        data.unlink()
        (folder / name).write_bytes(packed)
        return folder / name

    return pack


def _pair(asked: str) -> Callable[[Path, CTVolume], Path]:
    def make(folder: Path, volume: CTVolume) -> Path:
        path = nifti("scan.hdr", magic=b"ni1\0", offset=0.0)(folder, volume)
        whole = path.read_bytes()
        path.write_bytes(whole[:352])
        (folder / "scan.img").write_bytes(whole[352:])
        return folder / asked

    return make


# --- NRRD and MetaImage ----------------------------------------------------------------------------------------------------------


def detached(header: str, data: str, make: Callable[[Path, CTVolume], Path], before: bytes) -> Callable[[Path, CTVolume], Path]:
    """The file that `make` writes with its voxels in a file of their own, behind bytes that the header does not name."""

    def write(folder: Path, volume: CTVolume) -> Path:
        whole = make(folder, volume)
        begin = whole.stat().st_size - volume.hu.nbytes
        text, voxels = whole.read_bytes()[:begin], whole.read_bytes()[begin:]
        (folder / data).write_bytes(before + voxels)
        (folder / header).write_bytes(text.replace(b"= LOCAL", b"= " + data.encode()))
        return folder / header

    return write


def _turned_over(make: Callable[[Path, CTVolume], Path]) -> Callable[[Path, CTVolume], Path]:
    """The scan stored from its last slice to its first: a left-handed grid."""

    def write(folder: Path, volume: CTVolume) -> Path:
        geometry = volume.geometry
        last = geometry.to_physical([0, 0, geometry.size[2] - 1])
        direction = np.asarray(geometry.direction) @ np.diag([1, 1, -1])
        return make(folder, CTVolume(volume.hu[::-1].copy(), replace(geometry, origin=tuple(last), direction=direction.tolist())))

    return write


def _vector(values: Any) -> str:
    return "(" + ",".join(f"{float(v):.9g}" for v in values) + ")"


def nrrd(
    *changes: str, without: tuple[str, ...] = (), frame: np.ndarray | None = None, factor: float = 1.0, name: str = "scan.nrrd"
) -> Callable[[Path, CTVolume], Path]:
    """A raw NRRD; `changes` replace or add header lines, `frame` takes LPS to the space of the file, `factor` its unit."""

    def make(folder: Path, volume: CTVolume) -> Path:
        geometry, to = volume.geometry, np.eye(3) if frame is None else frame
        steps = to @ geometry.matrix / factor
        lines = {
            "type": "short", "dimension": "3", "space": "left-posterior-superior", "sizes": " ".join(map(str, geometry.size)),
            "space directions": " ".join(_vector(column) for column in steps.T), "kinds": "domain domain domain",
            "endian": "little", "encoding": "raw", "space origin": _vector(to @ geometry.origin / factor),
        }  # fmt: skip
        filled = [change.replace("SPACING", " ".join(f"{v:.9g}" for v in geometry.spacing)) for change in changes]
        lines |= dict(change.split(": ", 1) for change in filled)
        text = "\n".join(f"{key}: {value}" for key, value in lines.items() if key not in without)
        (folder / name).write_bytes(b"NRRD0005\n" + text.encode() + b"\n\n" + volume.hu.astype("<i2").tobytes())
        return folder / name

    return make


def meta(*changes: str, without: tuple[str, ...] = (), twice: tuple[str, ...] = ()) -> Callable[[Path, CTVolume], Path]:
    """A MetaImage with its data inside; SPACING, MATRIX and ORIGIN in a line stand for the scan's own numbers."""

    def make(folder: Path, volume: CTVolume) -> Path:
        geometry = volume.geometry
        numbers = {
            "SPACING": " ".join(f"{v:.9g}" for v in geometry.spacing),
            "MATRIX": " ".join(f"{v:.9g}" for v in np.ravel(np.transpose(geometry.direction))),
            "ORIGIN": " ".join(f"{v:.9g}" for v in geometry.origin),
        }
        lines = {
            "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False", "CompressedData": "False",
            "TransformMatrix": "MATRIX", "Offset": "ORIGIN", "ElementSpacing": "SPACING",
            "DimSize": " ".join(map(str, geometry.size)), "ElementType": "MET_SHORT",
        }  # fmt: skip
        given = [change.split(" = ", 1) for change in changes]
        lines |= {key: value for key, value in given}
        listed = [(key, value) for key, value in lines.items() if key not in without] + [tuple(t.split(" = ", 1)) for t in twice]
        text = "".join(f"{key} = {value}\n" for key, value in [*listed, ("ElementDataFile", "LOCAL")])
        for word, value in numbers.items():
            text = text.replace(word, value)
        (folder / "scan.mha").write_bytes(text.encode() + volume.hu.astype("<i2").tobytes())
        return folder / "scan.mha"

    return make


def _stored_half(make: Callable[..., Any], **fields: Any) -> Callable[[Path, CTVolume], Path]:
    """Values stored as (HU + 1024) / 2 + 0.5 at most, to be scaled back by slope 2 and intercept -1024."""

    def write(folder: Path, volume: CTVolume) -> Path:
        stored = np.rint((volume.hu.astype(float) + 1024) / 2).astype(np.int16)
        return make(folder, CTVolume(stored, volume.geometry))

    return write


def _behind_gzip(tail: bytes, inside: bytes = b"") -> Callable[[Path, CTVolume], Path]:
    """A gzipped NIfTI file in two members, `inside` at the end of what they unpack to, and `tail` behind them."""

    def make(folder: Path, volume: CTVolume) -> Path:
        raw = Nifti.of(volume).bytes() + inside
        (folder / "scan.nii.gz").write_bytes(gzip.compress(raw[:5000], 1) + gzip.compress(raw[5000:], 1) + tail)
        return folder / "scan.nii.gz"

    return make


def _listed(data_file: str, numbers: list[int], missing: int | None = None, gap: str = "") -> Callable[[Path, CTVolume], Path]:
    """A NRRD header with a file for each slice, that of slice `missing` left out; a list names those of `numbers`."""

    def make(folder: Path, volume: CTVolume) -> Path:
        path = nrrd(name="scan.nhdr")(folder, volume)
        lines = path.read_bytes().split(b"\n\n")[0].decode() + f"\ndata file: {data_file}\n{gap}"
        path.write_text(lines + "".join(f"slice{k:02d}.raw\n" for k in numbers), encoding="utf-8")
        for k, section in enumerate(volume.hu):
            if k != missing:
                (folder / f"slice{k:02d}.raw").write_bytes(section.astype("<i2").tobytes())
        return path

    return make


def _colons(between: str) -> Callable[[Path, CTVolume], Path]:
    def make(folder: Path, volume: CTVolume) -> Path:
        path = meta()(folder, volume)
        begin = path.stat().st_size - volume.hu.nbytes
        data = path.read_bytes()
        path.write_bytes(data[:begin].replace(b" = ", between.encode()) + data[begin:])
        return path

    return make


def _as_text(end: str, less: int = 0, data: str = "") -> Callable[[Path, CTVolume], Path]:
    """A MetaImage with its voxels as text that ends in `end`, the last `less` signs cut off, in a file `data` if one is named."""

    def make(folder: Path, volume: CTVolume) -> Path:
        path = meta("BinaryData = False")(folder, volume)
        header = path.read_bytes()[: path.stat().st_size - volume.hu.nbytes]
        text = " ".join(map(str, volume.hu.ravel()))
        text = (text[: len(text) - less] + end).encode()
        if not data:
            path.write_bytes(header + text)
            return path
        path.unlink()
        (folder / data).write_bytes(text)
        (folder / "scan.mhd").write_bytes(header.replace(b"LOCAL", data.encode()))
        return folder / "scan.mhd"

    return make


# --- the tables ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ImageInput:
    """`make` writes a scan as a file. It is read as the scan, with findings of `codes`; or refused, in a sentence with `refused` in
    it. `assume` is what the user says of its axes. `tolerance` is in HU.
    """

    name: str
    make: Callable[[Path, CTVolume], Path]
    codes: frozenset[str] = field(default=frozenset())
    refused: str = ""
    assume: str | None = None
    tolerance: int = 0


def _read(name: str, make: Any, *codes: str, **options: Any) -> ImageInput:
    return ImageInput(name, make, frozenset(codes), **options)


def _refused(name: str, make: Any, words: str, **options: Any) -> ImageInput:
    return ImageInput(name, make, refused=words, **options)


SIDES, SIZES, PLACE = "contradicting_sides", "contradicting_spacing", "contradicting_position"
ASSUMED, TEMPLATE = "assumed_orientation", "in_template_space"
TO_RAS, TO_LAS = np.diag([-1.0, -1.0, 1.0]), np.diag([1.0, -1.0, 1.0])
UNSTATED = "does not state how its axes lie"
NO_SPACING = "does not state its voxel spacing"
_XYZ = ("space", "space origin")

NIFTI_INPUTS = [
    _read("plain", nifti()),
    _read("sform only", nifti(qform_code=0)),
    _read("qform only", nifti(sform_code=0)),
    _read("left-handed", _turned_over(nifti())),
    _read("left-handed, qform only", _turned_over(nifti(sform_code=0))),
    _read("qform only, sform rows of zeros", nifti(sform_code=0, srow=np.zeros((3, 4)))),
    _read("NIfTI-2", nifti(version=2)),
    _read("big endian", nifti(order=">")),
    _read("NIfTI-2, big endian", nifti(version=2, order=">")),
    _read("plain called .nii.gz", nifti("scan.nii.gz")),
    _read("gzipped called .nii", _gzipped(nifti("raw"), "scan.nii")),
    _read("gzipped", _gzipped(nifti("raw"), "SCAN.NII.GZ")),
    _read("pair, its header", _pair("scan.hdr")),
    _read("pair, its image", _pair("scan.img")),
    _read("one time point", nifti(dims=lambda n: [*n.data.shape[::-1], 1])),
    _read("vox_offset 0", nifti(offset=0.0)),
    _read("voxels after an extension", nifti(offset=400.0, begin=400)),
    _read("slope 0 with an intercept", nifti(slope=0.0, intercept=-1024.0)),
    _read("slope NaN", nifti(slope=np.nan, intercept=np.nan)),
    _read("slope 2", _stored_half(nifti(slope=2.0, intercept=-1024.0)), tolerance=1),
    _refused("intercept NaN", nifti(slope=1.0, intercept=np.nan), "intercept"),
    _read("unit unknown", nifti(units=0)),
    _read("metres", nifti(**scaled(1000.0)), "unit_converted"),
    _read("micrometres", nifti(**scaled(0.001)), "unit_converted"),
    _refused("mm called metres", nifti(units=1), "in metres"),
    _read("pixdim 1 beside the sform", nifti(qform_code=0, pixdim=[1.0] * 8), SIZES),
    _read("negative pixdim beside the sform", nifti(qform_code=0, pixdim=_pixdim(at=1, value=-4.0))),
    _read("negative pixdim of the qform", nifti(sform_code=0, pixdim=_pixdim(at=2, value=-4.0))),
    _read("pixdim 0 beside the sform", nifti(qform_code=0, pixdim=[0.0] * 8)),
    _read("pixdim NaN beside the sform", nifti(qform_code=0, pixdim=[np.nan] * 8)),
    _read("qfac 0", nifti(sform_code=0, pixdim=_pixdim(first=0.0))),
    _refused("qform with pixdim 0", nifti(sform_code=0, pixdim=[0.0] * 8), "spacing of zero"),
    _refused("qform with pixdim NaN", nifti(pixdim=_pixdim(at=3, value=np.nan)), "not a number"),
    _refused("qform and sform of two sizes", nifti(pixdim=_pixdim(factor=1 / 3)), "two voxel sizes"),
    _read("qform 1 % smaller", nifti(pixdim=_pixdim(factor=0.99)), SIZES),
    _refused("codes 0", nifti(qform_code=0, sform_code=0), UNSTATED),
    _refused("codes 0 and pixdim 0", nifti(qform_code=0, sform_code=0, pixdim=[0.0] * 8), NO_SPACING),
    _read("sform NaN beside the qform", nifti(srow=_with_nan), "form_not_usable"),
    _refused("sform NaN alone", nifti(srow=_with_nan, qform_code=0), "not numbers"),
    _refused("sform zero alone", nifti(srow=np.zeros((3, 4)), qform_code=0), "its sform has an axis"),
    _read("quaternion too long beside the sform", nifti(quaternion=[0.0, 0.9, 0.9]), "form_not_usable"),
    _refused("quaternion too long alone", nifti(quaternion=[0.0, 0.9, 0.9], sform_code=0), "no rotation"),
    _read("quaternion a hair too long", nifti(quaternion=[0.0, 0.0, 1.0 + 1e-6], sform_code=0)),
    _read("qform mirrored", nifti(pixdim=_pixdim(first=-1.0)), SIDES),
    _read("qform turned by 180 degrees", nifti(quaternion=[0.0, 0.0, 0.0]), SIDES),
    _read("qform turned by 90 degrees", nifti(quaternion=[0.0, 0.0, 0.70710678]), SIDES),
    _read("qform 5 degrees off", nifti(quaternion=[0.0, 0.0, float(np.cos(np.radians(2.5)))]), PLACE),
    _read("qform 50 mm off", nifti(qoffset=lambda n: list(n.matrix[:3, 3] + [50, 0, 0])), PLACE),
    _read("sform of a template", nifti(sform_code=4, srow=lambda n: 1.2 * n.matrix[:3]), "template_space"),
    _read("a template's sform alone", nifti(qform_code=0, sform_code=4), TEMPLATE),
    _read("Talairach's sform alone", nifti(qform_code=0, sform_code=3), TEMPLATE),
    _read("a template's qform alone", nifti(qform_code=3, sform_code=0), TEMPLATE),
    _read("both of a template", nifti(qform_code=4, sform_code=4), TEMPLATE),
    _read("another template's sform alone", nifti(qform_code=0, sform_code=5), TEMPLATE),
    _read("aligned to another scan", nifti(qform_code=0, sform_code=2)),
    _read("a template's qform beside the scanner's sform", nifti(qform_code=4, sform_code=1)),
    _read("axes 0.05 degrees off right angles", nifti(qform_code=0, matrix=_rounded_axes), tolerance=0),
    _refused("axes 20 degrees off in plane", nifti(qform_code=0, srow=lambda n: n.matrix[:3] @ np.array(
        [[1, 0.36, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])), "right angles"),
    _refused("stacked at 50 degrees", nifti(qform_code=0, matrix=sheared(50.0)), "50 degrees"),
    _refused("bitpix beside datatype", nifti(bitpix=32), "states its voxel type twice"),
    _refused("header of a pair without image", nifti("scan.nii", magic=b"ni1\0"), "scan.img"),
    _refused("Analyze", nifti("scan.nii", magic=b"\0\0\0\0"), "Analyze"),
    _refused("voxels begin nowhere", nifti(offset=np.nan), "where its voxels begin"),
    _refused("voxels begin beyond the end", nifti(offset=1e9), "cut short"),
    _read("bytes left over", nifti(tail=bytes(16)), "bytes_left_over"),
    _read("something behind the packed data", _behind_gzip(b"more"), "bytes_left_over"),
    _read("one byte behind the packed data", _behind_gzip(b"x"), "bytes_left_over"),
    _read("zeros behind the packed data", _behind_gzip(bytes(600))),
    _read("zeros and more behind the packed data", _behind_gzip(bytes(600) + b"more"), "bytes_left_over"),
    _read("bytes left over in the packed data and behind", _behind_gzip(b"more", inside=b"1234"), "bytes_left_over"),
    _refused("half a member behind the packed data", _behind_gzip(gzip.compress(b"more")[:-9]), "damaged or cut short"),
]  # fmt: skip

NRRD_INPUTS = [
    _read("plain", nrrd()),
    _read("left-handed", _turned_over(nrrd())),
    _read("detached", detached("scan.nhdr", "scan.raw", nrrd("data file: scan.raw"), b"")),
    _read("LPS in letters", nrrd("space: LPS")),
    _read("RAS", nrrd("space: right-anterior-superior", frame=TO_RAS)),
    _read("ras in small letters", nrrd("space: ras", frame=TO_RAS)),
    _read("LAS", nrrd("space: left-anterior-superior", frame=TO_LAS)),
    _read("metres", nrrd('space units: "m" "m" "m"', factor=1000.0), "unit_converted"),
    _read("microns", nrrd('space units: "microns" "microns" "microns"', factor=0.001), "unit_converted"),
    _read("millimetres", nrrd('space units: "mm" "mm" "mm"')),
    _refused("mm called metres", nrrd('space units: "m" "m" "m"'), "in metres"),
    _refused("pixels as unit", nrrd('space units: "pixel" "pixel" "pixel"'), "pixel"),
    _refused("mixed units", nrrd('space units: "mm" "mm" "m"'), "one unit"),
    _read("one channel", nrrd("dimension: 4", "sizes: 1 96 64 20", "kinds: list domain domain domain",
                              "space directions: none (4,0,0) (0,4,0) (0,0,5)")),
    _read("one channel, last", nrrd("dimension: 4", "sizes: 96 64 20 1", "kinds: domain domain domain list",
                                    "space directions: (4,0,0) (0,4,0) (0,0,5) none")),
    _read("one time point", nrrd("dimension: 4", "sizes: 96 64 20 1", "kinds: domain domain domain time", "space: LPST",
                                 "space directions: (4,0,0,0) (0,4,0,0) (0,0,5,0) (0,0,0,1)", "space origin: (-150,-100,-400,0)")),
    _refused("time axis outside its space", nrrd(
        "dimension: 4", "sizes: 96 64 20 1", "kinds: domain domain domain time",
        "space directions: (4,0,0) (0,4,0) (0,0,5) none"), "cannot be read"),
    _read("no origin", nrrd(without=("space origin",)), "position_not_stated"),
    _read("measurement frame", nrrd("measurement frame: (1,0,0) (0,1,0) (0,0,1)")),
    _refused("no spacing", nrrd(without=("space", "space directions", "space origin")), NO_SPACING),
    _refused("a space and no spacing", nrrd(without=("space directions",)), NO_SPACING),
    _refused("spacings only", nrrd("spacings: SPACING", without=("space directions", *_XYZ)), UNSTATED),
    _read("list of files", _listed("LIST", list(range(20)))),
    _read("numbered files", _listed("slice%02d.raw 0 19 1", [])),
    _refused("list with a missing file", _listed("LIST", list(range(20)), missing=7), "slice07.raw, which"),
    _refused("numbered files, one missing", _listed("slice%02d.raw 0 19 1", [], missing=7), "slice07.raw, which"),
    _refused("list too short", _listed("LIST", list(range(19))), "lists 19 files with voxels where it needs 20"),
    _refused("numbered files, too few", _listed("slice%02d.raw 1 19 1", []), "lists 19 files with voxels where it needs 20"),
    _refused("list with an empty line", _listed("LIST", list(range(20)), gap="\n"), "empty line"),
    _refused("directions and no word on space", nrrd(without=("space",)), "without the space that they lie in"),
    _refused("an unknown space", nrrd("space: left-up"), "'left-up', which the format does not know"),
    _refused("space and its dimension", nrrd("space: LPS\nspace dimension: 3"), "a space and its space dimension"),
    _refused("directions without space", nrrd("dimension: 3\nspace dimension: 3", without=("space",)), UNSTATED),
    _refused("scanner-xyz", nrrd("space: scanner-xyz"), UNSTATED),
    _refused("3D-right-handed", nrrd("space: 3D-right-handed"), UNSTATED),
    _refused("spacings beside directions", nrrd("spacings: 1 1 1"), "states its voxel size twice"),
    _refused("bzip2", nrrd("encoding: bzip2"), "encoding bzip2"),
    _refused("no byte order", nrrd(without=("endian",)), "byte order"),
    _refused("detached, data missing", nrrd("data file: scan.raw", name="scan.nhdr"), "scan.raw"),
    _refused("called .nii", nrrd(name="scan.nii"), "is a NRRD image"),
]  # fmt: skip

META_INPUTS = [
    _read("plain", meta()),
    _read("left-handed", _turned_over(meta())),
    _read("detached", detached("scan.mhd", "scan.raw", meta(), b"")),
    _read("Rotation and Position", meta("Rotation = MATRIX", "Position = ORIGIN", without=("TransformMatrix", "Offset"))),
    _read("Orientation and Origin", meta("Orientation = MATRIX", "Origin = ORIGIN", without=("TransformMatrix", "Offset"))),
    _read("both, the same", meta("Orientation = MATRIX")),
    _read("both, the same in other digits", meta("Orientation = 1.0 0.0 0.0 0 1.00 0 0 0 1e0")),
    _refused("both, different", meta("Orientation = -1 0 0 0 1 0 0 0 1"), "the same twice and differently"),
    _refused("one field twice", meta(twice=("TransformMatrix = -1 0 0 0 1 0 0 0 1",)), "states its TransformMatrix twice"),
    _refused("no TransformMatrix", meta(without=("TransformMatrix",)), UNSTATED),
    _refused("letters in place of axes", meta("AnatomicalOrientation = RAI", without=("TransformMatrix",)), UNSTATED),
    _refused("no spacing", meta(without=("ElementSpacing",)), NO_SPACING),
    _read("ElementSize alone", meta("ElementSize = SPACING", without=("ElementSpacing",)), "spacing_of_voxel_size"),
    _read("thicker slices", meta("ElementSize = 4 4 6")),
    _read("larger pixels", meta("ElementSize = 5 5 5"), SIZES),
    _refused("negative spacing", meta("ElementSpacing = -4 4 5"), "zero or less"),
    _refused("axes of length 4", meta("TransformMatrix = 4 0 0 0 4 0 0 0 5", "ElementSpacing = 1 1 1"), "voxel size twice"),
    _read("letters, from", meta("AnatomicalOrientation = RAI")),
    _read("letters, to", meta("AnatomicalOrientation = LPS")),
    _read("letters that contradict", meta("AnatomicalOrientation = LAI"), SIDES),
    _read("centre of rotation, not turned", meta("CenterOfRotation = 10 20 30")),
    _read("centimetres", meta("DistanceUnits = cm", "ElementSpacing = 0.4 0.4 0.5", "Offset = -15 -10 -40"), "unit_converted"),
    _refused("unknown unit", meta("DistanceUnits = ft"), "'ft'"),
    _read("stored scaled", _stored_half(meta("ElementToIntensityFunctionSlope = 2", "ElementToIntensityFunctionOffset = -1024")),
          tolerance=1),
    _read("colons", _colons(": ")),
    _read("colons alone", _colons(":")),
    _read("text", _as_text("\n")),
    _read("text without a line break at its end", _as_text("")),
    _read("text without a line break in a file of its own", _as_text("", data="scan.txt")),
    _refused("text cut short", _as_text("", less=2000), "cut short"),
    _refused("text cut short before a line break", _as_text("\n", less=2000), "cut short"),
    _refused("text with words", _as_text(" and more"), "not all of it is numbers"),
    _refused("too few numbers", meta("ElementSpacing = 4 4"), "2 numbers in place of 3"),
]  # fmt: skip

# What a user says of axes that a file does not state.
ASSUMED_INPUTS = [
    _read("NIfTI as LPS", nifti(qform_code=0, sform_code=0), ASSUMED, assume="LPS"),
    _read("NIfTI as RAS", nifti(qform_code=0, sform_code=0), ASSUMED, assume="RAS"),
    _read("NRRD spacings as LPS", nrrd("spacings: SPACING", without=("space directions", *_XYZ)), ASSUMED, assume="LPS"),
    _read("NRRD directions as RAS", nrrd("dimension: 3\nspace dimension: 3", without=_XYZ), ASSUMED, assume="RAS"),
    _read("MetaImage as LPS", meta(without=("TransformMatrix", "Offset")), ASSUMED, assume="LPS"),
    _read("MetaImage as RAS", meta(without=("TransformMatrix", "Offset")), ASSUMED, assume="RAS"),
]
