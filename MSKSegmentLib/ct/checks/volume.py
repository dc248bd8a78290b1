"""Check whether a scan is fit for the method: units, spacing, field of view, metal. Findings are sentences for the user."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import numpy as np

from ...errors import InputError
from ...findings import Finding, refusal, warning
from ..cropping import CoarseBody, coarse_body
from ..modality import CT_MODALITY, MR_MODALITY
from ..volume import CTVolume
from .field_of_view import anatomy_findings, edge_findings
from .hu_scale import scale_findings
from .interpolated import interpolation_findings
from .mr_scale import mr_scale_findings

IN_PLANE_REFUSED_MM = (0.1, 6.0)
IN_PLANE_WARNED_MM = (0.3, 4.0)
INTERVAL_REFUSED_MM = (0.1, 10.0)
INTERVAL_WARNED_MM = (0.3, 6.0)
METAL_HU = 2500
# Half a cubic centimetre: a smaller volume is noise, a surgical clip or a dense cortex.
METAL_CC = 0.5


def check_volume(
    volume: CTVolume,
    find_body: Callable[[CTVolume], CoarseBody | None] = coarse_body,
    checks: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """All findings on a scan on its working grid (axes x left, y posterior, z superior), refusals first.

    `find_body` returns the body, for example one found earlier. `checks` names those that a task runs (`tasks.vocabulary`); None
    means all that apply to the modality. A missing body is always refused. Reads a coarse copy and each slice once, without
    copying the volume.
    """

    def runs(check: str) -> bool:
        return checks is None or check in checks

    found = [*(spacing_findings(volume) if runs("spacing") else ())]
    found += scale_findings(volume) if runs("hounsfield_scale") and volume.modality == CT_MODALITY else ()
    found += mr_scale_findings(volume) if runs("mr_scale") and volume.modality == MR_MODALITY else ()
    if not any(finding.severity == "refusal" for finding in found):
        body = find_body(volume)
        if body is None:
            found.append(refusal("body_not_found", _no_body(volume)))
        else:
            found += edge_findings(volume, body) if runs("cut_in_plane") else ()
            found += anatomy_findings(volume, body) if runs("hip_or_thigh") else ()
            found += metal_findings(volume, body) if runs("metal") else ()
            # If reading interpolated slices, it has checked the scanned ones itself.
            found += interpolation_findings(volume.hu) if runs("interpolated_slices") and not volume.resampled else ()
    return tuple(sorted(found, key=lambda finding: finding.severity != "refusal"))


def _no_body(volume: CTVolume) -> str:
    bright = "above -300 HU" if volume.modality == CT_MODALITY else "bright"
    return f"No body was found in the image (hardly anything is {bright}); choose another scan."


def refuse(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Raise the first refusal, or return the warnings.

    Raises:
        InputError: there is a refusal; the message is its sentence.
    """
    findings = tuple(findings)
    for finding in findings:
        if finding.severity == "refusal":
            raise InputError(finding.sentence)
    return findings


def spacing_findings(volume: CTVolume) -> tuple[Finding, ...]:
    """Findings where the voxel spacing lies outside the usual range of CT of hip and thigh."""
    x, y, interval = volume.geometry.spacing
    found = []
    low, high = IN_PLANE_REFUSED_MM
    if min(x, y) < low or max(x, y) > high:
        found.append(
            refusal(
                "in_plane_spacing",
                f"The pixel spacing of {x:.3g} x {y:.3g} mm is outside {low} to {high} mm; check the spacing in the file's header.",
            )
        )
    elif min(x, y) < IN_PLANE_WARNED_MM[0] or max(x, y) > IN_PLANE_WARNED_MM[1]:
        found.append(
            warning(
                "in_plane_spacing",
                f"The pixel spacing of {x:.3g} x {y:.3g} mm is unusual for CT; expect larger errors.",
            )
        )
    low, high = INTERVAL_REFUSED_MM
    if not low <= interval <= high:
        found.append(
            refusal(
                "slice_interval",
                f"The slice interval of {interval:.3g} mm is outside {low} to {high:.0f} mm; choose a reconstruction "
                "with thinner slices or check the spacing in the header.",
            )
        )
    elif interval > INTERVAL_WARNED_MM[1]:
        found.append(
            warning(
                "slices_far_apart",
                f"The slices lie far apart ({interval:.3g} mm); volumes of small muscles are uncertain.",
            )
        )
    elif interval < INTERVAL_WARNED_MM[0]:
        found.append(warning("fine_slices", f"The slice interval of {interval:.3g} mm is unusually fine; the run takes long."))
    return tuple(found)


def metal_findings(volume: CTVolume, body: CoarseBody) -> tuple[Finding, ...]:
    """A warning of metal inside the body: more than 0.5 cc above 2500 HU."""
    first, last = _inside(body, 1), _inside(body, 2)
    y_range, x_range = (
        slice(occupied[0] * stride, (occupied[-1] + 1) * stride)
        for occupied, stride in ((first, body.stride[1]), (last, body.stride[0]))
    )
    middle = (x_range.start + min(x_range.stop, volume.geometry.size[0])) / 2
    counts = np.zeros((len(volume.hu), 2), dtype=np.int64)
    for k, section in enumerate(volume.hu):
        window = section[y_range, x_range]
        # Most slices have no metal: their maximum is cheaper to compute than a mask.
        if window.max() > METAL_HU:
            columns = np.nonzero(window > METAL_HU)[1] + x_range.start
            counts[k] = np.count_nonzero(columns < middle), np.count_nonzero(columns >= middle)
    voxel_cc = volume.geometry.voxel_volume_mm3 / 1000
    metal_cc = float(counts.sum() * voxel_cc)
    if metal_cc < METAL_CC:
        return ()
    right, left = (counts.sum(axis=0) >= 0.1 * counts.sum()).tolist()
    side = "on both sides" if right and left else "on the right" if right else "on the left"
    levels = np.flatnonzero(counts.sum(axis=1))
    low, high = sorted(float(volume.geometry.to_physical([0, 0, k])[2]) for k in (levels[0], levels[-1]))
    return (
        warning(
            "metal",
            f"Metal ({metal_cc:.1f} cc above {METAL_HU} HU) lies {side} from z = {low:.0f} to {high:.0f} mm; do not "
            "trust segments and densities there.",
        ),
    )


def _inside(body: CoarseBody, axis: int) -> np.ndarray:
    return np.flatnonzero(body.mask.any(axis=tuple(a for a in range(3) if a != axis)))
