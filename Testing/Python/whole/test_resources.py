"""Resources are the package's own files; a missing one is said in a sentence."""

import pytest

from MSKSegmentLib import resources
from MSKSegmentLib.errors import InstallationError


def test_a_file_of_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "site" / "MSKSegmentLib")
    beside = tmp_path / "site" / "Resources" / "ReferenceValues" / "means.json"
    inside = tmp_path / "site" / "MSKSegmentLib" / "Resources" / "ReferenceValues" / "means.json"
    beside.parent.mkdir(parents=True)
    beside.write_text("{}")
    with pytest.raises(InstallationError, match="Resources/ReferenceValues/means.json is missing"):
        resources.resource_file("ReferenceValues", "means.json")
    inside.parent.mkdir(parents=True)
    inside.write_text("{}")
    assert resources.resource_file("ReferenceValues", "means.json") == inside
    assert resources.resource_folder("ReferenceValues") == inside.parent
