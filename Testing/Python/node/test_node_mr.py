"""A node whose task is one for MR: MR is taken by both ways and CT refused, by the rules that hold for CT elsewhere."""

from dataclasses import replace

import pytest
from node_cases import RESULTS, rows, running, store, wait_for_state, write_config, write_study

from MSKSegmentLib.ct.storage_classes import image_classes
from MSKSegmentLib.node.choosing import SeriesFacts, facts_of, fitting_series
from MSKSegmentLib.node.config import ChooseTable
from MSKSegmentLib.node.config_reading import read_config
from MSKSegmentLib.node.files import name_of

pytest_plugins = ("node_fixtures",)

MR = {"Modality": "MR", "SOPClassUID": image_classes("MR")[0]}
TASK = {"segment": {"task": "lower-limb-mr"}}


def test_mr_is_taken_by_c_store_and_ct_refused(archive, python, tmp_path):
    mr, ct = write_study(tmp_path / "mr", tags=MR), write_study(tmp_path / "ct", slices=3)
    path = write_config(tmp_path, {"ae_title": archive.title, "host": "127.0.0.1", "port": archive.dicom}, **TASK)
    with running(path, python) as (config, _):
        assert store(config.receive.port, sorted((tmp_path / "ct").iterdir())) == [0x0122] * 3
        assert store(config.receive.port, sorted((tmp_path / "mr").iterdir())) == [0] * 6
        wait_for_state(config, mr, "done")
        assert rows(config)[name_of(ct)][:2] == ("refused", "It is no MR scan; this node segments MR scans alone.")
    assert archive.modalities(mr) == RESULTS


def test_mr_is_asked_for_by_dicomweb(archive, python, tmp_path):
    mr, ct = write_study(tmp_path / "mr", tags=MR), write_study(tmp_path / "ct")
    for name in ("mr", "ct"):
        archive.put(tmp_path / name)
    path = write_config(tmp_path, {"url": archive.web}, receive=None, poll={"url": archive.web, "every_s": 1}, **TASK)
    with running(path, python) as (config, _):
        wait_for_state(config, mr, "done")
        assert name_of(ct) not in rows(config)
    assert archive.modalities(mr) == {"MR": 6, **RESULTS} and archive.modalities(ct) == {"CT": 6}


def test_the_task_decides_what_is_taken(tmp_path):
    send = {"ae_title": "NOWHERE", "host": "127.0.0.1"}
    assert read_config(write_config(tmp_path, send)).modality == "CT"
    assert read_config(write_config(tmp_path, send, **TASK)).modality == "MR"
    leg = SeriesFacts("MR", "LEG", "T1 tse", 40, 5.0)
    assert fitting_series({"a": leg}, ChooseTable(), "MR") == ("a", "")
    assert fitting_series({"a": leg}, ChooseTable()) == (None, "Its one series is no CT.")
    assert fitting_series({"a": replace(leg, modality="CT")}, ChooseTable(), "MR") == (None, "Its one series is no MR scan.")


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_slices_of_all_kinds_of_images_are_counted(tmp_path, modality):
    """Legacy converted images too, which hospitals make of their old ones; NumberOfFrames of a single image says nothing."""
    single, *multi = image_classes(modality)
    for kind, slices in ((single, 1), *((one, 40) for one in multi)):
        write_study(tmp_path / kind, slices=1, tags={"Modality": modality, "SOPClassUID": kind, "NumberOfFrames": 40})
        assert facts_of(next((tmp_path / kind).iterdir()), 1).slices == slices
