"""Percentile curves over age, and where a value lies among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..output.files import whole_file

PERCENTILES = (3, 10, 25, 50, 75, 90, 97)
# Persons of one sex that a curve needs, and of them within so many years of the age that is asked for.
FEWEST_PERSONS = 50
FEWEST_NEAR, NEAR_YEARS = 15, 10.0
FORMAT, VERSION = "mskseg-site-reference", 1
_Z = tuple(NormalDist().inv_cdf(percent / 100) for percent in PERCENTILES)


@dataclass(frozen=True)
class Standing:
    """Where a value lies: `percentile` and `z` between the lowest and the highest curve; beyond, those are the limits (see `text`).

    `n` persons made the curve, `near` of them within `NEAR_YEARS` of the age.
    """

    percentile: float
    z: float
    n: int
    near: int
    beyond: str = ""

    @property
    def text(self) -> str:
        """Percentile, z score and n: "62 (z +0.3, n 120)", "<3 (z <-1.9, n 120)"."""
        sign = {"below": "<", "above": ">"}.get(self.beyond, "")
        return f"{sign}{self.percentile:.0f} (z {sign}{self.z:+.1f}, n {self.n})"


@dataclass(frozen=True)
class SiteCurve:
    """Percentiles of one quantity of one structure and side in one sex: `values` ``[age][percentile]`` at rising `ages` in years.

    `near` counts the persons around each age; `n` is their number in all.
    """

    quantity: str
    structure: str
    side: str
    sex: str
    n: int
    ages: tuple[float, ...]
    near: tuple[int, ...]
    values: tuple[tuple[float, ...], ...]

    @property
    def is_constant(self) -> bool:
        """Whether the percentiles are the same at all ages: those of a cohort whose ages are too close for a slope."""
        return len(set(self.values)) == 1

    def standing(self, value: float, age: float) -> Standing | None:
        """Where a value lies at an age; None beyond the cohort's ages and where too few persons are of about that age."""
        if self.n < FEWEST_PERSONS or not self.ages[0] <= age <= self.ages[-1]:
            return None
        near = int(min(self.near[i] for i in _around(self.ages, age)))
        if near < FEWEST_NEAR:
            return None
        curve = [float(np.interp(age, self.ages, column)) for column in zip(*self.values, strict=True)]
        if value < curve[0]:
            return Standing(PERCENTILES[0], _Z[0], self.n, near, "below")
        if value > curve[-1]:
            return Standing(PERCENTILES[-1], _Z[-1], self.n, near, "above")
        # Where curves touch, the middle of them.
        z = float(
            np.mean([np.interp(value, curve, _Z), -np.interp(-value, [-one for one in curve[::-1]], [-one for one in _Z[::-1]])])
        )
        return Standing(100 * NormalDist().cdf(z), z, self.n, near)


@dataclass(frozen=True)
class SiteReference:
    """The curves of a site, and of which groups there were too few persons (name -> number)."""

    source: str
    curves: tuple[SiteCurve, ...]
    too_few: Mapping[str, int]

    def curve(self, quantity: str, structure: str, side: str, sex: str) -> SiteCurve | None:
        """The curve of these; None where there is none."""
        wanted = (quantity, structure, side, sex)
        return next((one for one in self.curves if (one.quantity, one.structure, one.side, one.sex) == wanted), None)


def write_site_reference(path: Path, reference: SiteReference) -> None:
    """Write the reference file (JSON).

    Raises:
        InputError: it cannot be written.
    """
    content = {"format": FORMAT, "format_version": VERSION, "percentiles": PERCENTILES, **asdict(reference)}
    with whole_file(path, ".json") as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def read_site_reference(path: Path) -> SiteReference:
    """Read what `write_site_reference` wrote.

    Raises:
        InputError: it is no such file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT or data["format_version"] != VERSION or tuple(data["percentiles"]) != PERCENTILES:
            raise ValueError("another format")
        return SiteReference(str(data["source"]), tuple(map(_curve, data["curves"])), dict(data["too_few"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{shown(path)!r} is no reference file; make one with mskseg reference make.") from error


def _curve(data: Mapping[str, Any]) -> SiteCurve:
    values = tuple(tuple(map(float, row)) for row in data["values"])
    ages, near = tuple(map(float, data["ages"])), tuple(map(int, data["near"]))
    if not len(ages) == len(near) == len(values) or any(list(row) != sorted(row) or len(row) != len(PERCENTILES) for row in values):
        raise ValueError("curves that cross")
    quantity, structure, side, sex = (str(data[name]) for name in ("quantity", "structure", "side", "sex"))
    return SiteCurve(quantity, structure, side, sex, int(data["n"]), ages, near, values)


def _around(ages: tuple[float, ...], age: float) -> tuple[int, int]:
    """The positions of the ages on both sides of one."""
    high = int(np.clip(np.searchsorted(ages, age), 0, len(ages) - 1))
    return (high, high) if ages[high] == age else (max(high - 1, 0), high)
