"""A report in a language whose signs no font of the computer has: told in a sentence before anything is made."""

import logging

import pytest
from latin_fonts import hide_fonts

pytest.importorskip("weasyprint", reason="WeasyPrint is not installed", exc_type=ImportError)

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.language.catalogue import catalogue_of, languages
from MSKSegmentLib.report.pdf import check_pdf, write_page_pdf


@pytest.fixture
def latin_fonts(tmp_path, monkeypatch):
    hide_fonts(tmp_path, monkeypatch)


def test_without_a_font_a_report_in_japanese_is_refused(latin_fonts, tmp_path):
    check_pdf("en")
    with pytest.raises(InputError, match="No font of this computer has the signs of the language 'ja'"):
        check_pdf("ja")


def test_the_command_says_so_before_it_works(latin_fonts, tmp_path, capsys):
    # There is no result in the folder, which would be the next sentence.
    assert main(["report", str(tmp_path), "--language", "ja", "-o", str(tmp_path / "report.pdf")]) == 2
    told = capsys.readouterr().err
    assert "fonts-ipafont-gothic" in told and "-o report.html" in told and len(told.strip().splitlines()) == 1
    assert main(["report", str(tmp_path), "--language", "ja", "-o", str(tmp_path / "report.html")]) == 2
    assert "font" not in capsys.readouterr().err


def test_signs_of_a_name_that_no_font_has_are_warned_of(latin_fonts, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        write_page_pdf("<html lang='en'><p>Corrected by 山田 and Müller</p></html>", tmp_path / "report.pdf")
    (warning,) = caplog.messages
    assert "(山, 田)" in warning and (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")
    caplog.clear()
    write_page_pdf("<html lang='en'><p>Corrected by Müller</p></html>", tmp_path / "report.pdf")
    assert not caplog.messages


def test_the_sentence_that_is_tried_is_translated():
    for language in set(languages()) - {"en"}:
        words = catalogue_of(language)
        assert words.gettext("Research use only, not a medical device.") != "Research use only, not a medical device."
