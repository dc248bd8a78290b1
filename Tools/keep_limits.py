"""Let green ask for no less in a newly calibrated bundle than in an earlier one, structure by structure.

    python Tools/keep_limits.py BUNDLE --earlier OLD -o NEW --version V

A calibration chooses how much green asks for so that few greens of its own patients were wrong. That choice rests on a handful of
wrong ones and jumps from one network to the next, while an earlier bundle's limits were also held against bodies that its network
did not know (``Tools/tighten_by_strangers.py``), which takes networks trained for it. Until this is done anew, the higher limit of
the two holds. Nothing else of the calibration changes, and no limit is lowered.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from MSKSegmentLib.bundle import resolve_bundle, update_calibration
from MSKSegmentLib.calibration.observing import networks_of
from MSKSegmentLib.calibration.tightening import calibration_to_tighten
from MSKSegmentLib.errors import MSKSegmentError
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.limits import LightLimits


def kept(calibration: Calibration, earlier: Calibration) -> tuple[Calibration, list[str]]:
    """`calibration` with green limits at least as high as those of `earlier`, and the structures whose limit that raised."""
    assert calibration.model is not None and earlier.model is not None, "calibration_to_tighten refuses others"
    limits, raised = dict(calibration.model.limits), []
    for name, limit in calibration.model.limits.items():
        if name not in earlier.model.limits:
            continue
        limits[name] = _higher(limit, earlier.model.limits[name])
        if limits[name].held_against != limit.held_against:
            raised.append(name)
    return replace(calibration, model=replace(calibration.model, limits=limits)), raised


def _higher(limit: LightLimits, before: LightLimits) -> LightLimits:
    green_from = None
    if limit.green_from is not None and before.green_from is not None:
        green_from = max(limit.green_from, before.green_from)
    return replace(limit, green_from=green_from, always_good_from=max(limit.always_good_from, before.always_good_from))


def main() -> None:
    """Write the new bundle, if a limit is raised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--earlier", required=True, metavar="BUNDLE")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--version", required=True)
    options = parser.parse_args()
    try:
        bundle, earlier = resolve_bundle(options.bundle), resolve_bundle(options.earlier)
        new, raised = kept(calibration_to_tighten(bundle), calibration_to_tighten(earlier))
        if not raised:
            print("No green limit of the earlier bundle is higher; there is no new bundle.")
            return
        source = f"{new.source}; green limits of {', '.join(raised)} no lower than in {earlier.manifest.version}"
        update_calibration(
            bundle, replace(new, source=source, networks=networks_of(bundle)).to_json(), options.output, options.version
        )
    except MSKSegmentError as error:
        raise SystemExit(str(error)) from None
    print(f"Green limits kept: {', '.join(raised)}.")


if __name__ == "__main__":
    main()
