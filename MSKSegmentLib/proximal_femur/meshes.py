"""Meshes of proximal femora for finite-element work: a surface (STL) and tetrahedra with the bone mineral density of each.

Tetrahedra come from fTetWild (pytetwild), files are written by meshio. The density of a tetrahedron is that of the CT at its
middle, by linear interpolation.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import RESEARCH_USE_ONLY, __version__
from ..ct.volume import CTVolume
from ..errors import InputError
from ..findings import findings_json
from ..output.filling import whole_folder
from ..output.places import check_new_folder
from ..packages import load
from .femur_folder import NOT_DXA
from .measures import FemurMeasures, ProximalFemora
from .regions import Compartment, FemurRegion
from .surfaces import TriangleMesh, femur_surface

MESHES_TABLE, MESHES_FACTS = "meshes.csv", "meshes.json"
DENSITY_FIELD = "bmd_mg_cm3"
_EDGES_MM = (0.5, 6.0)
_COLUMNS = (
    "side",
    "mesh",
    "file",
    "points",
    "elements",
    "volume_cc",
    "voxels_cc",
    "volume_error_percent",
    "closed",
    "worst_quality",
)


@dataclass(frozen=True)
class TetrahedralMesh:
    """Tetrahedra: `points` float64 ``[n, 3]`` in LPS mm, `tetrahedra` int32 ``[m, 4]``, `density` float32 ``[m]`` in mg/cm3."""

    points: np.ndarray
    tetrahedra: np.ndarray
    density: np.ndarray

    @property
    def volumes_mm3(self) -> np.ndarray:
        """Volume of each, positive where its corners are in the usual order; float64 ``[m]``."""
        corners = self.points[self.tetrahedra]
        edges = corners[:, 1:] - corners[:, :1]
        return np.asarray(np.linalg.det(edges)) / 6.0

    @property
    def volume_cc(self) -> float:
        """Volume of all."""
        return float(self.volumes_mm3.sum()) / 1000.0

    @property
    def worst_quality(self) -> float:
        """The smallest mean ratio of a tetrahedron (Liu and Joe 1994): 1 for a regular one, 0 for a flat one."""
        corners = self.points[self.tetrahedra]
        pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
        squares = sum(((corners[:, a] - corners[:, b]) ** 2).sum(axis=1) for a, b in pairs)
        return float((12.0 * np.cbrt(3.0 * np.abs(self.volumes_mm3)) ** 2 / squares).min())


def checked_edge(edge_mm: float) -> float:
    """The edge length as given.

    Raises:
        InputError: no mesh of a femur has such edges.
    """
    if not _EDGES_MM[0] <= edge_mm <= _EDGES_MM[1]:
        raise InputError(f"Edges of {edge_mm:g} mm make no useful mesh of a femur; give {_EDGES_MM[0]:g} to {_EDGES_MM[1]:g} mm.")
    return edge_mm


def check_mesh_output(folder: Path) -> None:
    """Refuse a folder that holds something, or cannot be written.

    Raises:
        InputError: it does, or cannot.
    """
    check_new_folder(folder, (MESHES_TABLE, MESHES_FACTS))


def tetrahedra_of(surface: TriangleMesh, edge_mm: float, volume: CTVolume, femora: ProximalFemora) -> TetrahedralMesh:
    """Fill a closed surface with tetrahedra of about that edge length.

    Raises:
        DependencyError: pytetwild is missing.
    """
    # pytetwild imports pyvista without asking for it.
    load("pyvista", "pytetwild", purpose="A tetrahedral mesh")
    import pytetwild

    diagonal = float(np.linalg.norm(np.ptp(surface.points, axis=0)))
    with _elsewhere():
        # The surface is kept to a twentieth of an edge.
        points, tetrahedra = pytetwild.tetrahedralize(
            surface.points, surface.triangles, edge_length_fac=edge_mm / diagonal, epsilon=0.05 * edge_mm / diagonal
        )
    mesh = TetrahedralMesh(np.asarray(points, float), np.asarray(tetrahedra, np.int32), np.zeros(len(tetrahedra), np.float32))
    if mesh.volume_cc < 0:
        mesh = TetrahedralMesh(mesh.points, np.ascontiguousarray(mesh.tetrahedra[:, [0, 2, 1, 3]]), mesh.density)
    middles = mesh.points[mesh.tetrahedra].mean(axis=1)
    return TetrahedralMesh(mesh.points, mesh.tetrahedra, _density_at(middles, volume, femora))


@contextmanager
def _elsewhere() -> Iterator[None]:
    """A working folder that vanishes: fTetWild leaves a file in the one that it is called in."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def write_meshes(
    folder: Path, volume: CTVolume, femora: ProximalFemora, edge_mm: float, ending: str | None
) -> list[dict[str, Any]]:
    """Write a surface of each femur, and tetrahedra into files of that ending where one is given; returns the rows of the table.

    Raises:
        InputError: the folder holds something, or cannot be written.
        DependencyError: a package is missing.
    """
    load("meshio", purpose="Writing meshes")
    with whole_folder(folder, "meshes", MESHES_FACTS, (MESHES_TABLE, MESHES_FACTS), check_mesh_output) as partial:
        rows = [row for femur in femora.femora for row in _write_femur(partial, femur, volume, femora, edge_mm, ending)]
        with (partial / MESHES_TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        facts = {
            "notice": f"{RESEARCH_USE_ONLY} {NOT_DXA}",
            "version": __version__,
            "coordinates": "LPS, mm",
            "edge_mm": edge_mm,
            "density_field": DENSITY_FIELD if ending else None,
            "calibration": femora.calibration.to_json(),
            "findings": findings_json(femora.findings),
        }
        (partial / MESHES_FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    return rows


def _write_femur(
    folder: Path, femur: FemurMeasures, volume: CTVolume, femora: ProximalFemora, edge_mm: float, ending: str | None
) -> Iterator[dict[str, Any]]:
    import meshio

    side = femur.segment.side.value
    voxels_cc = femur.measure(FemurRegion.TOTAL, Compartment.INTEGRAL).volume_cc
    surface = femur_surface(femur, femora.grid, edge_mm)
    name = f"femur_{side}.stl"
    meshio.Mesh(surface.points, [("triangle", surface.triangles)]).write(folder / name, binary=True)
    row = _row(side, "surface", name, (len(surface.points), len(surface.triangles)), surface.volume_cc, voxels_cc)
    yield {**row, "closed": "yes" if surface.is_closed else "no"}
    if ending is None:
        return
    solid = tetrahedra_of(surface, edge_mm, volume, femora)
    name = f"femur_{side}{ending}"
    # Other formats have no place for a number of each element.
    fields = {DENSITY_FIELD: [solid.density]} if ending in (".vtu", ".msh") else {}
    meshio.Mesh(solid.points, [("tetra", solid.tetrahedra)], cell_data=fields).write(folder / name)
    if not fields:
        np.savetxt(folder / f"femur_{side}_density.csv", solid.density, "%.2f", header=DENSITY_FIELD, comments="")
    row = _row(side, "tetrahedra", name, (len(solid.points), len(solid.tetrahedra)), solid.volume_cc, voxels_cc)
    yield {**row, "worst_quality": round(solid.worst_quality, 4)}


def _row(side: str, kind: str, name: str, counts: tuple[int, int], cc: float, voxels_cc: float) -> dict[str, Any]:
    error = round(100 * (cc / voxels_cc - 1), 3)
    cells = (side, kind, name, *counts, round(cc, 3), round(voxels_cc, 3), error, "", "")
    return dict(zip(_COLUMNS, cells, strict=True))


def _density_at(points: np.ndarray, volume: CTVolume, femora: ProximalFemora) -> np.ndarray:
    from scipy.ndimage import map_coordinates

    index = volume.geometry.to_index(points)[:, ::-1]
    first = np.maximum(np.floor(index.min(axis=0)).astype(int) - 1, 0)
    last = np.minimum(np.ceil(index.max(axis=0)).astype(int) + 2, volume.hu.shape)
    part = volume.hu[tuple(slice(a, b) for a, b in zip(first, last, strict=True))].astype(np.float32)
    return femora.calibration.density(map_coordinates(part, (index - first).T, order=1, mode="nearest"))
