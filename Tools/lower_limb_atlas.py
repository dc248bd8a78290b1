"""Make an atlas of whole lower limbs for virtual MR patients: the label maps of hip and thigh go on to the ankle.

    python Tools/lower_limb_atlas.py ATLAS OUT [BODY ...]

ATLAS is a folder with ``<body>_labels.nrrd`` and ``<body>_meshes.zip`` (binary PLY in RAS mm, one surface per part, called
``<BODY>_<side>_<part>.ply``). OUT receives, per body, ``<body>_labels.nrrd``, which reaches to the lowest voxel of the leg's
surfaces, and ``<body>_details.nrrd`` on the same grid: the 23 muscles of the task ``lower-limb-mr``. Needs VTK (slicer-core).

Adductors, biceps femoris and the lateral vasti are one label each in the label map; their voxels go to the part in whose surface
they lie deepest, else to the nearest one.
"""

import sys
import zipfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import VTK_UNSIGNED_CHAR, vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.anatomy.table import LEFT_OFFSET
from MSKSegmentLib.tasks import load_task
from MSKSegmentLib.virtual.atlas import FIBULA, MIRRORED_EXTRA_OFFSET, OTHER_MUSCLE, TIBIA

# Surfaces by the label of the map that their voxels have, and the muscle of the task that they are (None: no muscle of it).
PARTS = {
    "AD": {"AD-AdductorBrevis": "AB", "AD-AdductorLongus": "AL", "AD-AdductorMagnus": "AM"},
    "BF": {"BF-BicepsFemorisLong": "BFL", "BF-BicepsFemorisShort": "BFS"},
    "VLVI": {"VLVI-VastusIntermedius": "VI", "VLVI-VastusLateralis": "VL"},
}
LEG = {
    "extra-GastrocnemiusLateral": "GASL",
    "extra-GastrocnemiusMedial": "GASM",
    "extra-Soleus": "SOL",
    "extra-TibialisAnterior": "TA",
    "extra-TibialisPosterior": "TP",
    "extra-ExtensorDigitorumLongus": None,
    "extra-ExtensorHallucisLongus": None,
    "extra-FlexorDigitorumLongus": None,
    "extra-FlexorHallucisLongus": None,
    "extra-PeroneusLongus": None,
    "extra-Plantaris": None,
    "extra-Popliteus": None,
    "extra-QuadratusFemoris": None,
    "extra-SuperiorGemellus": None,
    "extra-InferiorGemellus": None,
}
BONES = {"extra-BoneTibia": TIBIA, "extra-BoneFibula": FIBULA}
# Farther than this outside of every surface no voxel belongs to one.
NEAR_MM = 2.0
# Voxels around a surface in which its distance is known.
REACH = 8
TABLE = load_task("lower-limb-mr").table


