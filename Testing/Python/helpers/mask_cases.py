"""Masks to be judged: the phantom seen by a made-up network, and made-up observations of masks."""

from __future__ import annotations

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration.mask_damage import annotator_noise
from MSKSegmentLib.calibration.observations import Observation
from MSKSegmentLib.calibration.rating_masks import OWN, TRUE
from MSKSegmentLib.case_result import Scores
from MSKSegmentLib.inference.evidence import PassVotes
from MSKSegmentLib.rating.network_view import NetworkView, network_view

DAMAGED = ("eroded", "shifted")


def view_of(truth: np.ndarray, geometry, noise_mm: float = 1.0, passes: int = 3, seed: int = 0) -> NetworkView:
    """What a network says that draws `truth` up to smooth noise, another one in each pass."""
    random = np.random.default_rng(seed)
    spacing = geometry.spacing[::-1]
    drawn = [annotator_noise(truth, spacing, random, noise_mm) for _ in range(passes)]
    evidence = []
    for k in range(len(truth)):
        votes = PassVotes(np.full(truth.shape[1:], 40, np.float32), HIP_AND_THIGH.classes, float(k), keep=True)
        probability = np.zeros((HIP_AND_THIGH.classes, *truth.shape[1:]), np.float32)
        for labels in drawn:
            classes = labels[k] % 100
            votes.add(classes)
            probability += classes == np.arange(HIP_AND_THIGH.classes)[:, None, None]
        evidence.append(votes.result(probability / passes))
    variance = np.full(truth.shape, 1e-4, np.float32)
    return network_view(evidence, drawn[0], variance, geometry, HIP_AND_THIGH)


def mask_observations(patients: int = 25, seed: int = 0, structures=("GMAX", "AD")) -> list[Observation]:
    """Segments of good and damaged masks: the network is right but for noise, and its agreement tells the error."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(patients):
        for mask in ("true", "own", "single 0", "single 1"):
            for name in structures:
                for side in ("right", "left"):
                    is_damaged = "single" in mask and random.random() < 0.3
                    kind = OWN if mask == "own" else str(random.choice(DAMAGED)) if is_damaged else TRUE
                    error = {OWN: 0.05, TRUE: 0.0}.get(kind, float(random.uniform(0.05, 0.9)))
                    network = 0.05 * float(np.exp(random.normal(0, 0.3)))
                    agreement = max(0.0, 1 - (0.4 * network if kind == OWN else error + network))
                    scores = Scores(
                        mean_variance=2e-4 * float(np.exp(random.normal(0, 0.3))),
                        pairwise_dice=1 - network / 2,
                        low_slice_dice=1 - network,
                        stray_components=0,
                        stray_share=0.0,
                        agreement=agreement,
                        agreement_sd=0.002,
                        low_slice_agreement=max(0.0, agreement - 0.05 - error / 2),
                        sure_agreement=max(0.0, min(agreement, 1 - 1.25 * network)),
                        disagreeing_share=min(1.0, error * float(random.uniform(0.1, 1.5))),
                        volume_to_network=float(np.exp(random.normal(0, 0.02 + error / 2))),
                        hole_share=0.0,
                        jump_share=0.01 * float(random.random()),
                    )
                    dice = 1 - (network if kind == OWN else error)
                    found.append(
                        Observation(
                            f"p{number:02d}", name, side, None, dice, scores, float(np.exp(random.normal(0, 0.01 + error / 4))),
                            float(random.normal(0, 1 + 10 * error)), kind == OWN, condition=kind, mask=mask,
                        )
                    )  # fmt: skip
    return found
