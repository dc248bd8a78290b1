"""Arguments that several commands share."""

from __future__ import annotations

import argparse


def add_reading(command: argparse.ArgumentParser) -> None:
    """How to read a CT that leaves a choice: which series, and which way its axes run."""
    command.add_argument("--series", metavar="N|UID", help="which DICOM series, where there are several")
    command.add_argument(
        "--assume-orientation",
        choices=("LPS", "RAS"),
        help="which way the axes of an image file grow (left or right, posterior or anterior, superior) if it does not state it; "
        "the result then carries a warning, and no light is green",
    )
