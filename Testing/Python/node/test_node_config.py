"""node.toml: each fault is one clear sentence, and all are told at once."""

import textwrap
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.node.config import Config
from MSKSegmentLib.node.config_reading import read_config

ADMIN = Path(__file__).resolve().parents[3] / "Docs" / "admin"
GOOD = {
    "node": 'folder = "work"',
    "receive": 'allowed = ["PACS"]',
    "send": 'ae_title = "PACS"\nhost = "pacs.example"\nport = 104',
}


def _config(folder, **tables):
    path = folder / "node.toml"
    content = {name: text for name, text in {**GOOD, **tables}.items() if text is not None}
    path.write_text("\n".join(f"[{name}]\n{text}" for name, text in content.items()))
    return read_config(path)


def test_a_short_configuration_has_careful_defaults(tmp_path):
    config = _config(tmp_path)
    assert config.receive.host == "127.0.0.1" and config.receive.allowed == ("PACS",)
    assert config.node.folder == tmp_path / "work" and config.poll is None
    assert not config.send.tls and config.disk.reserve_bytes > 0


@pytest.mark.parametrize(
    "tables, sentence",
    [
        ({"node": ""}, "node.folder is missing: it must be a text, the path of a file or folder."),
        ({"node": 'folder = "w"\nquiet = 3'}, "node.quiet is no setting of [node]; did you mean quiet_s?"),
        ({"node": 'folder = "w"\nquiet_s = "3"'}, "node.quiet_s must be a number."),
        ({"node": 'folder = "w"\nae_title = "A TITLE THAT IS TOO LONG"'}, "node.ae_title: an AE title has 1 to 16"),
        ({"receive": 'allowed = ["PACS"]\nport = 70000'}, "receive.port must be from 1 to 65535."),
        ({"receive": 'allowed = ["PACS"]\nport = true'}, "receive.port must be a whole number."),
        ({"receive": 'allowed = "PACS"'}, "receive.allowed must be a list, each entry a text."),
        ({"receive": "allowed = []"}, "receive.allowed must name the AE titles that may send"),
        ({"receive": None}, "Neither [receive] nor [poll] says where images come from"),
        ({"receive": 'allowed = ["PACS"]\ncertificate = "none.pem"'}, "receive.certificate and receive.key belong together"),
        ({"receive": 'allowed = ["P"]\ncertificate = "a"\nkey = "b"'}, "receive.key names a file that is not there"),
        ({"send": ""}, "[send] must have either url (STOW-RS) or ae_title, host and port (C-STORE)."),
        ({"send": 'url = "ftp://x"'}, "send.url must begin with http:// or https://"),
        ({"send": 'url = "https://user:secret@pacs/"'}, "hold no password"),
        ({"send": 'url = "https://pacs/"\nhost = "x"'}, "[send] must have either"),
        ({"choose": "slices = [50, 3]"}, "choose.slices must be two numbers, the least and the most."),
        ({"segment": 'device = "tpu"'}, "segment.device must be one of auto, cpu, cuda."),
        ({"segment": 'report = "german"'}, "segment.report must be one of en, ja, or empty for no report."),
        ({"segment": 'task = "toes"'}, "segment.task must be one of hip-thigh-ct, "),
        ({"send": 'url = "http://pacs/"\nauthorities = "node.toml"'}, "send.url must begin with https:// where certificates"),
        ({"sned": "x = 1"}, "[sned] is no table; did you mean send?"),
        ({"disk": "gb = 0"}, "disk.gb must be from 0.001 to"),
        ({"node": 'folder = "w'}, "is not valid TOML"),
    ],
)
def test_each_fault_is_a_sentence(tmp_path, tables, sentence):
    with pytest.raises(InputError) as refused:
        _config(tmp_path, **tables)
    assert sentence in str(refused.value) and str(tmp_path) not in str(refused.value)
    assert refused.value.exit_code == 2


def test_all_faults_are_told_at_once(tmp_path):
    with pytest.raises(InputError) as refused:
        _config(tmp_path, node='folder = 3\nae = "X"', disk='gb = "much"')
    lines = str(refused.value).splitlines()
    assert len(lines) == 4 and lines[0] == "node.toml cannot be used:"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_config(tmp_path / "none.toml")


def test_the_example_and_the_page_of_the_administrator(tmp_path):
    assert read_config(ADMIN / "node.toml").receive.allowed == ("PACS",)
    compose = (ADMIN / "docker-compose.yml").read_text(encoding="utf-8")
    inside = compose.partition("content: |\n")[2].partition("\n\n")[0]
    (tmp_path / "node.toml").write_text(textwrap.dedent(inside))
    assert read_config(tmp_path / "node.toml").send.host == "orthanc"
    page = (ADMIN / "node.md").read_text(encoding="utf-8")
    tables = {entry.name: get_type_hints(Config)[entry.name] for entry in fields(Config)}
    for name, kind in tables.items():
        kind = next((one for one in get_args(kind) if one is not type(None)), kind)
        for entry in fields(kind):
            assert f"| `{name}.{entry.name}` |" in page
