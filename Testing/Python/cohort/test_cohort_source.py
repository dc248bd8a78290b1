"""What a cohort finds: image files, DICOM series in one and in several folders, an MR, broken files, repetitions, lists."""

import shutil

import pytest
from cohort_cases import write_scans
from ct_scans import two_thighs, write_dicom

from MSKSegmentLib.cohort.source import find_cases
from MSKSegmentLib.ct.reading.files import inspect_ct, read_ct
from MSKSegmentLib.errors import InputError


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A folder with everything in it."""
    root = tmp_path_factory.mktemp("scans")
    hu = two_thighs(10)
    scanner = {"Manufacturer": "Maker", "ManufacturerModelName": "Model", "KVP": "120", "ConvolutionKernel": "B30"}
    write_dicom(root / "p1", hu, tags=scanner)
    write_dicom(root / "p1", hu[:1], number=9, prefix="scout", tags={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    shutil.copytree(root / "p1", root / "p1 again")
    write_dicom(root / "p2", two_thighs(10, seed=1), number=2)
    write_dicom(root / "p2", two_thighs(10, seed=2), number=3)
    write_dicom(root / "mr", hu, number=4, tags={"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"})
    write_dicom(root / "gap", hu, number=5, levels=[0, 5, 10, 15, 20, 45, 50, 55, 60, 65])
    write_dicom(root / "split" / "a", two_thighs(12, seed=3), number=6)
    (root / "split" / "b").mkdir()
    for file in sorted((root / "split" / "a").iterdir())[:6]:
        file.rename(root / "split" / "b" / file.name)
    write_scans(root / "files", "one", "two")
    shutil.copyfile(root / "files" / "one.nii", root / "files" / "third.nii")
    write_scans(root / "virtual", "ct")
    shutil.copyfile(root / "virtual" / "ct.nii", root / "virtual" / "labels.nii")
    (root / "files" / "broken.nii").write_bytes(b"this is no image")
    (root / "files" / "empty.nrrd").write_bytes(b"")
    (root / "files" / "notes.txt").write_text("no scan")
    return root


def test_a_folder_is_found_with_what_is_refused_and_repeated(scans):
    cases = {case.case: case for case in find_cases(scans)}
    usable = {name for name, case in cases.items() if not case.problem and not case.same_as}
    assert {"p1", "p2-series2", "p2-series3", "split", "files__one", "files__two", "virtual"} == usable
    refused = {name: case.problem for name, case in cases.items() if case.problem}
    assert set(refused) == {"mr", "gap", "files__broken", "files__empty"}
    assert "it is MR and not CT" in refused["mr"] and refused["files__empty"].startswith("The file empty.nrrd is empty")
    repeated = {name: case.same_as for name, case in cases.items() if case.same_as}
    assert repeated["files__third"] == "files__one" and len(repeated) == 2
    assert sorted(repeated.values()) == ["files__one", "p1"]
    assert cases["p1"].size == (96, 64, 10) and cases["p1"].scanner == "Maker Model B30 120 kV"
    assert cases["split"].size == (96, 64, 12)
    for name in usable:
        volume = read_ct(cases[name].path, cases[name].series)
        assert volume.geometry.size == cases[name].size and volume.geometry.spacing == pytest.approx(cases[name].spacing)


def test_what_is_refused_is_refused_by_reading_too(scans):
    """The same sentence, so that a dry run keeps its word."""
    for case in find_cases(scans):
        if case.problem and case.case != "mr":
            for ask in (inspect_ct, read_ct):
                with pytest.raises(InputError) as error:
                    ask(case.path)
                assert str(error.value) == case.problem


def test_names_and_signatures_last(scans, tmp_path):
    before = {case.path: (case.case, case.signature) for case in find_cases(scans)}
    copy = tmp_path / "more"
    shutil.copytree(scans, copy)
    write_scans(copy / "files", "added")
    after = {case.case for case in find_cases(copy)}
    assert {name for name, _ in before.values()} < after
    assert {case.path: (case.case, case.signature) for case in find_cases(scans)} == before
    assert not [case for case in find_cases(copy, skip=copy / "files") if case.case.startswith("files")]


def test_a_list_gives_heights_sides_and_further_columns(scans, tmp_path):
    table = tmp_path / "list.csv"
    lines = ["case,path,height_cm,side_affected,series,surgeon", f"a,{scans / 'p1'},163,right,,x", f"b,{scans / 'p2'},,,3,"]
    table.write_text("\n".join([*lines, "c,nowhere.nii,,,,", f"d,{scans / 'p2'},,,,"]), encoding="utf-8-sig")
    first, second, third, fourth = find_cases(table)
    assert (first.case, first.height_cm, first.facts) == ("a", 163, {"side_affected": "right", "surgeon": "x"})
    assert second.series == "3" and second.size is not None and second.height_cm is None
    assert third.problem == "There is no file or folder nowhere.nii; check the path."
    assert "choose one by its number" in fourth.problem


@pytest.mark.parametrize(
    "content",
    [
        "case\na\n",
        "case,path\na,x.nii\nA,y.nii\n",
        "case,path\na/b,x.nii\n",
        "path,height_cm\nx.nii,tall\n",
        "path,height_cm\nx.nii,16.3\n",
        "path,side_affected\nx.nii,rihgt\n",
        "path,path\nx.nii,y.nii\n",
        "case,path\na,\n",
        "path\nx.nii,y\n",
        "path\n",
    ],
)
def test_a_faulty_list_is_one_sentence(tmp_path, content):
    table = tmp_path / "list.csv"
    table.write_text(content)
    with pytest.raises(InputError) as error:
        find_cases(table)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_a_source_without_scans_is_one_sentence(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    for source in (tmp_path, tmp_path / "notes.txt", tmp_path / "nowhere"):
        with pytest.raises(InputError):
            find_cases(source)
