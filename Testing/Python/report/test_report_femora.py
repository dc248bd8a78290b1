"""The part of a report on the proximal femora: what was measured, how, what not to trust; nothing of femora corrected since."""

import csv
import json
import re
from dataclasses import replace

import pytest
import SimpleITK as sitk
from femur_cases import SCANNER, write_phantom

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.language.catalogue import catalogue_of
from MSKSegmentLib.proximal_femur.femur_folder import FACTS, FEMUR_FOLDER
from MSKSegmentLib.proximal_femur.stored_femora import read_stored_femora
from MSKSegmentLib.report.case import read_report_case
from MSKSegmentLib.report.femora import femur_section
from MSKSegmentLib.report.page import html_of
from MSKSegmentLib.report.slices import SlicePicture
from MSKSegmentLib.review.columns import columns_of
from MSKSegmentLib.tasks import load_task

pytest_plugins = ("femur_fixtures",)


@pytest.fixture(scope="module")
def scan(hips, tmp_path_factory):
    """A CT with its phantom, and labels of the task of proximal femora: whole ones, so that the cut lies inside of them."""
    folder = tmp_path_factory.mktemp("scan")
    virtual, _ = hips
    labels = virtual.labels.copy()
    labels[virtual.labels == 2] = 101
    for name, array in (("ct.nrrd", virtual.volume.hu), ("labels.nrrd", labels)):
        sitk.WriteImage(virtual.volume.geometry.image_of(array), str(folder / name))
    write_phantom(folder / "phantom.json")
    return folder


@pytest.fixture(scope="module")
def result(scan, tmp_path_factory):
    """The result with a column of density, and the femora measured into its own folder."""
    folder = tmp_path_factory.mktemp("femora") / "result"
    words = ["--ct", str(scan / "ct.nrrd"), "--phantom", str(scan / "phantom.json")]
    assert main(["measure", str(scan / "labels.nrrd"), "-o", str(folder), "--task", "proximal-femur-qct", *words, "-q"]) == 0
    for _twice in range(2):
        assert main(["femur", "measure", str(folder), *words, "-q"]) == 0
    return folder


@pytest.fixture(scope="module")
def case(result, scan):
    return read_report_case(result, "7", scan / "ct.nrrd")


def test_the_table_has_the_density_of_the_bone(result):
    rows = list(csv.DictReader((result / "measurements.csv").open(encoding="utf-8")))
    for row in rows:
        assert float(row["bmd_mg_cm3"]) == pytest.approx(SCANNER.slope * float(row["mean_hu"]) + SCANNER.intercept, abs=1.5)
        assert float(row["bmc_g"]) == pytest.approx(float(row["bmd_mg_cm3"]) * float(row["volume_cc"]) / 1000, rel=1e-3)
    findings = json.loads((result / "result.json").read_text(encoding="utf-8"))["findings"]
    assert any(one["code"] == "bone_density" and "no T-score" in one["sentence"] for one in findings)
    assert {"bmd_mg_cm3", "bmc_g"} <= {column.name for column in columns_of(load_task("proximal-femur-qct"))}
    assert "bmd_mg_cm3" not in {column.name for column in columns_of(load_task())}


def test_density_is_refused_where_a_task_has_none(scan, tmp_path, capsys):
    words = ["--ct", str(scan / "ct.nrrd"), "-o", str(tmp_path / "no"), "--slope", "0.8", "--intercept", "0"]
    assert main(["measure", str(scan / "labels.nrrd"), *words]) == 2
    assert "does not measure bone mineral density" in capsys.readouterr().err and not (tmp_path / "no").exists()


def test_the_section_says_what_was_measured_and_how(case, result):
    section = femur_section(case, catalogue_of("en"))
    assert [part.name for part in section.parts] == ["Proximal femur, right", "Proximal femur, left"]
    stored = list(csv.DictReader((result / FEMUR_FOLDER / "femur.csv").open(encoding="utf-8")))
    neck = next(one for one in stored if (one["side"], one["region"], one["compartment"]) == ("right", "neck", "cortical"))
    shown = next(line for line in section.parts[0].lines if line.name == "femoral neck")
    assert shown.cells[1] == (f"{float(neck['volume_cc']):.1f}", f"{float(neck['bmd_mg_cm3']):.0f}", f"{float(neck['bmc_g']):.2f}")
    assert (
        len(section.rods) == 5
        and "virtual phantom" in section.line
        and not any(line.in_brackets for line in section.parts[0].lines)
    )
    assert any("600" in sentence for sentence in section.doubts) and any("not green" in sentence for sentence in section.doubts)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_shows_it_in_its_language(case, language, monkeypatch):
    monkeypatch.setattr("MSKSegmentLib.report.structures.segment_slice", lambda *_: SlicePicture(b"", 0.0, 0.0))
    monkeypatch.setattr("MSKSegmentLib.report.page.overview", lambda *_: None)
    html = html_of(case, language, with_3d=False)
    part = re.search(r'<section class="femora">.*?</section>', html, re.DOTALL)[0]
    assert part.count("data:image/png") == 2 and part.count("<tr>") >= 2 * 7
    said = {"en": ("Not DXA. Research use only.", "femoral neck"), "ja": ("DXAではありません。研究用途専用。", "大腿骨頸部")}
    assert all(words in part for words in said[language])
    if language == "ja":
        text = re.sub(r"<[^>]*>|virtual phantom of 5 rods, rods found|hydroxyapatite|'mskseg femur measure'", " ", part)
        assert not set(re.findall(r"[A-Za-z]{3,}", text)) - {"DXA", "BMD", "BMC"}


def test_nothing_is_shown_of_femora_that_were_corrected_since(case, result, scan):
    labels = case.result.labels.copy()
    labels[tuple(part[0] for part in labels.nonzero())] = 0
    changed = replace(case, femora=replace(case.femora, is_current=False))
    section = femur_section(changed, catalogue_of("en"))
    assert section.parts == () and "run 'mskseg femur measure' again" in section.doubts[0]
    assert read_stored_femora(result, case.result.labels, case.result.table).is_current
    assert not read_stored_femora(result, labels, case.result.table).is_current
    assert read_stored_femora(scan, labels, case.result.table) is None


def test_a_damaged_measurement_is_one_sentence(result, case, tmp_path):
    (tmp_path / FEMUR_FOLDER).mkdir()
    (tmp_path / FEMUR_FOLDER / FACTS).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        read_stored_femora(tmp_path, case.result.labels, case.result.table)
