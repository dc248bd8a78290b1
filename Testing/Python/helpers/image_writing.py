"""Image files written by hand, so that a test states every field of their headers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
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
