"""The files that an administrator copies, held against each other and against the code: nothing starts them in the tests."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.node.config_reading import read_config

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
ADMIN = ROOT / "Docs" / "admin"


@pytest.fixture(scope="module")
def unit():
    """The directives of the unit, each with its values in order."""
    found = {}
    for line in (ADMIN / "mskseg-node.service").read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture(scope="module")
def compose():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load((ADMIN / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def inside(compose, tmp_path_factory):
    """The configuration of the node in its container."""
    path = tmp_path_factory.mktemp("config") / "node.toml"
    path.write_text(compose["configs"]["node"]["content"])
    return read_config(path)


def test_systemd_finds_no_fault_in_the_unit(unit, tmp_path):
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze (Debian: systemd) is not installed")
    program = unit["ExecStart"][0].split()[0]
    text = (ADMIN / "mskseg-node.service").read_text(encoding="utf-8")
    path = tmp_path / "mskseg-node.service"
    path.write_text(text.replace(program, shutil.which("true")))
    done = subprocess.run([verifier, "verify", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    path.write_text(path.read_text().replace("ProtectSystem=strict", "ProtectSystem=stirct"))
    assert "stirct" in subprocess.run([verifier, "verify", str(path)], capture_output=True, text=True).stderr


def test_the_unit_starts_a_command_that_there_is_in_places_it_may_write(unit, capsys):
    program, *words = unit["ExecStart"][0].split()
    assert main([words[0], "--help"]) == 0 and "--config" in capsys.readouterr().out
    page = (ADMIN / "node.md").read_text(encoding="utf-8")
    assert Path(program).name == "mskseg" and f"{Path(program).parents[1]}\n" in page
    # Under ProtectSystem=strict nothing else can be written.
    example = read_config(ADMIN / "node.toml")
    assert [f"/var/lib/{name}" for name in unit["StateDirectory"]] == [str(example.node.folder)]
    assert unit["ProtectSystem"] == ["strict"] and words[-1].startswith("/etc/")
    # Loopback by TCP, nothing below port 1024, which would need a capability.
    assert set(unit["RestrictAddressFamilies"][0].split()) >= {"AF_INET", "AF_UNIX"}
    assert example.receive.port > 1024 and (example.node.status_port == 0 or example.node.status_port > 1024)


def test_the_containers_know_each_other(compose, inside):
    archive, node = compose["services"]["orthanc"]["environment"], compose["services"]["node"]
    assert inside.send.ae_title == archive["ORTHANC__DICOM_AET"] and inside.receive.allowed == (archive["ORTHANC__DICOM_AET"],)
    ((title, host, port),) = json.loads(archive["ORTHANC__DICOM_MODALITIES"]).values()
    assert (title, port) == (inside.node.ae_title, inside.receive.port) and compose["services"][host] is node
    assert inside.send.host in compose["services"] and inside.send.host in node["depends_on"]
    published = dict(entry.rsplit(":", 1)[::-1] for entry in compose["services"]["orthanc"]["ports"])
    assert str(inside.send.port) in published and all(place.startswith("127.0.0.1:") for place in published.values())
    # Nobody from outside reaches the node, which listens on all addresses of its container.
    assert inside.receive.host == "0.0.0.0" and "ports" not in node


def test_the_node_keeps_its_work_in_a_volume_that_its_user_may_write(compose, inside):
    node = compose["services"]["node"]
    recipe = node["build"]["dockerfile_inline"]
    ((volume, place),) = (entry.split(":") for entry in node["volumes"])
    assert place == str(inside.node.folder) and set(compose["volumes"]) == {volume, "archive"}
    user = re.search(r"^USER (\S+)$", recipe, re.MULTILINE).group(1)
    assert f"install -d -o {user} {place}" in recipe and recipe.index("USER") > recipe.index("install -d")


def test_the_image_starts_the_node_with_its_configuration(compose, capsys):
    node = compose["services"]["node"]
    ((config, target),) = ((entry["source"], entry["target"]) for entry in node["configs"])
    assert config in compose["configs"]
    recipe = node["build"]["dockerfile_inline"]
    program, *words = json.loads(re.search(r"^ENTRYPOINT (.+)$", recipe, re.MULTILINE).group(1))
    assert program == "mskseg" and words == ["node", "--config", target]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # Without a font the program that lays out the report ends.
    assert "libpango-1.0-0" in recipe and "fonts-" in recipe
    asked = re.search(r"/src\[(.+)\]", recipe).group(1).split(",")
    assert set(asked) <= set(project["optional-dependencies"]) and "node" in asked and program in project["scripts"]
    assert (ADMIN / node["build"]["context"]).resolve() == ROOT
    # What Git ignores is large, and none of it belongs into an image.
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv", "shared"} <= set(ignored)


def test_the_comment_names_the_ports_that_there_are(compose, inside):
    head = textwrap.dedent((ADMIN / "docker-compose.yml").read_text(encoding="utf-8").partition("services:")[0])
    ports = set(re.findall(r"127\.0\.0\.1:(\d+)", head))
    published = {entry.split(":")[1] for entry in compose["services"]["orthanc"]["ports"]}
    assert str(inside.node.status_port) in ports and ports - {str(inside.node.status_port)} <= published
