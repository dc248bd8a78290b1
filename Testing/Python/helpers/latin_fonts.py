"""A computer that has one font, without signs of Japanese."""

import shutil
from pathlib import Path

import pytest

_CONFIGURATION = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>"""


def hide_fonts(folder, monkeypatch):
    """Have fontconfig find the font that came with matplotlib, and no other."""
    fonts = folder / "fonts"
    fonts.mkdir()
    shutil.copy(Path(pytest.importorskip("matplotlib").get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), fonts)
    path = folder / "fonts.conf"
    path.write_text(_CONFIGURATION.format(fonts=fonts, cache=folder / "cache"))
    monkeypatch.setenv("FONTCONFIG_FILE", str(path))
