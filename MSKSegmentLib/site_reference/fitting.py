"""Percentile curves from a cohort table, by quantile regression on age (Koenker and Bassett 1978; statsmodels).

Each percentile is a straight line over age, with 150 persons or more a parabola. Curves of single percentiles may cross where the
data are few; at every age they are put into their order, which never makes an estimate worse (Chernozhukov, Fernandez-Val and
Galichon 2010).
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..packages import require
from .cohort_table import CohortRow
from .curves import FEWEST_PERSONS, NEAR_YEARS, PERCENTILES, SiteCurve, SiteReference

FEWEST_FOR_A_BEND = 150
_MOST_AGES = 11
LEAST_SPAN_YEARS = 5.0


def make_site_reference(rows: Sequence[CohortRow], source: str) -> SiteReference:
    """The curves of every group of quantity, structure, side and sex with persons enough; `source` says whose they are.

    Raises:
        InputError: no group has enough.
        DependencyError: statsmodels is not installed.
    """
    require("statsmodels", purpose="Fitting reference curves", extra="study")
    groups = defaultdict(list)
    for row in rows:
        groups[row.quantity, row.structure, row.side, row.sex].append(row)
    few = {" ".join(key): len(group) for key, group in groups.items() if len(group) < FEWEST_PERSONS}
    curves = tuple(_site_curve(key, group) for key, group in sorted(groups.items()) if len(group) >= FEWEST_PERSONS)
    if not curves:
        most = max(few.values())
        raise InputError(
            f"No structure, side and sex has the {FEWEST_PERSONS} persons that a curve needs, the largest group has {most}; add "
            "rows."
        )
    return SiteReference(source, curves, few)


def _site_curve(key: tuple[str, str, str, str], group: Sequence[CohortRow]) -> SiteCurve:
    age, value = np.array([row.age for row in group]), np.array([row.value for row in group])
    span = float(age.max() - age.min())
    powers = 0 if span < LEAST_SPAN_YEARS else 2 if len(group) >= FEWEST_FOR_A_BEND else 1
    grid = np.linspace(age.min(), age.max(), max(2, min(_MOST_AGES, round(span) + 1)))
    curves = np.sort(_quantiles(age, value, grid, powers), axis=1)
    near = [int(np.count_nonzero(np.abs(age - at) <= NEAR_YEARS)) for at in grid]
    rounded = tuple(tuple(round(float(number), 4) for number in row) for row in curves)
    return SiteCurve(*key, len(group), tuple(round(float(at), 3) for at in grid), tuple(near), rounded)


def _quantiles(age: np.ndarray, value: np.ndarray, grid: np.ndarray, powers: int) -> np.ndarray:
    """Percentiles ``[age, percentile]`` on the grid."""
    from statsmodels.regression.quantile_regression import QuantReg

    middle, scale = float(age.mean()), float(age.std()) or 1.0
    design, at = (np.vander((ages - middle) / scale, powers + 1, increasing=True) for ages in (age, grid))
    if powers == 0:
        return np.tile(np.percentile(value, PERCENTILES), (len(grid), 1))
    columns = []
    with warnings.catch_warnings():
        # It tells of iterations that have settled within rounding.
        warnings.simplefilter("ignore")
        for percent in PERCENTILES:
            columns.append(at @ QuantReg(value, design).fit(q=percent / 100, max_iter=2000).params)
    return np.stack(columns, axis=1)
