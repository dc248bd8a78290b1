"""The manifest of a model bundle: the dataclasses behind ``bundle.json``."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..anatomy import StructureTable
from ..anatomy.built_in import BUILT_IN, HIP_AND_THIGH
from ..ct.intensity import HOUNSFIELD, INTENSITY_SCALES
from ..errors import BundleError
from ..network.families import network_problem
from ..network.spec import FIRST_FAMILY, NetworkSpec
from ..tasks import DEFAULT_TASK
from .first_stage import FIRST_STAGE_FILE, OTHER_BUNDLE, FirstStage, first_stage_from_json

FORMAT = "mskseg-bundle"
# The second version names a table of structures, which software of the first would take for the usual one; the third a task, which
# software of the others would take for hip and thigh in CT, or a family of networks, of which they know one; the fourth several
# networks, of which the others would run the first alone, or a first stage, without which a network would see what it was never
# shown; the fifth passes that look in a mirror, the sixth passes that end where a slice has settled, without which a calibration
# would not hold.
FORMAT_VERSIONS = (1, 2, 3, 4, 5, 6)
STRUCTURES_FILE = "structures.json"
# A slice gets so many passes before it may be left (`inference.auto_samples`), of which each network has to draw at least one.
FEWEST_PASSES = 4
MOST_MEMBERS = FEWEST_PASSES


@dataclass(frozen=True)
class Preprocessing:
    """How slices are made from a scan.

    `intensity` is the scale that the network sees it on (`ct.intensity.INTENSITY_SCALES`): "hounsfield" for CT as it is. Values on
    that scale are clipped to `hu_window` and mapped linearly to `value_range`. `in_plane_spacing_mm` and `slice_interval_mm` are
    the grid that the network was trained on; None means the scan's own. With `in_channels` > 1 the channels are
    neighbouring slices at `slice_interval_mm`, inferior to superior, the middle one being labelled. A `first_stage` decides what
    of the scan the network sees; None: all of it. With `mirrored` each network sees the slice mirrored from right to left in every
    second of its dropout passes, whose output is mirrored back.
    """

    hu_window: tuple[float, float] = (-150.0, 350.0)
    value_range: tuple[float, float] = (0.0, 1.0)
    in_plane_spacing_mm: float | None = None
    slice_interval_mm: float | None = None
    intensity: str = HOUNSFIELD
    first_stage: FirstStage | None = None
    mirrored: bool = False

    def to_json(self) -> dict[str, Any]:
        """What a manifest says: nothing of what is as it was before there was a choice."""
        content = asdict(self)
        if self.intensity == HOUNSFIELD:
            del content["intensity"]
        if self.first_stage is None:
            del content["first_stage"]
        else:
            content["first_stage"] = self.first_stage.to_json()
        if not self.mirrored:
            del content["mirrored"]
        return content


@dataclass(frozen=True)
class Manifest:
    """The content of ``bundle.json``. `files` maps every other file of the bundle to its SHA-256.

    `structures` names the built-in table of structures whose classes the network has, or is ``structures.json`` where the bundle
    carries its own; a manifest that does not say is of before there were several, and means that of hip and thigh. `task` is the
    name of the task that the network does (`tasks.load_task`); one that does not say means that of before, too. `members` is how
    many networks of the same kind the bundle holds, which share the passes. With `auto_passes` a run draws at most `passes` of a
    slice, and fewer where it has settled (`inference.auto_samples`), unless a number is asked for.
    """

    name: str
    version: str
    description: str
    date: str
    license: str
    network: NetworkSpec = NetworkSpec()
    preprocessing: Preprocessing = Preprocessing()
    passes: int = 10
    structures: str = HIP_AND_THIGH.name
    task: str = DEFAULT_TASK
    members: int = 1
    auto_passes: bool = False
    files: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        content = {**asdict(self), "network": self.network.to_json(), "preprocessing": self.preprocessing.to_json()}
        version = FORMAT_VERSIONS[0]
        if content["structures"] == HIP_AND_THIGH.name:
            del content["structures"]
        else:
            version = FORMAT_VERSIONS[1]
        if self.network.family != FIRST_FAMILY:
            version = FORMAT_VERSIONS[2]
        if content["task"] == DEFAULT_TASK:
            del content["task"]
        else:
            version = FORMAT_VERSIONS[2]
        if self.members == 1:
            del content["members"]
        else:
            version = FORMAT_VERSIONS[3]
        if self.preprocessing.first_stage is not None:
            version = FORMAT_VERSIONS[3]
        if self.preprocessing.mirrored:
            version = FORMAT_VERSIONS[4]
        if self.auto_passes:
            version = FORMAT_VERSIONS[5]
        else:
            del content["auto_passes"]
        return {"format": FORMAT, "format_version": version, **content}

    @staticmethod
    def from_json(data: Any) -> Manifest:
        """Read what `to_json` wrote.

        Raises:
            BundleError: not a bundle manifest, made for a newer version, or with missing or impossible entries.
        """
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise BundleError("bundle.json is not the manifest of an MSKSegment model bundle; choose another folder.")
        if data.get("format_version") not in FORMAT_VERSIONS:
            raise BundleError(
                f"The bundle has format version {data.get('format_version')}, this software reads up to {FORMAT_VERSIONS[-1]}; "
                "update MSKSegment or choose another bundle."
            )
        try:
            manifest = Manifest(
                name=str(data["name"]),
                version=str(data["version"]),
                description=str(data["description"]),
                date=str(data["date"]),
                license=str(data["license"]),
                network=_build(NetworkSpec, data["network"]),
                preprocessing=_build(Preprocessing, with_first_stage(data["preprocessing"])),
                passes=data["passes"],
                structures=data.get("structures", HIP_AND_THIGH.name),
                task=data.get("task", DEFAULT_TASK),
                members=data.get("members", 1),
                auto_passes=data.get("auto_passes", False),
                files={str(key): str(value) for key, value in data["files"].items()},
            )
            _check_kinds(manifest)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BundleError(f"bundle.json lacks or garbles an entry ({error}); get a fresh copy of the bundle.") from error
        _check(manifest)
        return manifest


def with_first_stage(preprocessing: dict[str, Any]) -> dict[str, Any]:
    """The entries of a preprocessing with its first stage, if it has one, as a `FirstStage`.

    Raises:
        TypeError, ValueError: there is no such first stage.
    """
    return {**preprocessing, "first_stage": first_stage_from_json(preprocessing.get("first_stage"))}


def _build(kind: Any, data: dict[str, Any]) -> Any:
    field_names = {f.name for f in fields(kind)}
    unknown = set(data) - field_names
    if unknown:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})


def _check_kinds(manifest: Manifest) -> None:
    """Numbers where numbers belong: JSON would let a text through, which fails much later."""
    network, preprocessing = manifest.network, manifest.preprocessing
    counts: tuple[int, ...] = (
        network.levels,
        network.base_filters,
        network.classes,
        network.in_channels,
        network.dimensions,
        manifest.passes,
        manifest.members,
    )
    if not isinstance(network.family, str) or not isinstance(network.patch, tuple):
        raise TypeError("the network's family or patch is none")
    counts += network.patch
    yes_or_no = network.batch_norm, preprocessing.mirrored, manifest.auto_passes
    if not all(type(count) is int for count in counts) or not all(type(value) is bool for value in yes_or_no):
        raise TypeError("a count is not a whole number")
    if not all(isinstance(text, str) for text in (manifest.structures, manifest.task, preprocessing.intensity)):
        raise TypeError("structures, task or intensity is not text")
    pairs = (preprocessing.hu_window, preprocessing.value_range)
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise TypeError("a range is not a pair")
    spacings = (preprocessing.in_plane_spacing_mm, preprocessing.slice_interval_mm)
    values = (network.dropout, *(v for pair in pairs for v in pair), *(v for v in spacings if v is not None))
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        raise TypeError("a value is not a number")


def wrong_classes(classes: int, table: StructureTable) -> str:
    """That a network's classes are not those of its table, in words."""
    return f"{classes} classes instead of background and {table.classes - 1} structures"