class Surfaces:
    """The surfaces of a body, rasterised onto a label map's grid: `image` has its axes to left, posterior, superior."""

    def __init__(self, archive: zipfile.ZipFile, body: str, image: sitk.Image) -> None:
        self._archive, self._body = archive, body
        self._origin, self._spacing = np.array(image.GetOrigin()), np.array(image.GetSpacing())

    def points(self, side: str, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Points ``[n, 3]`` in LPS mm and triangles ``[m, 3]`` of a surface."""
        data = self._archive.read(f"{self._body.upper()}_{side}_{part}.ply")
        header, _, rest = data.partition(b"end_header\n")
        vertices, faces = (
            int(line.split()[2]) for line in header.decode().splitlines() if line.startswith(("element vertex", "element face"))
        )
        points = np.frombuffer(rest, "<f4", 3 * vertices).reshape(-1, 3)
        face = np.dtype([("corners", "u1"), ("at", "<i4", 3)])
        return points * [-1, -1, 1], np.frombuffer(rest, face, faces, 12 * vertices)["at"]

    def lowest(self, side: str, part: str) -> float:
        """The lowest z of a surface in mm."""
        return float(self.points(side, part)[0][:, 2].min())

    def depth(self, side: str, part: str, low: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Depth inside a surface in mm (below 0 outside it), float32 ``[z, y, x]`` on the voxels from `low` ``(x, y, z)`` on."""
        points, triangles = self.points(side, part)
        points = (points - self._origin) / self._spacing - low
        # Only near the surface: a distance transform of a whole leg for each of its muscles would take minutes.
        first = np.clip(np.floor(points.min(axis=0)) - REACH, 0, shape[::-1]).astype(int)
        last = np.clip(np.ceil(points.max(axis=0)) + REACH + 1, 0, shape[::-1]).astype(int)
        depth = np.full(shape, -1e3, np.float32)
        if (last - first).min() < 1:
            return depth
        mesh, cells, corners = vtkPolyData(), vtkCellArray(), vtkPoints()
        corners.SetData(numpy_to_vtk(np.ascontiguousarray(points - first), deep=True))
        packed = np.column_stack([np.full(len(triangles), 3), triangles]).ravel().astype(np.int64)
        cells.ImportLegacyFormat(numpy_to_vtkIdTypeArray(packed, deep=True))
        mesh.SetPoints(corners)
        mesh.SetPolys(cells)
        stencil, painter = vtkPolyDataToImageStencil(), vtkImageStencilToImage()
        x, y, z = (int(n) for n in last - first)
        stencil.SetInputData(mesh)
        stencil.SetOutputWholeExtent(0, x - 1, 0, y - 1, 0, z - 1)
        painter.SetInputConnection(stencil.GetOutputPort())
        painter.SetInsideValue(1)
        painter.SetOutputScalarType(VTK_UNSIGNED_CHAR)
        painter.Update()
        inside = vtk_to_numpy(painter.GetOutput().GetPointData().GetScalars()).reshape(z, y, x) > 0
        if inside.any():
            spacing = self._spacing[::-1]
            near = ndimage.distance_transform_edt(inside, sampling=spacing) - ndimage.distance_transform_edt(
                ~inside, sampling=spacing
            )
            depth[first[2] : last[2], first[1] : last[1], first[0] : last[0]] = near
        return depth


def extended(image: sitk.Image, low: float) -> sitk.Image:
    """The label map with empty slices below, down to `low` mm."""
    spacing, origin = image.GetSpacing(), image.GetOrigin()
    slices = max(0, int(np.ceil((origin[2] - low) / spacing[2])) + 1)
    return sitk.ConstantPad(image, (0, 0, slices), (0, 0, 0), 0)


def deepest(
    surfaces: Surfaces, side: str, parts: list[str], low: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Number of the part that each voxel lies deepest in, and that depth in mm."""
    which, depth = np.zeros(shape, np.uint8), np.full(shape, -np.inf, np.float32)
    for number, part in enumerate(parts):
        own = surfaces.depth(side, part, low, shape)
        deeper = own > depth
        which[deeper], depth[deeper] = number, own[deeper]
    return which, depth


def complete(labels: np.ndarray, details: np.ndarray, surfaces: Surfaces, side: str, old_slices: int) -> None:
    """Fill in one side of both maps; slices from the end - `old_slices` on are those of the given label map."""
    offset, extra = (0, 0) if side == "R" else (LEFT_OFFSET, MIRRORED_EXTRA_OFFSET)
    for structure in HIP_AND_THIGH.structures:
        if structure.abbreviation in TABLE_KEYS:
            details[labels == structure.index + offset] = TABLE.structure(structure.abbreviation).index + offset
    for key, parts in PARTS.items():
        mask = labels == HIP_AND_THIGH.structure(key).index + offset
        low, high = box_of(mask)
        window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        which, _ = deepest(surfaces, side, list(parts), low[::-1], tuple(high - low))
        numbers = np.array([TABLE.structure(name).index + offset for name in parts.values()], np.uint8)
        here = mask[window]
        details[window][here] = numbers[which[here]]
    # The legs: below the knee all is new, above it the map knows these muscles as others.
    points = np.concatenate([surfaces.points(side, part)[0] for part in (*LEG, *BONES)])
    index = (points - surfaces._origin) / surfaces._spacing
    low = np.maximum(np.floor(index.min(axis=0)).astype(int)[::-1] - 2, 0)
    high = np.minimum(np.ceil(index.max(axis=0)).astype(int)[::-1] + 3, labels.shape)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    shape, part_labels, part_details = tuple(high - low), labels[window], details[window]
    new = np.zeros(shape, bool)
    new[: max(0, labels.shape[0] - old_slices - low[0])] = True
    for part, value in BONES.items():
        bone = surfaces.depth(side, part, low[::-1], shape) > 0
        part_labels[new & bone] = value + extra
    which, depth = deepest(surfaces, side, list(LEG), low[::-1], shape)
    part_labels[new & (part_labels == 0) & (depth > 0)] = OTHER_MUSCLE + extra
    muscle = (part_labels == OTHER_MUSCLE + extra) & (depth > -NEAR_MM)
    numbers = np.array([0 if name is None else TABLE.structure(name).index + offset for name in LEG.values()], np.uint8)
    part_details[muscle] = numbers[which[muscle]]


def box_of(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last index + 1 per axis of the voxels of a mask, one voxel wider."""
    where = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    low = np.array([max(0, found[0] - 1) for found in where])
    return low, np.array([min(size, found[-1] + 2) for found, size in zip(where, mask.shape, strict=True)])


TABLE_KEYS = {structure.abbreviation for structure in TABLE.structures}


def main(atlas: Path, out: Path, bodies: list[str]) -> None:
    """Write both maps of each body."""
    out.mkdir(parents=True, exist_ok=True)
    for body in bodies or sorted(path.name.removesuffix("_labels.nrrd") for path in atlas.glob("*_labels.nrrd")):
        image = sitk.DICOMOrient(sitk.ReadImage(str(atlas / f"{body}_labels.nrrd")), "LPS")
        with zipfile.ZipFile(atlas / f"{body}_meshes.zip") as archive:
            old_slices = image.GetSize()[2]
            lowest = min(Surfaces(archive, body, image).lowest(side, part) for side in "RL" for part in (*LEG, *BONES))
            image = extended(image, lowest)
            labels = sitk.GetArrayFromImage(image)
            details, surfaces = np.zeros_like(labels), Surfaces(archive, body, image)
            for side in "RL":
                complete(labels, details, surfaces, side, old_slices)
        for array, name in ((labels, "labels"), (details, "details")):
            written = sitk.GetImageFromArray(array)
            written.CopyInformation(image)
            sitk.WriteImage(written, str(out / f"{body}_{name}.nrrd"), useCompression=True)
        voxel_cc = float(np.prod(image.GetSpacing())) / 1000
        for segment in TABLE.segments:
            print(f"{body} {segment.key:12} {np.count_nonzero(details == segment.label) * voxel_cc:8.1f} cc")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
