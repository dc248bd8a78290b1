"""The network run on a scan to judge masks of it: fewer slices than for a segmentation, all passes kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..bundle import ModelBundle
from ..ct.orientation import resample_labels
from ..ct.volume import CTVolume
from ..errors import InputError
from ..findings import Finding
from ..prepared_scan import PreparedScan, behind_first_stage, prepare_scan
from ..preview import slice_step
from .network_view import JUDGING_INTERVAL_MM, NetworkView, network_view, on_pixels


@dataclass(frozen=True)
class JudgeRun:
    """How the network is run to judge: dropout `passes` from a `seed` on a `device` (its name)."""

    passes: int
    seed: int
    device: str


@dataclass(frozen=True)
class ScanView:
    """A scan as the network sees it: `scan` on its working grid, `view` of the passes, `findings` of scan and run."""

    scan: PreparedScan
    view: NetworkView
    findings: tuple[Finding, ...]
    backends: tuple[str, ...]
    uncertainty: np.ndarray

    def on_judging_grid(self, labels: np.ndarray) -> np.ndarray:
        """A label map uint8 ``[z, y, x]`` of the CT's own grid on the view's, by nearest neighbour."""
        return on_pixels(self.seen_labels(labels)[:: self.scan.step], self.view.own.shape[1:])

    def seen_labels(self, labels: np.ndarray) -> np.ndarray:
        """A label map of the CT's own grid on all slices of the working grid around the body."""
        working = self.scan.working
        if working.order is not None:
            ordered = working.order.apply(labels)
        else:
            ordered = resample_labels(labels, working.input_geometry, working.volume.geometry)
        return np.ascontiguousarray(ordered[self.scan.box.slices])


def view_scan(
    volume: CTVolume,
    bundle: ModelBundle,
    run: JudgeRun,
    progress: Callable[[int, int], None] = lambda done, total: None,
    checkpoint: Callable[[], None] = lambda: None,
) -> ScanView:
    """Run the network on slices of a CT about 6 mm apart; `progress` is called with (slices done, slices in all).

    Raises:
        InputError: the CT cannot be used, or the network finds nothing in it.
        DeviceError: the device has too little memory.
    """
    from ..inference.first_stage import FirstStageRun
    from ..inference.predict import predict
    from ..inference.sampler import Sampling
    from ..segmentation import clean_components, split_sides

    preprocessing = bundle.manifest.preprocessing
    scan = prepare_scan(volume, task=bundle.task, intensity=preprocessing.intensity)
    scan = behind_first_stage(scan, bundle, FirstStageRun(run.device, run.seed, checkpoint=checkpoint))
    scan = replace(scan, step=slice_step(scan.body.geometry, JUDGING_INTERVAL_MM))
    sampling = Sampling(run.passes, run.seed, run.device, every=scan.step, keep_maps=True, limb=scan.limb)
    spec = bundle.manifest.network
    prediction = predict(scan.body, bundle.load_network(), spec, preprocessing, sampling, progress, checkpoint, scan.coarse_body)
    if not prediction.evidence:
        raise InputError("The network finds no bone or muscle in this CT, so it cannot judge a mask of it; check the CT.")
    classes, _ = clean_components(prediction.classes, scan.seen_geometry, bundle.table)
    sides = split_sides(classes, scan.seen_geometry, bundle.table)
    view = network_view(prediction.evidence, sides.labels, prediction.uncertainty, scan.seen_geometry, bundle.table)
    findings = (*scan.findings, *prediction.findings, *sides.findings)
    return ScanView(scan, view, findings, prediction.backends, scan.scalars_to_input(prediction.uncertainty))
