"""What whoever asks for a run may choose: one record for the command line, 3D Slicer, the browser and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Whoever starts a program reads this record first, and a region brings numpy.
    from .ct.region import Region

DEVICES = ("auto", "cpu", "cuda")
# The frames that a file's axes may be taken to be in.
ORIENTATIONS = ("LPS", "RAS")
# The rules that give the lights.
CALIBRATED, PAPER = "calibrated", "paper"
RULES = (CALIBRATED, PAPER)


@dataclass(frozen=True)
class OtherModel:
    """A model of another program, run in place of a bundle.

    `name` is what ``mskseg models`` lists, or the folder of a trained model. `environment` is the folder of the virtual or conda
    environment that holds its program (None: what PATH names), `labels` a table of its labels where their names are not known.
    With `may_download` its program may fetch weights that it lacks.
    """

    name: str
    environment: str | None = None
    labels: str | None = None
    may_download: bool = False


@dataclass(frozen=True)
class Settings:
    """What a user may choose.

    None means: the bundle's passes, a random seed, the height in the CT's header, the whole scan, the bundle that comes along.

    `height_m` is the patient's height in metres, `region` the part of the scan to segment.
    A `preview` looks at every n-th slice with few passes (None: 2) and rates nothing.
    `lights` is the rule that gives the lights: "calibrated", from all evidence, or "paper", the single score of Soufi et al. 2025.
    With `auto_passes` a slice gets fewer dropout passes where its labels and uncertainty have settled; a bundle may say so itself,
    which then holds unless a number of `passes` is given.
    With `int8` the network computes in 8-bit integers, which can be quicker and changes few labels.
    `task` names the task, whose first bundle is taken where none is named; None means that of the bundle.
    A `model` of another program knows no passes, seed, region, preview or rule of lights.

    The three before it say what is read: the name or folder of a model `bundle`, the `series` (number or UID) of a folder of
    several, and the frame, "LPS" or "RAS", that `assume_orientation` gives to the axes of a file that does not state its own.
    """

    device: str = "auto"
    passes: int | None = None
    seed: int | None = None
    height_m: float | None = None
    region: Region | None = None
    preview: bool = False
    lights: str = CALIBRATED
    auto_passes: bool = False
    int8: bool = False
    bundle: str | None = None
    series: str | None = None
    assume_orientation: str | None = None
    model: OtherModel | None = None
    task: str | None = None

    @property
    def are_usual(self) -> bool:
        """Whether nothing is asked for that changes the result of a scan: then an earlier result of it will do."""
        usual = Settings(self.device, series=self.series, assume_orientation=self.assume_orientation)
        return self == usual
