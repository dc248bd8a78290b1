"""Whether volume and place of a segment fit the bones around it, compared with the calibration cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..anatomy import LEFT_OFFSET, Landmark, Segment, Side, Structure, StructureTable
from ..ct.boxes import labelled
from ..ct.volume import Geometry
from .paper_rule import MAD_TO_SD

# Bones that volumes and places are related to, the better one first: the hip bone is whole in most scans.
REFERENCE_BONES = (Landmark.HIP_BONE, Landmark.FEMUR)
FEWEST_CASES = 10
# The least spreads: a reference of similar bodies must not make an ordinary one implausible.
LEAST_LOG_VOLUME_SD = 0.15
LEAST_PLACE_SD = 0.04


@dataclass(frozen=True)
class SegmentPlacement:
    """Volume in cc and centroid ``(x, y, z)`` in LPS mm of a segment; `whole` unless the scan cuts it."""

    volume_cc: float
    centroid_mm: tuple[float, float, float]
    whole: bool


def placements(labels: np.ndarray, geometry: Geometry, truncated: Iterable[int] = ()) -> dict[int, SegmentPlacement]:
    """Label -> placement for uint8 ``[z, y, x]`` with sides; `truncated` names the labels that the scan cuts."""
    count, sums = np.zeros(256), np.zeros((3, 256))
    rows, columns = (axis.ravel() for axis in np.indices(labels.shape[1:]))
    for k, plane in enumerate(labels):
        where = labelled(plane)
        if not where.size:
            continue
        found = plane.ravel()[where]
        voxels = np.bincount(found, minlength=256)
        count += voxels
        sums[0] += np.bincount(found, columns[where], 256)
        sums[1] += np.bincount(found, rows[where], 256)
        sums[2] += k * voxels
    present, cut = np.flatnonzero(count), set(truncated)
    if not present.size:
        return {}
    centres = geometry.to_physical((sums[:, present] / count[present]).T)
    return {
        int(label): SegmentPlacement(
            float(count[label]) * geometry.voxel_volume_mm3 / 1000, (float(x), float(y), float(z)), int(label) not in cut
        )
        for label, (x, y, z) in zip(present, centres, strict=True)
    }


def make_reference(cases: Iterable[Mapping[int, SegmentPlacement]], table: StructureTable) -> dict[str, Any]:
    """Medians and spreads of cases with true labels, JSON-ready; pairs of structure and bone with fewer than 10 cases are left out.

    For each structure (sides pooled, mirrored) and each bone of the same side: the logarithm of volume over the bone's volume,
    and the centroid from the bone's in cube roots of its volume: lateral, posterior, superior.
    """

    found: dict[str, dict[str, list[list[float]]]] = {}
    for number, case in enumerate(cases):
        for segment in table.segments:
            for bone in _bones(table):
                values = _against(segment, bone, case)
                if values is not None:
                    by_bone = found.setdefault(segment.structure.abbreviation, {})
                    by_bone.setdefault(bone.abbreviation, []).append([number, *values])
    result: dict[str, Any] = {}
    for abbreviation, by_bone in found.items():
        for name, rows in by_bone.items():
            values_of = np.array(rows)
            if len(np.unique(values_of[:, 0])) < FEWEST_CASES:
                continue
            median = np.median(values_of[:, 1:], axis=0)
            spread = MAD_TO_SD * np.median(np.abs(values_of[:, 1:] - median), axis=0)
            least = [LEAST_LOG_VOLUME_SD, *[LEAST_PLACE_SD] * 3]
            result.setdefault(abbreviation, {})[name] = {
                "n": len(values_of),
                "median": median.tolist(),
                "spread": np.maximum(spread, least).tolist(),
            }
    return result


def deviations(
    case: Mapping[int, SegmentPlacement], reference: Mapping[str, Any], table: StructureTable
) -> dict[int, tuple[float, float]]:
    """Label -> robust z of the volume (signed) and the largest of the place (absolute), for whole segments beside a whole bone.

    z = (value - median) / (1.4826 MAD) of the reference, against the first of `REFERENCE_BONES` that is whole and in the reference.
    """
    result = {}
    bones = _bones(table)
    for segment in table.segments:
        for bone in bones:
            entry = reference.get(segment.structure.abbreviation, {}).get(bone.abbreviation)
            values = _against(segment, bone, case)
            if entry is not None and values is not None:
                z = (np.asarray(values) - entry["median"]) / entry["spread"]
                result[segment.label] = float(z[0]), float(np.abs(z[1:]).max())
                break
    return result


def expected_placement(
    segment: Segment, case: Mapping[int, SegmentPlacement], reference: Mapping[str, Any], table: StructureTable
) -> SegmentPlacement | None:
    """The median volume and place of a segment beside the bones of a case; None without a whole bone that the reference knows."""
    for bone in _bones(table):
        entry, bones = reference.get(segment.structure.abbreviation, {}).get(bone.abbreviation), _beside(segment, bone, case)
        if entry is None or bones is None:
            continue
        size, middle = bones
        log_volume, outwards, posterior, superior = entry["median"]
        lateral = -outwards if segment.side is Side.RIGHT else outwards
        x, y, z = middle + np.array([lateral, posterior, superior]) * (1000 * size) ** (1 / 3)
        return SegmentPlacement(float(np.exp(log_volume)) * size, (float(x), float(y), float(z)), True)
    return None


def _bones(table: StructureTable) -> list[Structure]:
    return [bone for mark in REFERENCE_BONES if (bone := table.landmark(mark)) is not None]


def _against(segment: Segment, bone: Structure, case: Mapping[int, SegmentPlacement]) -> list[float] | None:
    """Volume and place of a segment against a bone of its side; of the sacrum, against the mean of both sides' bones."""
    own, bones = case.get(segment.label), _beside(segment, bone, case)
    if own is None or not own.whole or bones is None:
        return None
    size, middle = bones
    place = np.asarray(own.centroid_mm) - middle
    # Lateral is the patient's right (-x in LPS) on the right side.
    lateral, posterior, superior = place / (1000 * size) ** (1 / 3)
    outwards = -lateral if segment.side is Side.RIGHT else lateral
    return [float(np.log(own.volume_cc / size)), float(outwards), float(posterior), float(superior)]


def _beside(segment: Segment, bone: Structure, case: Mapping[int, SegmentPlacement]) -> tuple[float, np.ndarray] | None:
    """Mean volume in cc and middle in LPS mm of the bones that a segment is held against; None where one of them is not whole."""
    index = bone.index
    if segment.structure.index == index:
        return None
    wanted = {Side.RIGHT: [index], Side.LEFT: [index + LEFT_OFFSET]}.get(segment.side, [index, index + LEFT_OFFSET])
    bones = [case[label] for label in wanted if label in case]
    if len(bones) < len(wanted) or not all(placement.whole for placement in bones):
        return None
    size = float(np.mean([placement.volume_cc for placement in bones]))
    return size, np.mean([placement.centroid_mm for placement in bones], axis=0)
