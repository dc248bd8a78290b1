"""The green limits of an existing calibration held against cases of a kind that it has not met.

A calibration holds for patients like those it was learned from. A few cases of another kind are too few for another calibration,
but enough to contradict this one: where more of a structure's green lights are wrong than chance allows, green asks for more. No
limit is ever lowered, so that these cases can take greens away and never give any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..bundle import ModelBundle, update_calibration
from ..case_result import Light
from ..errors import InputError
from ..quality.calibration import Calibration
from ..quality.limits import NEVER_ALWAYS_GOOD
from .calibrate_bundle import CalibrationJob, cases_of, check_job, observed_segments
from .fit_limits import WRONG_GREENS, green_margin, misled
from .judging import Judged, judge_observations, thresholds_of
from .observations import Observation, patients_of
from .observing import networks_of


@dataclass(frozen=True)
class TightenedLimit:
    """A structure of whose `greens` so many were `wrong`, and the predicted Dice that green asked for and asks for now.

    `after` is None where not even the highest prediction was right often enough: then nothing of it is green.
    """

    abbreviation: str
    greens: int
    wrong: int
    before: float
    after: float | None

    def __str__(self) -> str:
        """One line for the user."""
        now = "is never given now" if self.after is None else f"asks for a predicted Dice of {self.after:.3f} now"
        return f"{self.abbreviation}: {self.wrong} of {self.greens} green lights were wrong; green {now}, {self.before:.3f} before."


def tighten(calibration: Calibration, judged: Sequence[Judged]) -> tuple[Calibration, tuple[TightenedLimit, ...]]:
    """`calibration` with higher green limits where segments that it judged without having met them contradict it.

    The test and the choice are those of a calibration (`fit_limits`): a one-sided binomial test of the wrong ones among a
    structure's greens against `WRONG_GREENS`, then the lowest predicted Dice above which wrong ones are rare enough.
    """
    assert calibration.model is not None, "tighten_bundle refuses a calibration without a rule from all evidence"
    limits, found = dict(calibration.model.limits), []
    for name, limit in sorted(limits.items()):
        greens = [one for one in judged if one.observation.abbreviation == name and one.light is Light.GREEN]
        predicted = np.array([one.estimate.dice for one in greens if one.estimate is not None])
        wrong = np.array([bool(one.inaccurate) for one in greens if one.estimate is not None], bool)
        before = limit.held_against.good_from
        if before is None or not misled(predicted, wrong, 0.0, WRONG_GREENS):
            continue
        after = green_margin(predicted, wrong, np.ones(len(wrong), bool))
        # The ceiling must not give the greens back.
        always = NEVER_ALWAYS_GOOD if after is None else max(limit.always_good_from, after)
        limits[name] = replace(limit, green_from=after, always_good_from=always)
        found.append(TightenedLimit(name, len(greens), int(wrong.sum()), before, after))
    return replace(calibration, model=replace(calibration.model, limits=limits)), tuple(found)


def tighten_bundle(
    bundle: ModelBundle, job: CalibrationJob, checkpoint: Callable[[], None], report: Callable[[str], None] = print
) -> ModelBundle | None:
    """Write a new bundle whose green limits hold on the cases of a job; None, and no bundle, where they hold already.

    `job` is as for a calibration; its `report_folder` and `by_condition` are not used.

    Raises:
        InputError: the bundle has no lights from all evidence, or the cases cannot be used (`calibrate_bundle.cases_of`).
        BundleError: before any work, what `check_job` refuses.
    """
    check_job(bundle, job)
    calibration = calibration_to_tighten(bundle)
    observations = observed_segments(cases_of(bundle, job, checkpoint, report), calibration.reference, job.data)
    return tighten_on(bundle, calibration, observations, job, report)


def calibration_to_tighten(bundle: ModelBundle) -> Calibration:
    """The calibration of a bundle.

    Raises:
        InputError: it has none with lights from all evidence.
    """
    calibration = Calibration.from_json(bundle.calibration) if bundle.calibration else None
    if calibration is None or calibration.model is None:
        raise InputError(
            f"The bundle {bundle.manifest.name!r} has no lights whose limits could be held against cases; calibrate it first."
        )
    return calibration


def tighten_on(
    bundle: ModelBundle,
    calibration: Calibration,
    observations: Sequence[Observation],
    job: CalibrationJob,
    report: Callable[[str], None] = print,
) -> ModelBundle | None:
    """Write a new bundle whose green limits hold on some observed segments; None, and no bundle, where they hold already.

    `calibration` is that of the bundle (`calibration_to_tighten`).

    Raises:
        BundleError: the new version cannot be written (`bundle.update_calibration`).
    """
    thresholds = thresholds_of(calibration, observations)
    judged = judge_observations(observations, calibration, bundle.manifest.passes, thresholds)
    new, limits = tighten(calibration, judged)
    for limit in limits:
        report(str(limit))
    if not limits:
        report("No green limit is contradicted by these cases; there is no new bundle.")
        return None
    names = ", ".join(limit.abbreviation for limit in limits)
    source = f"{calibration.source}; green limits of {names} raised on {job.source} ({len(patients_of(observations))} patients)"
    return update_calibration(bundle, replace(new, source=source, networks=networks_of(bundle)).to_json(), job.folder, job.version)
