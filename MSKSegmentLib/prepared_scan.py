"""A CT made ready for the network, and the way back from there onto the CT's own grid."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from . import preview
from .bundle import ModelBundle
from .bundle.cascade import opened_first_stage
from .ct.boxes import Box
from .ct.checks.volume import check_volume, refuse
from .ct.cropping import CoarseBody, body_threshold, box_around
from .ct.intensity import HOUNSFIELD, on_scale
from .ct.orientation import WorkingGrid, to_working_grid
from .ct.region import Region, covering_box, region_box
from .ct.scan_mask import labels_cut_by, seen_through
from .ct.volume import CTVolume, Geometry
from .errors import InputError
from .findings import Finding, warning
from .tasks import HIP_THIGH_CT, Task

if TYPE_CHECKING:
    from .inference.first_stage import FirstStageRun

_LOG = logging.getLogger(__name__)
# A structure of which so many voxels lie at tissue that the first stage hides was cut by it.
_CUT_SHARE = 0.005


@dataclass(frozen=True)
class PreparedScan:
    """The part of a CT that the network looks at.

    `working` is the CT on its working grid, `box` the part of that grid to be looked at, `inside` the same part on the CT's
    own grid: the region of interest, or all of it. Every `step`-th slice is looked at. `findings` are those of the reader and of
    the checks. `intensity` is the scale that the network sees (`ct.intensity`). Of a cascade `mask`, bool ``[z, y, x]`` on the
    working grid, is what the network may see; elsewhere it sees `fill`, on that scale.
    """

    working: WorkingGrid
    box: Box
    inside: Box
    whole: bool
    step: int
    findings: tuple[Finding, ...]
    intensity: str = HOUNSFIELD
    mask: np.ndarray | None = None
    fill: float = 0.0

    @cached_property
    def body(self) -> CTVolume:
        """The scan inside the box on the network's scale of intensity, contiguous: axes superior, posterior, left."""
        assert self.working.body is not None, "a scan without a body has been refused by the checks"
        volume = on_scale(self.working.volume, self.working.body, self.intensity)
        hu = np.ascontiguousarray(volume.hu[self.box.slices])
        part = replace(volume, hu=hu, geometry=volume.geometry.cropped(self.box.start_xyz, self.box.size_xyz))
        return part if self.mask is None else seen_through(part, self.mask[self.box.slices], self.fill)

    @property
    def coarse_body(self) -> CoarseBody:
        """Where in `body` the body is: found once, on the whole working grid."""
        assert self.working.body is not None, "a CT without a body has been refused by the checks"
        return self.working.body.cropped(self.box)

    @property
    def limb(self) -> tuple[float, float]:
        """The first and the last slice of the whole scanned body, counted in slices of `body`, which may be a region of it."""
        assert self.working.body is not None, "a CT without a body has been refused by the checks"
        whole, first = box_around(self.working.body, self.working.volume.geometry), self.box.start_xyz[2]
        return whole.start_xyz[2] - first, whole.start_xyz[2] + whole.size_xyz[2] - 1 - first

    @property
    def seen_geometry(self) -> Geometry:
        """The grid of the slices that are looked at."""
        return preview.coarse_geometry(self.body.geometry, self.step)

    def cut_by_mask(self, labels: np.ndarray) -> list[int]:
        """The labels of a map uint8 ``[z, y, x]`` on `seen_geometry` that end where the first stage hides tissue."""
        if self.mask is None:
            return []
        volume = self.working.volume
        tissue = volume.intensities[self.box.slices][:: self.step] > body_threshold(volume)
        return labels_cut_by(labels, self.mask[self.box.slices][:: self.step], tissue, _CUT_SHARE)

    def labels_to_input(self, labels: np.ndarray) -> np.ndarray:
        """A label map uint8 ``[z, y, x]`` on `seen_geometry` as one on the CT's own grid, 0 outside the box."""
        return self._inside_alone(self.working.labels_to_input(self._pasted(labels)))

    def scalars_to_input(self, scalars: np.ndarray) -> np.ndarray:
        """A scalar map float32 ``[z, y, x]`` on `seen_geometry` as one on the CT's own grid, 0 outside the box."""
        return self._inside_alone(self.working.scalars_to_input(self._pasted(scalars)))

    def _pasted(self, array: np.ndarray) -> np.ndarray:
        """The array inside the box of a whole grid of zeros; of a preview, which has every n-th slice, the nearest one."""
        whole = np.zeros(self.working.volume.geometry.shape, array.dtype)
        inside = whole[self.box.slices]
        if self.step == 1:
            inside[:] = array
        else:
            for k, source in enumerate(preview.stand_ins(len(inside), self.step)):
                inside[k] = array[source]
        return whole

    def _inside_alone(self, array: np.ndarray) -> np.ndarray:
        """Zeros outside the region: on an oblique scan the box on the working grid is a little larger than the tilted one."""
        if self.whole or self.working.order is not None:
            return array
        kept = np.zeros_like(array)
        kept[self.inside.slices] = array[self.inside.slices]
        return kept


