"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import click

from ..engine.requests import AUTO, AUTO_UP_TO
from ..settings import CALIBRATED, DEVICES, ORIENTATIONS, RULES, OtherModel, Settings
from .base import options_together


def _samples(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int | None, bool]:
    """Passes, None for the bundle's, and whether a slice may get fewer."""
    if text is None or text == AUTO:
        return None, text == AUTO
    number = text.removeprefix(AUTO_UP_TO)
    try:
        return int(number), number != text
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is neither a number nor {AUTO!r}", context, option) from error


bundle_option = click.option("--bundle", metavar="NAME|DIR", help="model bundle (default: the one that comes along)")
task_option = click.option(
    "--task", metavar="NAME", help="what is segmented in which kind of scan, see 'mskseg task list' (default: that of the bundle)"
)
device_option = click.option("--device", type=click.Choice(DEVICES), default=DEVICES[0], help="default: auto")
int8_option = click.option(
    "--int8",
    is_flag=True,
    help="compute in 8-bit integers: mostly quicker than float32, few labels change (needs openvino)",
)
height_option = click.option("--height-cm", type=float, metavar="CM", help="the patient's height (default: from DICOM)")

# How to read a CT that leaves a choice: which series, and which way its axes run.
reading_options = options_together(
    click.option("--series", metavar="N|UID", help="which DICOM series, where there are several"),
    click.option(
        "--assume-orientation",
        type=click.Choice(ORIENTATIONS),
        help="which way the axes of an image file grow (left or right, posterior or anterior, superior) if it does not state it; "
        "the result then carries a warning, and no light is green",
    ),
)

_settings_options = options_together(
    task_option,
    bundle_option,
    click.option(
        "--samples",
        callback=_samples,
        metavar="T|auto|auto:T",
        help="dropout passes (default: the bundle's, usually 10); auto: at most those, fewer where a slice has settled",
    ),
    device_option,
    int8_option,
    height_option,
    click.option("--seed", type=int, metavar="N", help="repeat a run exactly"),
    reading_options,
    click.option(
        "--roi",
        type=float,
        nargs=6,
        metavar="X0 X1 Y0 Y1 Z0 Z1",
        help="only this part of the scan: bounds in mm along the patient's axes (LPS)",
    ),
    click.option("--preview", is_flag=True, help="a quick, rough look: every n-th slice, few passes, nothing rated"),
    click.option("--lights", type=click.Choice(RULES), default=CALIBRATED, help="rule of the lights (default: from all evidence)"),
    click.option(
        "--model",
        metavar="NAME|DIR",
        help="a model of another program in place of a bundle: musclemap, totalsegmentator, a trained folder of nnU-Net v2, a "
        "MONAI bundle; see 'mskseg models'",
    ),
    click.option("--model-env", metavar="DIR", help="virtual or conda environment of that program (default: what PATH names)"),
    click.option("--labels", metavar="TABLE.csv", help="what the labels of --model mean, where its own names are not known"),
    click.option("--model-may-download", is_flag=True, help="let that program download weights that it lacks"),
)
_SETTINGS = (
    *("task", "bundle", "samples", "device", "int8", "height_cm", "seed", "series", "assume_orientation", "roi", "preview"),
    *("lights", "model", "model_env", "labels", "model_may_download"),
)
# What another program's model does not know, by its default, and what only such a model has.
_NETWORK_ALONE = {
    "task": None,
    "bundle": None,
    "samples": (None, False),
    "int8": False,
    "seed": None,
    "roi": None,
    "preview": False,
    "lights": CALIBRATED,
}
_MODEL_ALONE = {"model_env": None, "labels": None, "model_may_download": False}


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for all that may be chosen for a run; the function gets them as one argument, `settings`."""

    @wraps(function)
    def with_settings(*arguments: Any, **parameters: Any) -> Any:
        chosen = {name: parameters.pop(name) for name in _SETTINGS}
        _check_model(click.get_current_context(), chosen)
        return function(*arguments, settings=settings_of(chosen), **parameters)

    return _settings_options(with_settings)


def settings_of(parameters: Mapping[str, Any]) -> Settings:
    """The settings that were given on the command line, in metres and passes."""
    from ..ct.region import Region

    passes, auto = parameters["samples"]
    roi = parameters["roi"]
    return Settings(
        device=parameters["device"],
        passes=passes,
        seed=parameters["seed"],
        height_m=in_metres(parameters["height_cm"]),
        region=None if roi is None else Region(roi),
        preview=parameters["preview"],
        lights=parameters["lights"],
        auto_passes=auto,
        int8=parameters["int8"],
        bundle=parameters["bundle"],
        series=parameters["series"],
        assume_orientation=parameters["assume_orientation"],
        model=_other_model(parameters),
        task=parameters["task"],
    )


def _other_model(parameters: Mapping[str, Any]) -> OtherModel | None:
    if parameters["model"] is None:
        return None
    return OtherModel(parameters["model"], parameters["model_env"], parameters["labels"], parameters["model_may_download"])


def _check_model(context: click.Context, chosen: Mapping[str, Any]) -> None:
    """Refuse options that mean nothing with, or without, a model of another program.

    Raises:
        click.UsageError: such an option was given.
    """
    other = chosen["model"] is not None
    for name, default in (_NETWORK_ALONE if other else _MODEL_ALONE).items():
        if chosen[name] != default:
            text = "means nothing for a model of another program; leave it out" if other else "goes with --model; name a model"
            raise click.UsageError(f"Option --{name.replace('_', '-')} {text}", context)


def in_metres(height_cm: float | None) -> float | None:
    """A height in centimetres, as users give it, in metres."""
    return None if height_cm is None else height_cm / 100
