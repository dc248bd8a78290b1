"""`mskseg node --check` starts nothing, and names every fault that would stop the node or its results."""

import pytest
from latin_fonts import hide_fonts
from node_cases import write_config
from orthanc import free_ports

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.node.checking import check_node
from MSKSegmentLib.node.config_reading import read_config
from MSKSegmentLib.report.pdf import check_pdf


@pytest.fixture
def nowhere():
    """An archive that is not there."""
    return {"ae_title": "NOWHERE", "host": "127.0.0.1", "port": free_ports(1)[0]}


def test_an_archive_that_is_away_and_a_bundle_that_is_not_there(nowhere, tmp_path, capsys):
    path = write_config(tmp_path, nowhere, segment={"bundle": "none"})
    assert main(["node", "--config", str(path), "--check"]) == 2
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("Model bundle: There is no model bundle none")
    assert told[1:] == [f"Results to NOWHERE at 127.0.0.1:{nowhere['port']}: The archive cannot be reached."]
    assert not (tmp_path / "work").exists()


def test_a_bundle_of_another_task_than_the_settings_name(nowhere, tmp_path):
    path = write_config(tmp_path, nowhere, segment={"bundle": "mskseg-virtual", "task": "lower-limb-mr"})
    faults = dict(check_node(read_config(path)))
    assert "is one of the task hip-thigh-ct, not of lower-limb-mr" in faults["Model bundle"]


def test_a_report_for_whose_language_there_is_no_font(nowhere, tmp_path, monkeypatch):
    pytest.importorskip("weasyprint", reason="WeasyPrint is not installed", exc_type=ImportError)
    check_pdf("en")
    config = read_config(write_config(tmp_path, nowhere, segment={"report": "ja"}))
    hide_fonts(tmp_path, monkeypatch)
    assert "No font of this computer" in dict(check_node(config))["Report that goes along"]
