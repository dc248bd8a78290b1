"""What a front end may ask of the engine, as the command line that the child process gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..settings import OtherModel, Settings

# The user's words for passes that end where a slice has settled: this, or this and at most so many.
AUTO, AUTO_UP_TO = "auto", "auto:"


@dataclass(frozen=True)
class SegmentRequest:
    """What to segment, how, and what to write beside the result: a `scene` for 3D Slicer, a copy of the CT, the CT's path."""

    ct: Path
    output: Path
    settings: Settings = Settings()
    scene: bool = False
    keep_ct: bool = False
    record_path: bool = False

    def arguments(self) -> list[str]:
        """The command line after ``mskseg``."""
        choices = {"--scene": self.scene, "--keep-ct": self.keep_ct, "--record-path": self.record_path}
        place = ["segment", str(self.ct), "-o", str(self.output)]
        return [*place, *arguments_of(self.settings), *(name for name, on in choices.items() if on), "--progress", "json"]


@dataclass(frozen=True)
class ImportRequest:
    """The segmentation of another program that is to be imported as a result and, unless not `rate`, judged.

    `labels` say what its labels are.
    Of the `Settings` count how the CT is read, the patient's height, task, bundle, device and seed.
    """

    ct: Path
    mask: Path
    output: Path
    settings: Settings = Settings()
    labels: str | None = None
    keep_ct: bool = False
    record_path: bool = False
    rate: bool = True

    def arguments(self) -> list[str]:
        """The command line after ``mskseg``."""
        settings = self.settings
        options = {
            "--labels": self.labels,
            "--task": settings.task,
            "--bundle": settings.bundle,
            "--device": settings.device,
            "--height-cm": _centimetres(settings.height_m),
            "--seed": settings.seed,
            "--series": settings.series,
            "--assume-orientation": settings.assume_orientation,
        }
        choices = {"--rate": self.rate, "--keep-ct": self.keep_ct, "--record-path": self.record_path}
        place = ["import", str(self.mask), "--ct", str(self.ct), "-o", str(self.output)]
        return [*place, *_given(options), *(name for name, on in choices.items() if on), "--progress", "json"]


@dataclass(frozen=True)
class LearnRequest:
    """What to learn from reviewed results: the new bundle goes to `output`; without one it is only said what there is.

    Other patients are rehearsed: the cases in `rehearsal`, or virtual ones of the bodies in `atlas` (None: that of the
    environment), or none where not `rehearses`. `hours` None is the usual number of iterations.
    """

    reviews: Path
    output: Path | None = None
    bundle: str | None = None
    rehearsal: Path | None = None
    atlas: Path | None = None
    rehearses: bool = True
    hours: float | None = None
    device: str | None = None

    def arguments(self) -> list[str]:
        """The command line after ``mskseg``."""
        if self.output is None:
            return ["learn", str(self.reviews), "--list", "--progress", "json"]
        options = {
            "--bundle": self.bundle,
            "--rehearse": self.rehearsal,
            "--atlas": self.atlas,
            "--rehearsal-share": None if self.rehearses else 0,
            "--hours": self.hours,
            "--device": self.device,
        }
        return ["learn", str(self.reviews), "-o", str(self.output), *_given(options), "--progress", "json"]


def arguments_of(settings: Settings) -> list[str]:
    """The options of the command line that mean these settings; `commands.arguments.settings_of` reads them again."""
    region = settings.region
    options = {
        "--task": settings.task,
        "--bundle": settings.bundle,
        "--samples": _samples(settings),
        "--device": settings.device,
        "--height-cm": _centimetres(settings.height_m),
        "--seed": settings.seed,
        "--series": settings.series,
        "--assume-orientation": settings.assume_orientation,
        "--lights": settings.lights,
    }
    bounds = [] if region is None else ["--roi", *(f"{bound:.4f}" for bound in region.bounds_lps)]
    flags = [flag for flag, wanted in (("--int8", settings.int8), ("--preview", settings.preview)) if wanted]
    return [*_given(options), *bounds, *flags, *_model(settings.model)]


def _centimetres(height_m: float | None) -> str | None:
    # Rounded, because 1.15 m are 114.99999999999999 cm.
    return None if height_m is None else f"{100 * height_m:.10g}"


def _model(model: OtherModel | None) -> list[str]:
    if model is None:
        return []
    options = {"--model": model.name, "--model-env": model.environment, "--labels": model.labels}
    return [*_given(options), *(["--model-may-download"] if model.may_download else [])]


def _samples(settings: Settings) -> str | None:
    if not settings.auto_passes:
        return None if settings.passes is None else str(settings.passes)
    return AUTO if settings.passes is None else f"{AUTO_UP_TO}{settings.passes}"


@dataclass(frozen=True)
class DevicesRequest:
    """Which device a run would use and what it would take, for a grid of `size` voxels ``(x, y, z)`` of `spacing` mm.

    The grid is best that of the box around the body (`ct.cropping.body_box`), as the network sees nothing else. None leaves
    bundle and passes at their defaults.
    """

    size: tuple[int, int, int] | None = None
    spacing: tuple[float, float, float] | None = None
    bundle: str | None = None
    passes: int | None = None
    device: str = "auto"

    def arguments(self) -> list[str]:
        """The command line after ``mskseg``."""
        options = {"--bundle": self.bundle, "--samples": self.passes, "--device": self.device}
        grid: list[str] = []
        if self.size is not None:
            grid += ["--size", str(self.size[0]), str(self.size[1]), "--slices", str(self.size[2])]
        if self.spacing is not None:
            grid += ["--spacing", *(f"{value:.5f}" for value in self.spacing)]
        return ["devices", *_given(options), *grid, "--json"]


def _given(options: Mapping[str, object]) -> list[str]:
    return [str(item) for pair in options.items() if pair[1] is not None for item in pair]
