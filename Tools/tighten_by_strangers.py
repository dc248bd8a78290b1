"""Hold a bundle's green limits against networks of the same recipe that do not know the bodies they are evaluated on.

    python Tools/tighten_by_strangers.py BUNDLE RUN... -o NEW --version V --source TEXT

Whoever is not in the training is a stranger to a network, as every real patient is, and those of its own bodies never show how it
errs then. Networks that each left one body out (``mskseg train --leave-out``), evaluated on that body, do: a RUN is such an
evaluation. Their scores are judged by the BUNDLE's calibration as if they were its own. Where greens are wrong more often than
allowed, NEW asks for more; no limit is lowered (``calibration/tightening.py``).

``mskseg calibrate --tighten`` takes only evaluations of the bundle itself, which is right for everything else.
"""

import argparse
from collections import Counter
from pathlib import Path

from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.calibration.calibrate_bundle import CalibrationJob, check_job, observed_segments
from MSKSegmentLib.calibration.observing import drawn_alike
from MSKSegmentLib.calibration.tightening import calibration_to_tighten, tighten_on
from MSKSegmentLib.errors import InputError, MSKSegmentError
from MSKSegmentLib.evaluation.folder import read_evaluation


def main() -> None:
    """Write the new bundle, if there is anything to tighten."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--source", required=True)
    options = parser.parse_args()
    try:
        bundle = resolve_bundle(options.bundle)
        job = CalibrationJob(options.runs[0], options.source, options.version, options.output)
        check_job(bundle, job)
        calibration = calibration_to_tighten(bundle)
        found = [one for run in options.runs for one in read_evaluation(run)]
        others = [case.name for key, case in found if not drawn_alike(key, bundle.manifest)]
        if others:
            raise InputError(f"{others[0]} was evaluated with other passes than those of the bundle; evaluate it with as many.")
        cases = [case for _, case in found]
        twice = {name for name, times in Counter(case.name for case in cases).items() if times > 1}
        if twice:
            raise InputError(f"{min(twice)} is in more than one of these evaluations; each patient is a stranger to one network.")
        tighten_on(bundle, calibration, observed_segments(cases, calibration.reference, job.data), job)
    except MSKSegmentError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
