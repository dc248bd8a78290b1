"""From HU to mg/cm3: rods found and given, the line, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from femur_cases import SCANNER, coarse_hips, write_phantom

from MSKSegmentLib.ct.orientation import AxisOrder
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.proximal_femur.calibration import RodReading, fitted_calibration, stated_calibration
from MSKSegmentLib.proximal_femur.phantom import read_phantom
from MSKSegmentLib.proximal_femur.rods import find_rods, given_rods
from MSKSegmentLib.proximal_femur.virtual_scan import EXAMPLE_PHANTOM

pytest_plugins = ("femur_fixtures",)


def _rods(densities, slope=0.8, intercept=-5.0, off=(), drift=0.0):
    hu = [(density - intercept) / slope for density in densities]
    for place, by in off:
        hu[place] += by
    return [RodReading(density, value, 10.0, 500, drift, (0.0, 0.0, 0.0)) for density, value in zip(densities, hu, strict=True)]


def test_a_phantom_is_found_and_gives_the_scanners_line(hips):
    scan, _ = hips
    rods = find_rods(scan.volume, EXAMPLE_PHANTOM)
    assert [rod.density_mg_cm3 for rod in rods] == list(EXAMPLE_PHANTOM.densities_mg_cm3)
    line = fitted_calibration(rods, "hydroxyapatite", "test")
    assert line.slope == pytest.approx(SCANNER.slope, rel=0.01) and line.intercept == pytest.approx(SCANNER.intercept, abs=2)
    assert line.r_squared > 0.9999 and max(map(abs, line.residuals_mg_cm3)) < 2
    assert line.highest_rod_mg_cm3 == 600 and line.to_json()["rods"][0]["stated_mg_cm3"] == 0
    for rod in rods:
        assert rod.sd_hu == pytest.approx(SCANNER.noise_hu, rel=0.3)


def test_the_phantom_may_lie_the_other_way_round(hips):
    scan, _ = hips
    reversed_phantom = replace(
        EXAMPLE_PHANTOM, densities_mg_cm3=EXAMPLE_PHANTOM.densities_mg_cm3[::-1], positions_mm=EXAMPLE_PHANTOM.positions_mm
    )
    rods = find_rods(scan.volume, reversed_phantom)
    assert [round(rod.hu * SCANNER.slope + SCANNER.intercept) for rod in rods] == pytest.approx([600, 300, 150, 75, 0], abs=4)


def test_rods_that_somebody_marked_give_the_same_line_on_any_axes(hips):
    scan, _ = hips
    grid = scan.volume.geometry
    found = find_rods(scan.volume, EXAMPLE_PHANTOM)
    labels = np.zeros(grid.shape, np.uint8)
    for number, rod in enumerate(found, 1):
        x, y, _ = np.rint(grid.to_index(rod.centre_mm)).astype(int)
        labels[5:40, y - 2 : y + 3, x - 2 : x + 3] = number
    turned = AxisOrder((2, 0, 1), (-1, 1, -1))
    volume = CTVolume(np.ascontiguousarray(turned.apply(scan.volume.hu)), turned.geometry(grid))
    rods = given_rods(volume, np.ascontiguousarray(turned.apply(labels)), EXAMPLE_PHANTOM.densities_mg_cm3)
    for rod, other in zip(rods, found, strict=True):
        assert rod.hu == pytest.approx(other.hu, abs=2) and rod.centre_mm[:2] == pytest.approx(other.centre_mm[:2], abs=1.0)
    labels[labels == 3] = 0
    with pytest.raises(InputError, match="1, 2, 4, 5, but the phantom has 5 rods"):
        given_rods(scan.volume, labels, EXAMPLE_PHANTOM.densities_mg_cm3)


def test_a_scan_without_phantom_has_none():
    scan, _ = coarse_hips(phantom=None, spacing=(2.0, 2.0, 4.0))
    with pytest.raises(InputError, match="not found in the scan .*or give --slope"):
        find_rods(scan.volume, EXAMPLE_PHANTOM)


@pytest.mark.parametrize(
    ("rods", "sentence"),
    [
        (_rods([0, 200]), "2 rods over 200 mg/cm3 do not make a calibration"),
        (_rods([0, 30, 60]), "3 rods over 60 mg/cm3"),
        (_rods([0, 100, 200], slope=3.0), "slope of 3 mg/cm3 per HU, which no scanner gives"),
        (_rods([0, 100, 200], intercept=-400), "intercept of -400 mg/cm3"),
        (_rods([0, 100, 200, 400], off=[(1, 60)]), "do not lie on a line"),
        (_rods([0, 100, 200], drift=30.0), "changes by 30 HU along the scan"),
        (_rods([0, 100, 200])[::-1] + _rods([400], slope=-0.8), "slope of"),
    ],
)
def test_implausible_rods_are_refused(rods, sentence):
    with pytest.raises(InputError, match=sentence):
        fitted_calibration(rods, "hydroxyapatite", "test")


def test_stated_lines_are_checked():
    line = stated_calibration(0.8, -5.0)
    assert line.density(np.array([[100, -1000]], np.int16)) == pytest.approx(np.array([[75.0, -805.0]]))
    assert line.highest_rod_mg_cm3 is None
    with pytest.raises(InputError, match="The stated calibration has a slope of 1250"):
        stated_calibration(1250.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "other"}, "with the format 'mskseg-calibration-phantom'"),
        ({"densities_mg_cm3": [0, 100]}, "a density for each position"),
        ({"positions_mm": [0, 40, 80, 90, 160]}, "grow by a diameter"),
        ({"rod_diameter_mm": "thick"}, "no number"),
        ({"rod_diameter_mm": 2.0}, "rods of 2 mm"),
    ],
)
def test_faulty_descriptions_are_refused(tmp_path, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        read_phantom(write_phantom(tmp_path / "phantom.json", **changes))


def test_a_description_is_read(tmp_path):
    assert read_phantom(write_phantom(tmp_path / "phantom.json")) == EXAMPLE_PHANTOM
    with pytest.raises(InputError, match="There is no file"):
        read_phantom(tmp_path / "none.json")
