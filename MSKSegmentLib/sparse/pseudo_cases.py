"""The network's own labels of a sparsely labelled case, as a case: what passes and neighbours confirm, the rest unknown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..bundle import ModelBundle
from ..ct import CTVolume
from ..ct.volume import Geometry
from ..evaluation.cases import PSEUDO_FILE, CaseFiles, read_labelled_case
from ..inference.slices import plan_slices
from ..output.filling import whole_folder
from ..prepared_scan import PreparedScan, behind_first_stage, prepare_scan
from ..results.segmentation_file import write_ct
from .confirmation import confirmed_on_drawn
from .pseudo_labels import PseudoRule, kept_slices

_LABELS_FILE, _KNOWN_FILE = "labels.nrrd", "known.nrrd"
_MEANT = "Labels that a network gave itself. They are no truth: never evaluate or calibrate on them."


@dataclass(frozen=True)
class PseudoRun:
    """How pseudo-labels are made: dropout `passes` from a `seed` on a `device` (its name), and the rule of what is kept."""

    passes: int
    seed: int
    device: str
    rule: PseudoRule = PseudoRule()


@dataclass(frozen=True)
class PseudoLabels:
    """Labels with sides, uint8 ``[z, y, x]`` on the CT's grid, and where they may be learned, bool.

    `slices` is the number of slices in which something may be learned, `share` the kept share of the voxels that the network calls
    a structure in the slices that it looked at.
    """

    labels: np.ndarray
    known: np.ndarray
    slices: int
    share: float


def pseudo_labels(
    volume: CTVolume, bundle: ModelBundle, run: PseudoRun, checkpoint: Callable[[], None] = lambda: None
) -> PseudoLabels:
    """Run the network on a CT and keep what the rule confirms.

    Raises:
        InputError: the CT cannot be used.
        DeviceError: the device has too little memory.
    """
    from ..inference.first_stage import FirstStageRun
    from ..inference.predict import predict
    from ..inference.sampler import Sampling
    from ..segmentation import clean_components, split_sides

    scan = prepare_scan(volume, task=bundle.task, intensity=bundle.manifest.preprocessing.intensity)
    scan = behind_first_stage(scan, bundle, FirstStageRun(run.device, run.seed, checkpoint=checkpoint))
    manifest, table = bundle.manifest, bundle.table
    sampling = Sampling(run.passes, run.seed, run.device, keep_maps=True)
    network = bundle.load_network()
    prediction = predict(
        scan.body, network, manifest.network, manifest.preprocessing, sampling, checkpoint=checkpoint, body=scan.coarse_body
    )
    classes, _ = clean_components(prediction.classes, scan.seen_geometry, table)
    labels = split_sides(classes, scan.seen_geometry, table).labels
    maps = {one.level: one.maps for one in prediction.evidence if one.maps is not None}
    levels = plan_slices(scan.body, manifest.preprocessing, manifest.network).levels
    # The class of each label with its side, so that what was cleaned away or given to another structure is not kept.
    class_of = np.zeros(256, np.uint8)
    for segment in table.segments:
        class_of[segment.label] = segment.structure.index
    known, shown = _kept(maps, labels, class_of, scan.body.geometry, (levels[-1] - levels[0]) / max(1, len(levels) - 1), run.rule)
    kept = int(np.count_nonzero(known & (labels > 0)))
    return PseudoLabels(
        scan.labels_to_input(labels),
        _mask_to_input(scan, known),
        int(known.any(axis=(1, 2)).sum()),
        kept / shown if shown else 0.0,
    )


def write_pseudo_case(
    target: Path, files: CaseFiles, bundle: ModelBundle, run: PseudoRun, checkpoint: Callable[[], None] = lambda: None
) -> PseudoLabels:
    """Write the folder of a case with the pseudo-labels of another; the slices that somebody drew stay unknown in it.

    Raises:
        InputError: the CT cannot be used, or the folder not written.
    """
    import SimpleITK as sitk

    case = read_labelled_case(files, bundle.table)
    volume = case.volume
    found = pseudo_labels(volume, bundle, run, checkpoint)
    known = found.known & ~case.slices[:, None, None]
    facts = {
        "what": _MEANT,
        "bundle": bundle.digest,
        "passes": run.passes,
        "seed": run.seed,
        "rule": asdict(run.rule),
        "slices": found.slices,
        "share": round(found.share, 4),
        "on_drawn": asdict(confirmed_on_drawn(case, found.labels, found.known)),
    }
    # By its name a case is known to be one of CT or of MR.
    scan_file = f"{volume.modality.lower()}.nrrd"
    with whole_folder(target, "case", PSEUDO_FILE, (scan_file, _LABELS_FILE, _KNOWN_FILE, PSEUDO_FILE)) as partial:
        write_ct(partial / scan_file, volume)
        for name, array in ((_LABELS_FILE, np.where(known, found.labels, 0)), (_KNOWN_FILE, known)):
            image = volume.geometry.image_of(array.astype(np.uint8))
            sitk.WriteImage(image, str(partial / name), useCompression=True, compressionLevel=1)
        (partial / PSEUDO_FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return found


def _kept(
    maps: Mapping[float, np.ndarray],
    labels: np.ndarray,
    class_of: np.ndarray,
    geometry: Geometry,
    interval: float,
    rule: PseudoRule,
) -> tuple[np.ndarray, int]:
    """Where the labels uint8 ``[z, y, x]`` on `geometry` are kept, bool, and how many voxels of structures were looked at.

    Each slice of the network stands for the nearest slice of the CT, as it does in training.
    """
    known, shown = np.zeros(labels.shape, bool), 0
    if not maps:
        return known, shown
    height, width = next(iter(maps.values())).shape[1:]
    scale = labels.shape[1] / height, labels.shape[2] / width
    pixel = geometry.spacing[1] * scale[0], geometry.spacing[0] * scale[1]
    rows, columns = (
        np.minimum(((np.arange(n) + 0.5) / factor).astype(int), size - 1)
        for n, factor, size in zip(labels.shape[1:], scale, (height, width), strict=True)
    )
    kept = kept_slices(dict(maps), interval, pixel, rule)
    for level in maps:
        k = min(round(level), len(labels) - 1)
        own = class_of[labels[k]]
        shown += int(np.count_nonzero(own))
        if level in kept:
            classes, sure = (plane[rows[:, None], columns] for plane in kept[level])
            known[k] = sure & (classes == own)
    return known, shown


def _mask_to_input(scan: PreparedScan, mask: np.ndarray) -> np.ndarray:
    return scan.labels_to_input(mask.astype(np.uint8)) > 0
