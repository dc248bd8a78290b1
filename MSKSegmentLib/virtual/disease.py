"""Disease that changes shapes: muscles get thin, hip joints lose cartilage and grow osteophytes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
from .atlas import CARTILAGE, MIRRORED_EXTRA_OFFSET
from .tissue import FEMUR_LABELS, HIP_BONE_LABELS, BodyTissue, smooth_noise


@dataclass(frozen=True)
class Disease:
    """`atrophy` maps a muscle's label to the share of its thickness that is lost (0..0.6 as a rule, 1: the muscle is missing);
    `arthritis` is (right, left), 0..1.

    Limbs get thinner with their muscles; with `outline_kept` fat replaces the lost muscle.
    """

    atrophy: dict[int, float] = field(default_factory=dict)
    arthritis: tuple[float, float] = (0.0, 0.0)
    outline_kept: bool = False


def random_disease(rng: np.random.Generator, severity: float = 1.0) -> Disease:
    """Draw a patient's disease: general wasting, one weak side, single wasted muscles, worn hip joints.

    `severity` scales how much of a muscle can be lost; training uses 1.
    """
    general = float(np.clip(rng.beta(1.0, 8), 0, 0.4))
    weak = rng.choice(["right", "left", "none"], p=[0.3, 0.3, 0.4])
    one_sided = rng.uniform(0.05, 0.3)
    atrophy = {}
    for segment in HIP_AND_THIGH.segments:
        if segment.structure.is_bone:
            continue
        share = general * rng.uniform(0.5, 1.5)
        if segment.side.value == weak:
            share += one_sided * rng.uniform(0.3, 1.3)
        if rng.random() < 0.04:
            share += rng.uniform(0.1, 0.45)
        atrophy[segment.label] = float(np.clip(share * severity, 0, 0.6))
    worn = [float(rng.uniform(0.2, 1)) if rng.random() < 0.3 else 0.0 for _ in range(2)]
    return Disease(atrophy, (worn[0], worn[1]))


def waste_muscles(labels: np.ndarray, disease: Disease, spacing: tuple[float, float, float], rng: np.random.Generator) -> None:
    """Thin the muscles of `labels` (uint8 ``[z, y, x]``, changed in place): their rim becomes unlabelled or fat."""
    from scipy import ndimage

    boxes = ndimage.find_objects(labels)
    for label, share in disease.atrophy.items():
        box = boxes[label - 1] if label <= len(boxes) else None
        if box is None or share < 0.03:
            continue
        inside = labels[box] == label
        depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1, 1:-1] - 0.5 * min(spacing)
        # Half of the usual thickness: thin muscles lose the same share as thick ones.
        half = float(np.quantile(depth[inside], 0.9))
        uneven = 1 + 0.35 * smooth_noise(rng, inside.shape, tuple(12.0 / s for s in spacing))
        lost = inside & ((depth < share * half * uneven) | (share >= 1))
        labels[box][lost] = BodyTissue.FAT if disease.outline_kept else 0


def wear_joints(labels: np.ndarray, disease: Disease, spacing: tuple[float, float, float], rng: np.random.Generator) -> None:
    """Hip osteoarthritis in `labels` (uint8 ``[z, y, x]``, changed in place): thin cartilage and osteophytes at the joint's rim."""
    from scipy import ndimage

    for side, severity in enumerate(disease.arthritis):
        femur, hip = labels == FEMUR_LABELS[side], labels == HIP_BONE_LABELS[side]
        if severity < 0.05 or not femur.any() or not hip.any():
            continue
        top = int(np.flatnonzero(femur.any(axis=(1, 2))).max())
        low, high = max(0, top - int(75 / spacing[0])), min(len(labels), top + int(25 / spacing[0]))
        z, y, x = np.nonzero(femur[low : top + 1])
        reach = [int(25 / s) for s in spacing[1:]]
        box = (
            slice(low, high),
            slice(max(0, y.min() - reach[0]), y.max() + reach[0]),
            slice(max(0, x.min() - reach[1]), x.max() + reach[1]),
        )
        to_femur = ndimage.distance_transform_edt(~femur[box], sampling=spacing)
        to_hip = ndimage.distance_transform_edt(~hip[box], sampling=spacing)
        part = labels[box]
        cartilage = part == CARTILAGE + side * MIRRORED_EXTRA_OFFSET
        free = (part == 0) | (part == BodyTissue.FAT) | cartilage
        lumps = smooth_noise(rng, part.shape, tuple(4.0 / s for s in spacing))
        # The joint's rim: near both bones, but not between them where they face each other.
        rim = (to_femur + to_hip < 22) & (to_femur + to_hip > 5)
        grown = 5.0 * severity * np.clip(lumps, 0, 2)
        part[free & rim & (to_femur < grown) & (to_femur <= to_hip)] = FEMUR_LABELS[side]
        part[free & rim & (to_hip < grown) & (to_hip < to_femur)] = HIP_BONE_LABELS[side]
        worn = cartilage & (part != FEMUR_LABELS[side]) & (part != HIP_BONE_LABELS[side]) & (lumps > 1.2 - 2.2 * severity)
        part[worn] = 0
