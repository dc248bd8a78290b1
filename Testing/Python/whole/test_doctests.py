"""The examples in docstrings of the library are run and give what they say."""

import doctest
from importlib import import_module

import pytest
from conftest import ROOT

LIBRARY = ROOT / "MSKSegmentLib"
WITH_EXAMPLES = tuple(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted(LIBRARY.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
)
# Where a number without its convention would mislead: label values, axes and sides, units, density classes, lights.
NEEDED = {
    "anatomy.table",
    "ct.volume",
    "ct.orientation",
    "ct.boxes",
    "measurement.density",
    "measurement.volume",
    "case_result",
}


def test_conventions_have_examples():
    assert {f"MSKSegmentLib.{name}" for name in NEEDED} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_are_true(name):
    result = doctest.testmod(import_module(name), optionflags=doctest.FAIL_FAST, verbose=False)
    assert result.attempted and not result.failed
