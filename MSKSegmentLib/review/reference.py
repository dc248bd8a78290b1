"""Published means as context for a number: one cohort, never a norm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..anatomy import Structure
from ..anatomy.built_in import HIP_AND_THIGH
from ..language.catalogue import noted as N_
from ..language.catalogue import tr
from ..resources import resource_file

FILE = "soufi_2025_table7.json"


@dataclass(frozen=True)
class Reference:
    """Means of a structure in the cohort, by "affected" and "unaffected" side, or "whole" for the sacrum."""

    volume_cc_per_m2: Mapping[str, float]
    mean_hu: Mapping[str, float]
    cohort: str

    @property
    def sentence(self) -> str:
        """The means in a sentence that names their cohort."""
        means = tr("; ").join(
            tr(_MEANS[side]).format(volume=f"{volume:.1f}", density=f"{self.mean_hu[side]:.1f}")
            for side, volume in self.volume_cc_per_m2.items()
        )
        return tr("For context, {cohort}: {means}.").format(cohort=tr(self.cohort), means=means)


_MEANS = {
    "affected": N_("{volume} cc/m² and {density} HU on the affected side"),
    "unaffected": N_("{volume} cc/m² and {density} HU on the unaffected side"),
    "whole": N_("{volume} cc/m² and {density} HU for both sides together"),
}


@dataclass(frozen=True)
class Cohort:
    """Where the means were published."""

    citation: str
    doi: str


@cache
def _data() -> Any:
    return json.loads(resource_file("ReferenceValues", FILE).read_text(encoding="utf-8"))


def cohort() -> Cohort:
    """The paper that the means are from."""
    source = _data()["source"]
    return Cohort(source["citation"], source["doi"])


def cohort_name() -> str:
    """What the means are of, as `Reference.sentence` names it in English."""
    return str(_data()["cohort"])


def published_means(structure: Structure) -> Reference | None:
    """The published means of a structure; None for one that is not of the paper's, whatever it is called."""
    published = next((one for one in HIP_AND_THIGH.structures if one.abbreviation == structure.abbreviation), None)
    same = published is not None and (published.code, published.paired) == (structure.code, structure.paired)
    return references().get(structure.abbreviation) if same else None


@cache
def references() -> Mapping[str, Reference]:
    """Abbreviation -> means of Soufi et al. 2025, Table 7."""
    data = _data()
    return {
        abbreviation: Reference(means["volume_cc_per_m2"], means["mean_hu"], cohort_name())
        for abbreviation, means in data["structures"].items()
    }
