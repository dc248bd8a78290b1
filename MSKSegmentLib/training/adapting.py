"""Adaptation of a bundle to a site's scanner without labels: batch normalisation takes its statistics from the site's own scans.

A network normalises the features of a scan by the means and variances of its training data. Where contrast, noise or kernel
differ, these do not fit, from the first layer on. Recomputing them on the site's scans (Li et al. 2017, "Revisiting batch
normalization for practical domain adaptation") corrects that; all trained weights stay unchanged. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..bundle import ModelBundle, check_new_version
from ..bundle.updating import update_weights
from ..ct.volume import CTVolume
from ..errors import BundleError, InputError
from ..inference.crop import body_windows
from ..inference.first_stage import FirstStageRun
from ..inference.looking import Look
from ..inference.sampler import Sampling
from ..inference.slices import plan_slices
from ..network.families import logits_of
from ..network.mc_dropout import dropout_sampling
from ..prepared_scan import behind_first_stage, prepare_scan

# Batch normalisation only: others (instance normalisation) compute their statistics on the scan itself.
_NORMS = nn.BatchNorm2d


@dataclass(frozen=True)
class Adaptation:
    """How a bundle is adapted.

    `share` is the weight of the site's statistics against the trained ones, above 0 and up to 1; `slices` the number of slices that
    are used of each scan, spread evenly over those that show a body; `seed` that of dropout, which stays on as in inference.
    """

    share: float = 1.0
    slices: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        """
        Raises:
            InputError: a value is out of range.
        """
        if not 0 < self.share <= 1:
            raise InputError("The share of the site's own statistics lies above 0 and up to 1; choose such a share.")
        if self.slices < 1:
            raise InputError("At least one slice of each scan is needed; choose a number from 1 on.")


@dataclass
class SiteStatistics:
    """Collects the means and variances of a network's features over the scans of a site; scans are weighted by their slices."""

    bundle: ModelBundle
    how: Adaptation = Adaptation()
    scans: int = 0
    seen: int = 0

    def __post_init__(self) -> None:
        """
        Raises:
            BundleError: the bundle has several networks, one that reads volumes, or one without batch normalisation.
        """
        manifest = self.bundle.manifest
        if manifest.members > 1:
            raise BundleError(f"{manifest.name} has several networks; adapt the bundles that it was joined of, and join those.")
        if manifest.network.dimensions != 2:
            raise BundleError(f"The network of {manifest.name} reads volumes; only networks of slices can be adapted.")
        self._network = self.bundle.load_network()
        self._norms = [module for module in self._network.modules() if isinstance(module, _NORMS)]
        if not self._norms:
            raise BundleError(f"The network of {manifest.name} has no batch normalisation, so that there is nothing to adapt.")
        # In training mode, with a momentum of 1, a normalisation stores the statistics of its present input.
        self._trained = {key: value.clone() for key, value in self._network.state_dict().items()}
        for norm in self._norms:
            norm.train()
            norm.momentum = 1.0
        # For each normalisation, the sums over slices of each feature's mean and mean square: float64 [2, features].
        self._sums = [torch.zeros(2, norm.num_features, dtype=torch.float64) for norm in self._norms]
        self._generator = torch.Generator().manual_seed(self.how.seed)

    @torch.inference_mode()
    def add(self, volume: CTVolume, checkpoint: Callable[[], None] = lambda: None) -> int:
        """Add the statistics of a scan; returns the number of slices used.

        Raises:
            InputError: the scan cannot be used.
        """
        manifest = self.bundle.manifest
        spec, preprocessing = manifest.network, manifest.preprocessing
        scan = prepare_scan(volume, task=self.bundle.task, intensity=preprocessing.intensity)
        scan = behind_first_stage(scan, self.bundle, FirstStageRun(seed=self.how.seed, checkpoint=checkpoint))
        plan = plan_slices(scan.body, preprocessing, spec)
        windows = body_windows(scan.body.geometry, scan.coarse_body, plan, spec.stride, manifest.passes)
        look = Look(scan.body, plan, spec, preprocessing, Sampling(1, self.how.seed, limb=scan.limb), windows)
        levels = [index for index in range(len(plan.levels)) if not look.is_empty(index)]
        chosen = sorted({levels[round(place)] for place in np.linspace(0, len(levels) - 1, self.how.slices)} if levels else ())
        for index in chosen:
            checkpoint()
            window = look.windows[index]
            assert window is not None, "an empty level has no window"
            self._look_at(look.reader.read(plan.levels[index])[window.inside], look.places[index])
        if not chosen:
            raise InputError("The scan shows no slice of a body; leave it out.")
        self.scans += 1
        self.seen += len(chosen)
        return len(chosen)

    def _look_at(self, image: Tensor, place: float) -> None:
        """Add the statistics of one slice."""
        with dropout_sampling(self._network, self._generator):
            logits_of(self._network, image, torch.tensor([place]))
        for norm, sums in zip(self._norms, self._sums, strict=True):
            mean, variance = norm.running_mean, norm.running_var
            assert mean is not None and variance is not None, "batch normalisation keeps its statistics"
            sums += torch.stack([mean.double(), variance.double() + mean.double() ** 2])

    def weights(self) -> dict[str, Tensor]:
        """The network's weights with the weighted mean of the site's and the trained statistics.

        Raises:
            InputError: no scan was added.
        """
        if not self.seen:
            raise InputError("None of the scans could be used, so that nothing was adapted; see the reasons above.")
        share, trained = self.how.share, self._trained
        state = dict(trained)
        for name, module in self._network.named_modules():
            if module not in self._norms:
                continue
            mean, square = self._sums[self._norms.index(module)] / self.seen
            for entry, own in (("running_mean", mean), ("running_var", square - mean**2)):
                key = f"{name}.{entry}"
                state[key] = ((1 - share) * trained[key].double() + share * own).to(trained[key].dtype)
        return state


def adapt_bundle(
    bundle: ModelBundle,
    volumes: Iterable[CTVolume],
    folder: str | Path,
    version: str,
    how: Adaptation | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> ModelBundle:
    """Write `bundle` with the statistics of these scans as a new version, without calibration, in the new folder `folder`.

    Raises:
        BundleError: see `SiteStatistics`; the version is the old one, or `folder` holds something or cannot be written.
        InputError: a scan cannot be used, or there is none.
    """
    check_new_version(bundle, folder, version)
    statistics = SiteStatistics(bundle, how or Adaptation())
    for volume in volumes:
        statistics.add(volume, checkpoint)
    return write_adapted(statistics, folder, version)


def write_adapted(statistics: SiteStatistics, folder: str | Path, version: str) -> ModelBundle:
    """Write the bundle of `statistics` as a new version, dated today, without calibration.

    Raises:
        InputError: no scan was added.
        BundleError: `folder` holds something or cannot be written.
    """
    return update_weights(statistics.bundle, statistics.weights(), _card(statistics), folder, version)


def _card(statistics: SiteStatistics) -> str:
    manifest, how = statistics.bundle.manifest, statistics.how
    made_of = f"{manifest.name} {manifest.version} ({statistics.bundle.digest[:12]})"
    section = [
        "## Adapted to a site",
        "",
        f"Made of {made_of}: the statistics of batch normalisation are to {how.share:.0%} those of {statistics.seen} slices of "
        f"{statistics.scans} scans without labels; all weights are as they were.",
        "**What this card says of accuracy, calibration and lights holds for the bundle before. Not calibrated: no lights.**",
    ]
    return statistics.bundle.card.rstrip() + "\n\n" + "\n".join(section) + "\n"
