"""The catalogues of the report's words: up to date with the program, whole, compiled, and with the same placeholders."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("babel")
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "Tools"))

import report_words  # noqa: E402
from babel.messages.mofile import read_mo  # noqa: E402

from MSKSegmentLib.report.language import catalogue_of, languages  # noqa: E402

PLACEHOLDER = re.compile(r"\{\w*\}|%\(\w+\)[sd]|%%")


@pytest.fixture(scope="module", params=languages())
def language(request):
    return request.param


def test_there_is_english():
    assert "en" in languages()


def test_the_catalogue_is_that_of_the_program(language):
    """After a change of words: python Tools/report_words.py."""
    now, stored = report_words.updated(language), report_words.read(language)
    assert [(m.id, m.context) for m in now] == [(m.id, m.context) for m in stored]
    assert report_words.text_of(now) == report_words.path_of(language).read_bytes()
    mo = [read_mo(io.BytesIO(report_words.compiled(now))), read_mo(report_words.path_of(language).with_suffix(".mo").open("rb"))]
    # Without the header, which names the version of Babel.
    assert [(m.id, m.string) for m in mo[0] if m.id] == [(m.id, m.string) for m in mo[1] if m.id]


def test_translations_are_whole_and_keep_the_placeholders(language):
    for message in report_words.read(language):
        texts = [message.string] if isinstance(message.string, str) else list(message.string)
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        if not message.id or (language == "en" and not any(texts)):
            continue
        assert all(texts), f"{message.id} has no translation"
        for text in texts:
            wanted = {tuple(sorted(PLACEHOLDER.findall(one))) for one in ids}
            assert tuple(sorted(PLACEHOLDER.findall(text))) in wanted, f"{message.id}: {text}"


def test_what_a_catalogue_lacks_stays_english():
    assert catalogue_of("en").gettext("no such words") == "no such words"
