"""Resources are found beside the package, as in a source tree and in Slicer's module folder, and inside it."""

import pytest

from MSKSegmentLib import resources


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "qt-scripted-modules" / "MSKSegmentLib"
    folder.mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", folder)
    return folder


def put(root):
    path = root / "Resources" / "ReferenceValues" / "means.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    return path


def test_beside_the_package_comes_before_inside_it(package):
    with pytest.raises(FileNotFoundError, match="Resources/ReferenceValues/means.json is missing"):
        resources.resource_file("ReferenceValues", "means.json")
    inside = put(package)
    assert resources.resource_file("ReferenceValues", "means.json") == inside
    beside = put(package.parent)
    assert resources.resource_file("ReferenceValues", "means.json") == beside
    assert resources.resource_folders("ReferenceValues") == (beside.parent, inside.parent)
