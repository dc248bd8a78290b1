"""Surfaces and tetrahedra of proximal femora: closed, of the voxels' volume, in the patient's place, with densities."""

import csv
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from femur_cases import SCANNER

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import DependencyError
from MSKSegmentLib.proximal_femur.calibration import stated_calibration
from MSKSegmentLib.proximal_femur.measures import measure_femora
from MSKSegmentLib.proximal_femur.meshes import TetrahedralMesh, tetrahedra_of
from MSKSegmentLib.proximal_femur.regions import Compartment, FemurRegion
from MSKSegmentLib.proximal_femur.surfaces import TriangleMesh, femur_surface

pytest_plugins = ("femur_fixtures",)


@pytest.fixture(scope="module")
def measured(hips):
    scan, labels = hips
    return measure_femora(labels, scan.volume, HIP_AND_THIGH, stated_calibration(SCANNER.slope, SCANNER.intercept))


def _cube(centre, half):
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half + np.asarray(centre, float)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = np.array([part for a, b, c, d in sides for part in ((a, b, c), (a, c, d))], np.int32)
    return TriangleMesh(corners, triangles)


@pytest.mark.parametrize("edge", [2.0, 4.0])
def test_a_surface_is_closed_and_encloses_the_voxels_volume(hips, measured, edge):
    scan, labels = hips
    for femur in measured.femora:
        mesh = femur_surface(femur, measured.grid, edge)
        assert mesh.is_closed
        assert mesh.volume_cc == pytest.approx(femur.measure(FemurRegion.TOTAL, Compartment.INTEGRAL).volume_cc, rel=0.002)
        z, y, x = np.nonzero(labels == femur.segment.label)
        inside = scan.volume.geometry.to_physical(np.stack([x, y, z], axis=1))
        assert mesh.points.max(axis=0) == pytest.approx(inside.max(axis=0), abs=2.5)
        assert mesh.points[:, :2].min(axis=0) == pytest.approx(inside[:, :2].min(axis=0), abs=2.5)


def test_volumes_of_meshes_are_right():
    cube = _cube((10, -20, 30), 5.0)
    assert cube.volume_cc == pytest.approx(1.0) and cube.is_closed
    assert not TriangleMesh(cube.points, cube.triangles[1:]).is_closed
    regular = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)], float)
    solid = TetrahedralMesh(regular, np.array([[0, 1, 3, 2]], np.int32), np.zeros(1, np.float32))
    assert abs(solid.volume_cc) == pytest.approx(8 / 3 / 1000) and solid.worst_quality == pytest.approx(1.0)


def test_tetrahedra_fill_a_surface_with_the_density_there(hips, measured, tmp_path, monkeypatch):
    pytest.importorskip("pytetwild")
    monkeypatch.chdir(tmp_path)
    scan, _ = hips
    femur = measured.femora[0]
    # A cube of 20 mm in the middle of the head, where the density is even.
    centre = measured.grid.to_physical(femur.frame.head_mm / np.asarray(measured.grid.spacing))
    solid = tetrahedra_of(_cube(centre, 10.0), 10.0, scan.volume, measured)
    assert solid.volume_cc == pytest.approx(8.0, rel=0.01) and (solid.volumes_mm3 > 0).all() and solid.worst_quality > 0.1
    head = femur.measure(FemurRegion.HEAD, Compartment.TRABECULAR).bmd_mg_cm3
    assert not list(tmp_path.iterdir()), "nothing is left in the working folder"
    assert np.average(solid.density, weights=solid.volumes_mm3) == pytest.approx(head, rel=0.1)


def test_the_command_writes_surfaces_and_their_volumes(hips, tmp_path, capsys):
    meshio = pytest.importorskip("meshio")
    scan, labels = hips
    for name, array in (("ct.nrrd", scan.volume.hu), ("labels.nrrd", labels)):
        sitk.WriteImage(scan.volume.geometry.image_of(array), str(tmp_path / name))
    words = [
        "femur",
        "mesh",
        str(tmp_path / "labels.nrrd"),
        "--ct",
        str(tmp_path / "ct.nrrd"),
        "--slope",
        "0.8",
        "--intercept",
        "-5",
    ]
    assert main([*words, "-o", str(tmp_path / "out"), "--edge", "4"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "femur_right.stl",
        "femur_left.stl",
        "meshes.csv",
        "meshes.json",
    }
    rows = list(csv.DictReader((tmp_path / "out" / "meshes.csv").open(encoding="utf-8")))
    assert [row["side"] for row in rows] == ["right", "left"]
    for row in rows:
        stored = meshio.read(tmp_path / "out" / row["file"])
        mesh = TriangleMesh(stored.points.astype(float), stored.cells_dict["triangle"])
        assert mesh.volume_cc == pytest.approx(float(row["volume_cc"]), rel=1e-3) and abs(float(row["volume_error_percent"])) < 0.3
    capsys.readouterr()
    assert main([*words, "-o", str(tmp_path / "other"), "--edge", "0.1"]) == 2
    assert "Edges of 0.1 mm make no useful mesh" in capsys.readouterr().err and not (tmp_path / "other").exists()


def test_missing_packages_are_one_sentence(measured, hips, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytetwild", None)
    with pytest.raises(DependencyError, match=r'A tetrahedral mesh needs the package .*"mskseg\[mesh\]"'):
        tetrahedra_of(_cube((0, 0, 0), 5.0), 5.0, hips[0].volume, measured)
