"""Arguments that several commands share."""

from __future__ import annotations

import argparse

from ..ct.region import Region
from ..engine.requests import AUTO, AUTO_UP_TO
from ..settings import CALIBRATED, DEVICES, ORIENTATIONS, RULES, Settings

Samples = tuple[int | None, bool]


def add_reading(command: argparse.ArgumentParser) -> None:
    """How to read a CT that leaves a choice: which series, and which way its axes run."""
    command.add_argument("--series", metavar="N|UID", help="which DICOM series, where there are several")
    command.add_argument(
        "--assume-orientation",
        choices=ORIENTATIONS,
        help="which way the axes of an image file grow (left or right, posterior or anterior, superior) if it does not state it; "
        "the result then carries a warning, and no light is green",
    )


def add_settings(command: argparse.ArgumentParser) -> None:
    """All that may be chosen for a run; `settings_of` takes it from what was parsed."""
    command.add_argument("--bundle", metavar="NAME|DIR", help="model bundle (default: the one that comes along)")
    command.add_argument(
        "--samples",
        type=_samples,
        default=(None, False),
        metavar="T|auto|auto:T",
        help="dropout passes (default: the bundle's, usually 10); auto: at most those, fewer where a slice has settled",
    )
    command.add_argument("--device", default="auto", choices=DEVICES)
    command.add_argument("--height-cm", type=float, metavar="CM", help="the patient's height (default: from DICOM)")
    command.add_argument("--seed", type=int, help="repeat a run exactly")
    add_reading(command)
    command.add_argument(
        "--roi",
        type=float,
        nargs=6,
        metavar=("X0", "X1", "Y0", "Y1", "Z0", "Z1"),
        help="only this part of the scan: bounds in mm along the patient's axes (LPS)",
    )
    command.add_argument("--preview", action="store_true", help="a quick, rough look: every n-th slice, few passes, nothing rated")
    command.add_argument("--lights", default=CALIBRATED, choices=RULES, help="rule of the lights (default: from all evidence)")


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that were given on the command line, in metres and passes."""
    passes, auto = options.samples
    return Settings(
        device=options.device,
        passes=passes,
        seed=options.seed,
        height_m=in_metres(options.height_cm),
        region=None if options.roi is None else Region(tuple(options.roi)),
        preview=options.preview,
        lights=options.lights,
        auto_passes=auto,
        bundle=options.bundle,
        series=options.series,
        assume_orientation=options.assume_orientation,
    )


def in_metres(height_cm: float | None) -> float | None:
    """A height in centimetres, as users give it, in metres."""
    return None if height_cm is None else height_cm / 100


def _samples(text: str) -> Samples:
    """Passes, None for the bundle's, and whether a slice may get fewer."""
    number = text.removeprefix(AUTO_UP_TO)
    if text == AUTO:
        return None, True
    try:
        return int(number), number != text
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor {AUTO!r}") from error
