"""The cut, the regions, and densities against those that virtual femora were made of."""

import json

import numpy as np
import pytest
from femur_cases import FEMUR, SCANNER

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.orientation import AxisOrder, axis_order
from MSKSegmentLib.ct.reading.label_maps import read_labels
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.measurement.extent import face_voxels
from MSKSegmentLib.measurement.femoral_landmarks import bone_in_scan
from MSKSegmentLib.proximal_femur.calibration import stated_calibration
from MSKSegmentLib.proximal_femur.cut import femur_frame
from MSKSegmentLib.proximal_femur.measures import SHORT_FEMUR, measure_femora
from MSKSegmentLib.proximal_femur.regions import (
    COMPARTMENT_VALUES,
    REGION_VALUES,
    Compartment,
    FemurRegion,
    checked_rule,
    region_map,
)
from MSKSegmentLib.tasks import load_task

pytest_plugins = ("femur_fixtures",)

LINE = stated_calibration(SCANNER.slope, SCANNER.intercept)


@pytest.fixture(scope="module")
def measured(hips):
    scan, labels = hips
    return measure_femora(labels, scan.volume, HIP_AND_THIGH, LINE)


def test_axes_are_those_of_the_femur(measured):
    assert [femur.segment.side for femur in measured.femora] == [Side.RIGHT, Side.LEFT]
    for femur in measured.femora:
        frame = femur.frame
        assert frame.radius_mm == pytest.approx(FEMUR.head_radius_mm, rel=0.02)
        assert frame.neck_shaft_degrees == pytest.approx(FEMUR.neck_shaft_degrees, abs=3)
        assert frame.shaft == pytest.approx([0, 0, 1], abs=0.03)
        # Narrowest half way down the neck, of the radius that the shape states.
        assert frame.narrowest_mm == pytest.approx(0.52 * 2.15 * FEMUR.head_radius_mm, abs=3)
        assert np.sqrt(100 * frame.narrowest_cm2 / np.pi) == pytest.approx(0.68 * FEMUR.head_radius_mm, rel=0.05)
        assert femur.is_complete


def test_regions_fill_the_femur_down_to_the_cut_and_are_alike_on_both_sides(hips, measured):
    scan, labels = hips
    right, left = measured.femora
    for region in FemurRegion:
        first, second = (femur.measure(region, Compartment.INTEGRAL).volume_cc for femur in (right, left))
        assert first == pytest.approx(second, rel=0.05) and first > 1
    for femur in measured.femora:
        inside = labels[femur.box.slices] == femur.segment.label
        z = femur.box.start_xyz[2] + np.arange(femur.box.size_xyz[2])
        lowest = (femur.frame.trochanter_mm[2] - femur.frame.cut_below_mm) / SCANNER.spacing[2]
        assert (femur.regions > 0)[z > lowest + 2].tolist() == inside[z > lowest + 2].tolist()
        assert not femur.regions[z < lowest - 2].any()
        total = femur.measure(FemurRegion.TOTAL, Compartment.INTEGRAL).volume_cc
        parts = sum(femur.measure(region, Compartment.INTEGRAL).volume_cc for region in REGION_VALUES)
        assert total == pytest.approx(parts)


def test_densities_are_recovered(hips, measured):
    scan, _ = hips
    for femur in measured.femora:
        truth, cortex = scan.density[femur.box.slices], scan.cortex[femur.box.slices]
        for region in FemurRegion:
            inside = femur.regions > 0 if region is FemurRegion.TOTAL else femur.regions == REGION_VALUES[region]
            # Voxels of 1.5 mm: the surface is a mixture with muscle, so that the whole comes out too low.
            integral = femur.measure(region, Compartment.INTEGRAL)
            assert 0.86 < integral.bmd_mg_cm3 / truth[inside].mean() < 1.0, region
            assert integral.bmc_g == pytest.approx(integral.bmd_mg_cm3 * integral.volume_cc / 1000)
            spongy = femur.measure(region, Compartment.TRABECULAR)
            if region in (FemurRegion.HEAD, FemurRegion.NECK):
                assert spongy.bmd_mg_cm3 == pytest.approx(truth[inside & ~cortex].mean(), rel=0.06), region
            cortical = femur.measure(region, Compartment.CORTICAL)
            assert 350 < cortical.bmd_mg_cm3 <= FEMUR.cortical_mg
        deep = femur.compartments == COMPARTMENT_VALUES[Compartment.TRABECULAR]
        assert not (deep & cortex & (truth > 900)).sum() > 0.02 * deep.sum()


def test_turned_axes_give_the_same_numbers(hips, measured):
    scan, labels = hips
    turned = AxisOrder((2, 0, 1), (-1, 1, -1))
    volume = CTVolume(np.ascontiguousarray(turned.apply(scan.volume.hu)), turned.geometry(scan.volume.geometry))
    again = measure_femora(np.ascontiguousarray(turned.apply(labels)), volume, HIP_AND_THIGH, LINE)
    for one, other in zip(measured.femora, again.femora, strict=True):
        for first, second in zip(one.measures, other.measures, strict=True):
            assert second.volume_cc == pytest.approx(first.volume_cc) and second.bmc_g == pytest.approx(first.bmc_g)


