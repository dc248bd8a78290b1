"""Image files as other programs write them: fields changed or stated twice, and voxels stored in other ways."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from image_writing import Nifti, meta, nifti, nrrd

from MSKSegmentLib.ct import CTVolume


def stated_pixdim(
    first: float = 1.0, at: int | None = None, value: float = 0.0, factor: float = 1.0
) -> Callable[[Nifti], list[float]]:
    def change(plain: Nifti) -> list[float]:
        pixdim = [first, *(np.linalg.norm(plain.matrix[:3, :3], axis=0) * factor), 0.0, 0.0, 0.0, 0.0]
        if at is not None:
            pixdim[at] = value
        return [float(v) for v in pixdim]

    return change


def rounded_axes(plain: Nifti) -> np.ndarray:
    """Axes 0.05 degrees off right angles, as conversions with rounded numbers leave them."""
    matrix = plain.matrix.copy()
    matrix[0, 1] += matrix[1, 1] * np.tan(np.radians(0.05))
    return matrix


def with_nan(plain: Nifti) -> np.ndarray:
    srow = plain.matrix[:3].copy()
    srow[1, 1] = np.nan
    return srow


def gzipped(make: Callable[[Path, CTVolume], Path], name: str) -> Callable[[Path, CTVolume], Path]:
    def pack(folder: Path, volume: CTVolume) -> Path:
        data = make(folder, volume)
        packed = gzip.compress(data.read_bytes(), 1)
        data.unlink()
        (folder / name).write_bytes(packed)
        return folder / name

    return pack


def pair_of_files(asked: str) -> Callable[[Path, CTVolume], Path]:
    def make(folder: Path, volume: CTVolume) -> Path:
        path = nifti("scan.hdr", magic=b"ni1\0", offset=0.0)(folder, volume)
        whole = path.read_bytes()
        path.write_bytes(whole[:352])
        (folder / "scan.img").write_bytes(whole[352:])
        return folder / asked

    return make


def turned_over(make: Callable[[Path, CTVolume], Path]) -> Callable[[Path, CTVolume], Path]:
    """The scan stored from its last slice to its first: a left-handed grid."""

    def write(folder: Path, volume: CTVolume) -> Path:
        geometry = volume.geometry
        last = geometry.to_physical([0, 0, geometry.size[2] - 1])
        direction = np.asarray(geometry.direction) @ np.diag([1, 1, -1])
        return make(folder, CTVolume(volume.hu[::-1].copy(), replace(geometry, origin=tuple(last), direction=direction.tolist())))

    return write


def stored_half(make: Callable[..., Any], **fields: Any) -> Callable[[Path, CTVolume], Path]:
    """Values stored as (HU + 1024) / 2 + 0.5 at most, to be scaled back by slope 2 and intercept -1024."""

    def write(folder: Path, volume: CTVolume) -> Path:
        stored = np.rint((volume.hu.astype(float) + 1024) / 2).astype(np.int16)
        return make(folder, CTVolume(stored, volume.geometry))

    return write


def behind_gzip(tail: bytes, inside: bytes = b"") -> Callable[[Path, CTVolume], Path]:
    """A gzipped NIfTI file in two members, `inside` at the end of what they unpack to, and `tail` behind them."""

    def make(folder: Path, volume: CTVolume) -> Path:
        raw = Nifti.of(volume).bytes() + inside
        (folder / "scan.nii.gz").write_bytes(gzip.compress(raw[:5000], 1) + gzip.compress(raw[5000:], 1) + tail)
        return folder / "scan.nii.gz"

    return make


def listed(data_file: str, numbers: list[int], missing: int | None = None, gap: str = "") -> Callable[[Path, CTVolume], Path]:
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


def with_colons(between: str) -> Callable[[Path, CTVolume], Path]:
    def make(folder: Path, volume: CTVolume) -> Path:
        path = meta()(folder, volume)
        begin = path.stat().st_size - volume.hu.nbytes
        data = path.read_bytes()
        path.write_bytes(data[:begin].replace(b" = ", between.encode()) + data[begin:])
        return path

    return make


def as_text(end: str, less: int = 0, data: str = "") -> Callable[[Path, CTVolume], Path]:
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
