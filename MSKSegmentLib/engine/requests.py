"""What a front end may ask of the engine, as the command line that the child process gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..ct.bounds import Bounds


@dataclass(frozen=True)
class SegmentRequest:
    """What to segment and how; None leaves the choice to the bundle or the CT's header.

    `roi` are bounds ``(x0, x1, y0, y1, z0, z1)`` in mm along the patient's axes (LPS) that limit the run to a part of the scan;
    `keep_ct` puts a copy of the CT into the result folder; `preview` asks for a quick, rough look without lights. `lights` is the
    rule that gives them, "calibrated" or "paper". `assume_orientation` is "LPS" or "RAS", for a file that does not state its own.
    """

    ct: Path
    output: Path
    bundle: str | None = None
    passes: int | None = None
    device: str = "auto"
    height_cm: float | None = None
    seed: int | None = None
    series: str | None = None
    assume_orientation: str | None = None
    scene: bool = False
    roi: Bounds | None = None
    keep_ct: bool = False
    preview: bool = False
    lights: str | None = None

    def arguments(self) -> list[str]:
        """The command line after ``mskseg``."""
        options = {
            "--bundle": self.bundle,
            "--samples": self.passes,
            "--device": self.device,
            "--height-cm": self.height_cm,
            "--seed": self.seed,
            "--series": self.series,
            "--assume-orientation": self.assume_orientation,
            "--lights": self.lights,
        }
        region = [] if self.roi is None else ["--roi", *(f"{bound:.4f}" for bound in self.roi)]
        choices = (("--scene", self.scene), ("--keep-ct", self.keep_ct), ("--preview", self.preview))
        switches = [name for name, on in choices if on]
        return [
            "segment", str(self.ct), "-o", str(self.output), *_given(options), *region, *switches, "--progress", "json",
        ]  # fmt: skip


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
