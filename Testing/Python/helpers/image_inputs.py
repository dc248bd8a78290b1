"""Image files as other programs write them: what they state, leave out, or state twice, and what is to become of each."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from image_variants import (
    as_text,
    behind_gzip,
    gzipped,
    listed,
    pair_of_files,
    rounded_axes,
    stated_pixdim,
    stored_half,
    turned_over,
    with_colons,
    with_nan,
)
from image_writing import detached, meta, nifti, nrrd, scaled, sheared

from MSKSegmentLib.ct import CTVolume


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
    _read("left-handed", turned_over(nifti())),
    _read("left-handed, qform only", turned_over(nifti(sform_code=0))),
    _read("qform only, sform rows of zeros", nifti(sform_code=0, srow=np.zeros((3, 4)))),
    _read("NIfTI-2", nifti(version=2)),
    _read("big endian", nifti(order=">")),
    _read("NIfTI-2, big endian", nifti(version=2, order=">")),
    _read("plain called .nii.gz", nifti("scan.nii.gz")),
    _read("gzipped called .nii", gzipped(nifti("raw"), "scan.nii")),
    _read("gzipped", gzipped(nifti("raw"), "SCAN.NII.GZ")),
    _read("pair, its header", pair_of_files("scan.hdr")),
    _read("pair, its image", pair_of_files("scan.img")),
    _read("one time point", nifti(dims=lambda n: [*n.data.shape[::-1], 1])),
    _read("vox_offset 0", nifti(offset=0.0)),
    _read("voxels after an extension", nifti(offset=400.0, begin=400)),
    _read("slope 0 with an intercept", nifti(slope=0.0, intercept=-1024.0)),
    _read("slope NaN", nifti(slope=np.nan, intercept=np.nan)),
    _read("slope 2", stored_half(nifti(slope=2.0, intercept=-1024.0)), tolerance=1),
    _refused("intercept NaN", nifti(slope=1.0, intercept=np.nan), "intercept"),
    _read("unit unknown", nifti(units=0)),
    _read("metres", nifti(**scaled(1000.0)), "unit_converted"),
    _read("micrometres", nifti(**scaled(0.001)), "unit_converted"),
    _refused("mm called metres", nifti(units=1), "in metres"),
    _read("pixdim 1 beside the sform", nifti(qform_code=0, pixdim=[1.0] * 8), SIZES),
    _read("negative pixdim beside the sform", nifti(qform_code=0, pixdim=stated_pixdim(at=1, value=-4.0))),
    _read("negative pixdim of the qform", nifti(sform_code=0, pixdim=stated_pixdim(at=2, value=-4.0))),
    _read("pixdim 0 beside the sform", nifti(qform_code=0, pixdim=[0.0] * 8)),
    _read("pixdim NaN beside the sform", nifti(qform_code=0, pixdim=[np.nan] * 8)),
    _read("qfac 0", nifti(sform_code=0, pixdim=stated_pixdim(first=0.0))),
    _refused("qform with pixdim 0", nifti(sform_code=0, pixdim=[0.0] * 8), "spacing of zero"),
    _refused("qform with pixdim NaN", nifti(pixdim=stated_pixdim(at=3, value=np.nan)), "not a number"),
    _refused("qform and sform of two sizes", nifti(pixdim=stated_pixdim(factor=1 / 3)), "two voxel sizes"),
    _read("qform 1 % smaller", nifti(pixdim=stated_pixdim(factor=0.99)), SIZES),
    _refused("codes 0", nifti(qform_code=0, sform_code=0), UNSTATED),
    _refused("codes 0 and pixdim 0", nifti(qform_code=0, sform_code=0, pixdim=[0.0] * 8), NO_SPACING),
    _read("sform NaN beside the qform", nifti(srow=with_nan), "form_not_usable"),
    _refused("sform NaN alone", nifti(srow=with_nan, qform_code=0), "not numbers"),
    _refused("sform zero alone", nifti(srow=np.zeros((3, 4)), qform_code=0), "its sform has an axis"),
    _read("quaternion too long beside the sform", nifti(quaternion=[0.0, 0.9, 0.9]), "form_not_usable"),
    _refused("quaternion too long alone", nifti(quaternion=[0.0, 0.9, 0.9], sform_code=0), "no rotation"),
    _read("quaternion a hair too long", nifti(quaternion=[0.0, 0.0, 1.0 + 1e-6], sform_code=0)),
    _read("qform mirrored", nifti(pixdim=stated_pixdim(first=-1.0)), SIDES),
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
    _read("axes 0.05 degrees off right angles", nifti(qform_code=0, matrix=rounded_axes), tolerance=0),
    _refused("axes 20 degrees off in plane", nifti(qform_code=0, srow=lambda n: n.matrix[:3] @ np.array(
        [[1, 0.36, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])), "right angles"),
    _refused("stacked at 50 degrees", nifti(qform_code=0, matrix=sheared(50.0)), "50 degrees"),
    _refused("bitpix beside datatype", nifti(bitpix=32), "states its voxel type twice"),
    _refused("header of a pair without image", nifti("scan.nii", magic=b"ni1\0"), "scan.img"),
    _refused("Analyze", nifti("scan.nii", magic=b"\0\0\0\0"), "Analyze"),
    _refused("voxels begin nowhere", nifti(offset=np.nan), "where its voxels begin"),
    _refused("voxels begin beyond the end", nifti(offset=1e9), "cut short"),
    _read("bytes left over", nifti(tail=bytes(16)), "bytes_left_over"),
    _read("something behind the packed data", behind_gzip(b"more"), "bytes_left_over"),
    _read("one byte behind the packed data", behind_gzip(b"x"), "bytes_left_over"),
    _read("zeros behind the packed data", behind_gzip(bytes(600))),
    _read("zeros and more behind the packed data", behind_gzip(bytes(600) + b"more"), "bytes_left_over"),
    _read("bytes left over in the packed data and behind", behind_gzip(b"more", inside=b"1234"), "bytes_left_over"),
    _refused("half a member behind the packed data", behind_gzip(gzip.compress(b"more")[:-9]), "damaged or cut short"),
]  # fmt: skip


NRRD_INPUTS = [
    _read("plain", nrrd()),
    _read("left-handed", turned_over(nrrd())),
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
    _read("list of files", listed("LIST", list(range(20)))),
    _read("numbered files", listed("slice%02d.raw 0 19 1", [])),
    _refused("list with a missing file", listed("LIST", list(range(20)), missing=7), "slice07.raw, which"),
    _refused("numbered files, one missing", listed("slice%02d.raw 0 19 1", [], missing=7), "slice07.raw, which"),
    _refused("list too short", listed("LIST", list(range(19))), "lists 19 files with voxels where it needs 20"),
    _refused("numbered files, too few", listed("slice%02d.raw 1 19 1", []), "lists 19 files with voxels where it needs 20"),
    _refused("list with an empty line", listed("LIST", list(range(20)), gap="\n"), "empty line"),
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
    _read("left-handed", turned_over(meta())),
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
    _read("stored scaled", stored_half(meta("ElementToIntensityFunctionSlope = 2", "ElementToIntensityFunctionOffset = -1024")),
          tolerance=1),
    _read("colons", with_colons(": ")),
    _read("colons alone", with_colons(":")),
    _read("text", as_text("\n")),
    _read("text without a line break at its end", as_text("")),
    _read("text without a line break in a file of its own", as_text("", data="scan.txt")),
    _refused("text cut short", as_text("", less=2000), "cut short"),
    _refused("text cut short before a line break", as_text("\n", less=2000), "cut short"),
    _refused("text with words", as_text(" and more"), "not all of it is numbers"),
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
