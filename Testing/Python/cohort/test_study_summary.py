"""The order in which a study's report names structures: that of the tables, whatever the first case shows."""

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa

from MSKSegmentLib.cohort.gathered import GatheredCases
from MSKSegmentLib.cohort.summary import StudySummary

TABLE = ("Hip bone", "Femur", "Gluteus maximus", "Vastus medialis")
TEXTS = ("likely_wrong", "not_confirmed", "light", "truncated_by", "state", "asks_for_a_look", "case", "side", "reasons")
NUMBERS = ("volume_cc", "mean_hu", "fat_percent", "failure_probability", "expected_harm")


def rows(case, light, missing=(), cut=()):
    """A case in table order; of `missing` structures there is no number."""
    known = {**dict.fromkeys(TEXTS, ""), "light": light, "state": "automatic", "case": case, "side": "left"}
    for number, structure in enumerate(TABLE):
        numbers = dict.fromkeys(NUMBERS, None if structure in missing else 100.0 + number)
        yield {**known, **numbers, "structure": structure, "truncated_by": "superior" if structure in cut else ""}


def test_structures_stand_in_table_order_although_the_first_case_lacks_some():
    lines = [*rows("one", "green", missing=("Femur",), cut=("Hip bone",)), *rows("two", "red"), *rows("three", "yellow")]
    schema = pa.schema([("structure", pa.string()), *((n, pa.string()) for n in TEXTS), *((n, pa.float64()) for n in NUMBERS)])
    summary = StudySummary()
    summary.take({}, GatheredCases([], pa.Table.from_pylist(lines, schema), None))
    assert [structure for structure, _, _ in summary.shares()] == list(TABLE)
    # Of red and cut segments the numbers do not count.
    assert [(name, spread.count) for name, spread in summary.distributions("volume_cc")] == [
        ("Hip bone", 1), ("Femur", 1), ("Gluteus maximus", 2), ("Vastus medialis", 2)
    ]  # fmt: skip
