"""The share of fat in muscles from the fat and water images of a Dixon sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..case_result import CaseResult
from ..findings import Finding, warning

FAT_PERCENT = "dixon_fat_percent"
# Fat and water together below this share of their median inside the labels are no signal: a share of fat would be noise over noise.
_LEAST_SIGNAL = 0.1
# From this share of its voxels with signal on, a segment's value stands for the segment.
_LEAST_COVERED = 0.9
# Hardly anybody's muscles are mostly fat: where they seem so, the two images were exchanged.
_EXCHANGED_FROM = 0.6


@dataclass(frozen=True)
class DixonPair:
    """Fat and water images ``[z, y, x]`` on a scan's grid, float32; NaN where the images do not reach."""

    fat: np.ndarray
    water: np.ndarray


@dataclass(frozen=True)
class DixonShares:
    """`fat_share` maps labels to their mean share of fat, 0..1; `uncovered` lists those of which the images show too little."""

    fat_share: dict[int, float]
    uncovered: tuple[int, ...]


def dixon_fat_shares(labels: np.ndarray, pair: DixonPair) -> DixonShares:
    """Mean of fat / (fat + water) over the voxels of each label (signal fat fraction of the pair, not corrected for relaxation).

    Voxels with hardly any signal in either image do not count; a label of which less than nine tenths is left gets no value.

    Args:
        labels: uint8 ``[z, y, x]`` with sides, 0 background.
        pair: the images on the labels' grid.

    Raises:
        ValueError: the shapes differ.
    """
    if not labels.shape == pair.fat.shape == pair.water.shape:
        raise ValueError("labels, fat and water must have one shape")
    where = np.flatnonzero(labels)
    values, fat, water = labels.ravel()[where], pair.fat.ravel()[where], pair.water.ravel()[where]
    total = fat + water
    seen = np.isfinite(total)
    if seen.any():
        seen &= np.nan_to_num(total) > _LEAST_SIGNAL * float(np.median(total[seen]))
    share = fat[seen] / total[seen]
    counts = np.bincount(values, minlength=256)
    used = np.bincount(values[seen], minlength=256)
    sums = np.bincount(values[seen], share, minlength=256)
    shares, uncovered = {}, []
    for label in np.flatnonzero(counts).tolist():
        if used[label] >= _LEAST_COVERED * counts[label]:
            shares[label] = float(np.clip(sums[label] / used[label], 0, 1))
        else:
            uncovered.append(label)
    return DixonShares(shares, tuple(uncovered))


def with_fat_shares(result: CaseResult, pair: DixonPair) -> CaseResult:
    """The result with the share of fat of each segment found, in per cent as `FAT_PERCENT`, and what is to be said of it."""
    found = dixon_fat_shares(result.labels, pair)
    reports = tuple(
        replace(
            report,
            measurements=replace(
                report.measurements,
                further={**report.measurements.further, FAT_PERCENT: 100 * found.fat_share[report.segment.label]},
            ),
        )
        if report.measurements is not None and report.segment.label in found.fat_share
        else report
        for report in result.reports
    )
    return replace(result, reports=reports, findings=(*result.findings, *_findings(result, found)))


def _findings(result: CaseResult, found: DixonShares) -> list[Finding]:
    findings = []
    lacking = [report.segment.key for report in result.reports if report.segment.label in found.uncovered]
    if lacking:
        sentence = (
            f"The fat and water images show less than {_LEAST_COVERED:.0%} of {', '.join(lacking)}; these have no share of fat."
        )
        findings.append(warning("dixon_uncovered", sentence))
    if found.fat_share and float(np.median(list(found.fat_share.values()))) > _EXCHANGED_FROM:
        sentence = "By the fat and water images most muscles are mostly fat; check that --fat and --water are not exchanged."
        findings.append(warning("dixon_exchanged", sentence))
    return findings
