"""Bundles between sites: one file, its digests and signature, and what was changed on the way."""

import json
import re
import zipfile

import pytest
from conftest import write_tiny_bundle

from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.bundle.package_file import export_package, import_package, read_package
from MSKSegmentLib.bundle.signing import make_keys
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import BundleError, InputError

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A bundle, a pair of keys, and the bundle as a signed file."""
    pytest.importorskip("cryptography")
    folder = tmp_path_factory.mktemp("site")
    write_tiny_bundle(folder / "tiny")
    make_keys(folder / "ours.pem", folder / "ours.pub.pem")
    make_keys(folder / "theirs.pem", folder / "theirs.pub.pem")
    export_package(load_bundle(folder / "tiny"), folder / "tiny.mskseg", folder / "ours.pem")
    return folder


def altered(source, target, change):
    """A copy of a zip whose entries went through `change` (name, bytes) -> bytes, or None to leave one out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def test_a_bundle_arrives_as_it_was_sent(site, tmp_path, capsys):
    sent = site / "tiny.mskseg"
    assert main(["bundle", "import", str(sent)]) == 0
    looked_at = capsys.readouterr().out
    sha = re.search(r"SHA-256\s+(\w{64})", looked_at)[1]
    assert "Apache-2.0" in looked_at and "not rated (grey lights)" in looked_at and "by the key" in looked_at
    arguments = ["-o", str(tmp_path / "got"), "--sha256", sha.upper(), "--trust", str(site / "ours.pub.pem")]
    assert main(["bundle", "import", str(sent), *arguments]) == 0
    got, before = load_bundle(tmp_path / "got"), load_bundle(site / "tiny")
    assert got.digest == before.digest and got.card == before.card
    assert {p.name for p in (tmp_path / "got").iterdir()} == {p.name for p in (site / "tiny").iterdir()}


def test_without_a_key_a_file_has_its_digests_alone(site, tmp_path):
    facts = export_package(load_bundle(site / "tiny"), tmp_path / "plain.mskseg")
    assert facts.signed_by is None and import_package(tmp_path / "plain.mskseg", tmp_path / "got").manifest.name == "tiny"
    with pytest.raises(BundleError, match="is not signed"):
        import_package(tmp_path / "plain.mskseg", tmp_path / "other", trusted=site / "ours.pub.pem")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["weights.safetensors", "MODEL_CARD.md", "bundle.json"])
def test_a_changed_file_is_refused(site, tmp_path, name):
    bad = altered(site / "tiny.mskseg", tmp_path / "bad.mskseg", lambda n, data: data + b" " if n == name else data)
    with pytest.raises(BundleError, match=f"{name} is not the one that was packed.*ask the sender"):
        import_package(bad, tmp_path / "got")
    missing = altered(site / "tiny.mskseg", tmp_path / "missing.mskseg", lambda n, data: None if n == name else data)
    with pytest.raises(BundleError, match=f"{name} is missing"):
        read_package(missing)
    assert not (tmp_path / "got").exists()


def test_a_changed_list_is_refused_by_its_signature(site, tmp_path):
    def better(name, data):
        if name != "package.json":
            return data
        content = json.loads(data)
        content["about"]["calibration"] = "1000 patients"
        return json.dumps(content).encode()

    with pytest.raises(BundleError, match="signature of bad.mskseg is not that of its content"):
        read_package(altered(site / "tiny.mskseg", tmp_path / "bad.mskseg", better))


def test_what_is_not_what_was_told_is_refused(site, tmp_path, capsys):
    sent = site / "tiny.mskseg"
    with pytest.raises(BundleError, match="signed with another key"):
        import_package(sent, tmp_path / "got", trusted=site / "theirs.pub.pem")
    with pytest.raises(BundleError, match="not the one that was told"):
        import_package(sent, tmp_path / "got", sha256="0" * 64)
    (tmp_path / "text.pem").write_text("no key")
    with pytest.raises(InputError, match="text.pem is no key"):
        import_package(sent, tmp_path / "got", trusted=tmp_path / "text.pem")
    with pytest.raises(InputError, match="keys are never replaced"):
        make_keys(site / "ours.pem", tmp_path / "new.pub.pem")
    for content, sentence in ((b"no zip", "is no bundle file"), (None, "There is no file")):
        path = tmp_path / "odd.mskseg"
        if content is None:
            path = tmp_path / "absent.mskseg"
        else:
            path.write_bytes(content)
        assert main(["bundle", "import", str(path), "-o", str(tmp_path / "got")]) == 2
        said = capsys.readouterr().err
        assert sentence in said and len(said.splitlines()) == 1
    evil = altered(sent, tmp_path / "evil.mskseg", lambda name, data: data)
    with zipfile.ZipFile(evil, "a") as archive:
        archive.writestr("../outside.txt", "no")
    with pytest.raises(BundleError, match="outside.txt is in it"):
        import_package(evil, tmp_path / "got")
    assert not (tmp_path / "got").exists() and not (tmp_path / "outside.txt").exists()