def prepare_scan(
    volume: CTVolume,
    region: Region | None = None,
    as_preview: bool = False,
    task: Task = HIP_THIGH_CT,
    intensity: str = HOUNSFIELD,
) -> PreparedScan:
    """Bring a scan onto its working grid, run the checks of the task on it, and find the body in it, or the part of the body inside
    a region of interest.

    Raises:
        InputError: the scan cannot be used or is of another modality than the task, or the region holds no part of the body.
    """
    if volume.modality != task.modality:
        raise InputError(
            f"The scan is {volume.modality} and the task {task.name} is about {task.modality}; choose a scan of {task.modality}, "
            f"or "
            "another task."
        )
    whole = Box.whole(volume.geometry.size)
    inside = whole if region is None else region_box(region, volume.geometry)
    working = to_working_grid(volume)
    findings = (*working.volume.findings, *refuse(check_volume(working.volume, lambda _: working.body, task.checks)))
    assert working.body is not None, "a CT without a body has been refused by the checks"
    geometry = working.volume.geometry
    box = box_around(working.body, geometry)
    if region is not None:
        around = covering_box(volume.geometry.cropped(inside.start_xyz, inside.size_xyz), geometry)
        part = box.shared_with(around)
        if part is None:
            raise InputError("The region of interest holds no part of the body; move it, or run without a region.")
        box = part
        findings += (_region_finding(around, geometry),)
    step = preview.slice_step(geometry) if as_preview else 1
    _LOG.info("Of %s voxels the network looks at %s, in every %d. slice", _times(geometry.size), _times(box.size_xyz), step)
    return PreparedScan(working, box, inside, region is None, step, findings, intensity)


def behind_first_stage(scan: PreparedScan, bundle: ModelBundle, run: FirstStageRun) -> PreparedScan:
    """The scan as a bundle's network is to see it: behind the mask of its first stage, where it has one.

    A mask that cannot be right is not used; then a finding says so, and nothing is green.

    Raises:
        BundleError: the first network is missing, is another one, or cannot be read.
        DeviceError: the device has too little memory for it.
    """
    stage = bundle.manifest.preprocessing.first_stage
    if stage is None:
        return scan
    from .inference.first_stage import stage_mask

    with opened_first_stage(bundle.manifest.preprocessing, bundle.task.modality, bundle.folder) as first:
        mask, problem = stage_mask(stage, scan.working, first, run)
    if problem is None:
        return replace(scan, mask=mask, fill=stage.fill)
    failed = warning(
        "first_stage_failed",
        f"The first stage of the model failed ({problem}), so its second network saw the whole scan; check every structure.",
    )
    return replace(scan, findings=(*scan.findings, failed))


def cut_finding(names: list[str]) -> tuple[Finding, ...]:
    """That the first stage's mask cuts structures of these names; empty without any."""
    if not names:
        return ()
    cut = ", ".join(names)
    return (
        warning(
            "first_stage_cuts", f"The mask of the model's first stage ends at {cut}: what lies beyond was hidden; check it there."
        ),
    )


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


def _region_finding(box: Box, geometry: Geometry) -> Finding:
    x, y, z = (round(n * spacing) for n, spacing in zip(box.size_xyz, geometry.spacing, strict=True))
    sentence = f"Only a region of interest of {x} x {y} x {z} mm was segmented; structures that its border cuts are marked as cut."
    return warning("region", sentence)