def _shown(hips, below_mm, frame):
    """The scan without what lies more than so far below the trochanter."""
    scan, labels = hips
    first = round((frame.trochanter_mm[2] - below_mm) / SCANNER.spacing[2])
    grid = scan.volume.geometry
    part = grid.cropped((0, 0, first), (grid.size[0], grid.size[1], grid.size[2] - first))
    return np.ascontiguousarray(labels[first:]), CTVolume(np.ascontiguousarray(scan.volume.hu[first:]), part)


def test_a_short_scan_gives_the_same_head_neck_and_trochanters_and_says_so(hips, measured):
    labels, volume = _shown(hips, 24.0, measured.femora[0].frame)
    short = measure_femora(labels, volume, HIP_AND_THIGH, LINE)
    assert [finding.code for finding in short.findings] == [SHORT_FEMUR, SHORT_FEMUR]
    for one, other in zip(measured.femora, short.femora, strict=True):
        assert not other.is_complete
        for region in (FemurRegion.HEAD, FemurRegion.NECK, FemurRegion.TROCHANTERIC):
            for kind in Compartment:
                first, second = one.measure(region, kind), other.measure(region, kind)
                assert second.volume_cc == pytest.approx(first.volume_cc, rel=0.03, abs=0.1)
                assert second.bmd_mg_cm3 == pytest.approx(first.bmd_mg_cm3, rel=0.02)
        totals = (femur.measure(FemurRegion.TOTAL, Compartment.INTEGRAL).volume_cc for femur in (other, one))
        assert next(totals) < next(totals)


def test_a_scan_that_ends_at_the_trochanter_is_refused(hips, measured):
    labels, volume = _shown(hips, 8.0, measured.femora[0].frame)
    with pytest.raises(InputError, match="No proximal femur can be measured: Femur, right: not measured.* Femur, left"):
        measure_femora(labels, volume, HIP_AND_THIGH, LINE)


def test_one_femur_is_measured_alone_and_a_table_without_femur_is_refused(hips):
    scan, labels = hips
    one = measure_femora(np.where(labels == 2, 2, 0).astype(np.uint8), scan.volume, HIP_AND_THIGH, LINE)
    assert [femur.segment.key for femur in one.femora] == ["FEMUR_right"]
    assert [finding.where for finding in one.findings] == ["FEMUR_left"]
    with pytest.raises(InputError, match="hold no femur"):
        measure_femora(labels, scan.volume, load_task("trunk-ct").table, LINE)


def test_a_wrong_line_shows(hips):
    scan, labels = hips
    found = measure_femora(labels, scan.volume, HIP_AND_THIGH, stated_calibration(1.7, 100.0))
    assert {finding.code for finding in found.findings} == {"implausible_density"}
    assert json.dumps(found.calibration.to_json())


def test_thresholds_are_checked():
    assert checked_rule(400.0, 2.0).cortical_from_mg == 400.0
    for numbers, sentence in (((20.0, 3.0), "parts no cortex"), ((350.0, 30.0), "leaves no trabecular bone")):
        with pytest.raises(InputError, match=sentence):
            checked_rule(*numbers)


def test_femora_of_labelled_bodies(shared):
    """Sizes are those of adults, and a label map that is cut already is cut at the same place."""
    labels, grid = read_labels(shared / "anatomy" / "vhf_labels.nrrd", HIP_AND_THIGH, 200)
    order = axis_order(grid.direction)
    ordered, grid = order.apply(np.where(labels == 2, labels, 0).astype(np.uint8)), order.geometry(grid)
    faces = face_voxels(ordered)
    label, side = 2, Side.RIGHT
    bone = bone_in_scan(ordered, grid, label, faces[label])
    frame = femur_frame(bone, grid, side)
    assert 120 < frame.neck_shaft_degrees < 132 and 20 < frame.radius_mm < 24 and frame.is_complete
    regions = region_map(bone, frame, grid)
    cc = {region: np.count_nonzero(regions == value) / 1000 for region, value in REGION_VALUES.items()}
    assert 35 < cc[FemurRegion.HEAD] < 55 and 8 < cc[FemurRegion.NECK] < 16 and 60 < cc[FemurRegion.TROCHANTERIC] < 85
    cut = np.zeros_like(ordered)
    cut[bone.box.slices][regions > 0] = label
    again = bone_in_scan(cut, grid, label, face_voxels(cut)[label])
    frame_again = femur_frame(again, grid, side)
    assert frame_again.is_complete
    assert np.count_nonzero(region_map(again, frame_again, grid)) == pytest.approx(np.count_nonzero(regions), rel=0.005)