def _first_stage_problem(manifest: Manifest) -> str | None:
    stage = manifest.preprocessing.first_stage
    if (stage is not None and stage.inside) != (FIRST_STAGE_FILE in manifest.files):
        return "a first network that is not in the bundle, or one that nothing names"
    if stage is not None and stage.kind == OTHER_BUNDLE and not stage.digest:
        return "a first network without the digest that it must have"
    return None


def sharing_problem(manifest: Manifest) -> str | None:
    """Why the passes cannot be shared between the networks, as a phrase; None where they can."""
    members, passes = manifest.members, manifest.passes
    if not 1 <= members <= min(MOST_MEMBERS, passes):
        return f"{members} networks that share {passes} passes"
    if manifest.preprocessing.mirrored and 2 * members > passes:
        networks = "a network" if members == 1 else f"{members} networks, each"
        return f"{networks} as it is and in a mirror, with too few passes for that ({passes})"
    return None


def settling_problem(manifest: Manifest) -> str | None:
    """Why no slice could be left before all passes are drawn, as a phrase; None where it can or need not."""
    if manifest.auto_passes and manifest.passes <= FEWEST_PASSES:
        return f"passes that end where a slice has settled, with no more than the {FEWEST_PASSES} that are always drawn"
    return None


def _check(manifest: Manifest) -> None:
    network, preprocessing = manifest.network, manifest.preprocessing
    problem = network_problem(network)
    if problem:
        pass
    elif manifest.structures not in (*BUILT_IN, STRUCTURES_FILE):
        known = ", ".join(BUILT_IN)
        problem = f"the structures {manifest.structures!r}, which this software does not know ({known}, or {STRUCTURES_FILE})"
    elif (manifest.structures == STRUCTURES_FILE) != (STRUCTURES_FILE in manifest.files):
        problem = f"the structures {manifest.structures!r}, but its files are {', '.join(manifest.files) or 'none'}"
    elif manifest.structures in BUILT_IN and network.classes != BUILT_IN[manifest.structures].classes:
        problem = wrong_classes(network.classes, BUILT_IN[manifest.structures])
    elif preprocessing.intensity not in INTENSITY_SCALES:
        problem = f"the intensity scale {preprocessing.intensity!r}, which this software does not know"
    elif len(preprocessing.hu_window) != 2 or preprocessing.hu_window[0] >= preprocessing.hu_window[1]:
        problem = "an empty HU window"
    elif any(
        value is not None and not 0.1 <= value <= 20
        for value in (preprocessing.in_plane_spacing_mm, preprocessing.slice_interval_mm)
    ):
        problem = "a voxel spacing outside 0.1 to 20 mm"
    elif _first_stage_problem(manifest):
        problem = _first_stage_problem(manifest)
    elif not 1 <= manifest.passes <= 1000:
        problem = f"{manifest.passes} dropout passes"
    else:
        problem = sharing_problem(manifest) or settling_problem(manifest)
    if problem:
        raise BundleError(f"bundle.json describes {problem}; get a fresh copy of the bundle.")
