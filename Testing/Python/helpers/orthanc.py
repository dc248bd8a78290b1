"""Debian's Orthanc with its DICOMweb plug-in, on free ports of this computer and in a folder of its own."""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

_PLUGINS = [
    Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so"),
    Path("/usr/local/share/orthanc/plugins/libOrthancDicomWeb.so"),
]
# A slow computer beside other tests.
_PATIENCE_S = 120


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def program_and_plugin():
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    plugin = next((path for path in _PLUGINS if path.exists()), None)
    if not program or not plugin:
        pytest.skip("Debian's packages orthanc and orthanc-dicomweb are not installed")
    return program, plugin


class Orthanc:
    """A running archive; `stop` and `start` again keep what it holds and its ports."""

    title = "ARCHIVE"

    def __init__(self, folder, **settings):
        """`settings` go into its configuration."""
        self._program, plugin = program_and_plugin()
        self._folder = folder
        self.http, self.dicom = free_ports(2)
        self.url = f"http://127.0.0.1:{self.http}"
        self.web = f"{self.url}/dicom-web"
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "Name": "Archive for tests",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": self.title,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowEcho": True,
            "Plugins": [str(plugin)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "StableAge": 1,
            **settings,
        }
        (folder / "orthanc.json").write_text(json.dumps(content))
        self._process = None

    def start(self):
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, str(self._folder / "orthanc.json")], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        end = time.monotonic() + _PATIENCE_S
        while True:
            assert self._process.poll() is None and time.monotonic() < end, (self._folder / "log").read_text()[-2000:]
            try:
                self.get("/system")
                return self
            except requests.ConnectionError:
                time.sleep(0.05)

    def stop(self):
        if self._process:
            self._process.terminate()
            self._process.wait(_PATIENCE_S)
            self._process = None

    def get(self, path):
        answer = requests.get(self.url + path, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def post(self, path, content):
        answer = requests.post(self.url + path, json=content, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def put(self, folder):
        """Store all files of a folder."""
        for path in sorted(folder.iterdir()):
            requests.post(f"{self.url}/instances", data=path.read_bytes(), timeout=30).raise_for_status()

    def modalities(self, study_uid):
        """How many objects of each modality a study holds."""
        found = {}
        for study in requests.post(
            f"{self.url}/tools/find", json={"Level": "Study", "Query": {"StudyInstanceUID": study_uid}, "Expand": True}, timeout=30
        ).json():
            for series in study["Series"]:
                facts = self.get(f"/series/{series}")
                modality = facts["MainDicomTags"].get("Modality", "")
                found[modality] = found.get(modality, 0) + len(facts["Instances"])
        return found

    def clear(self):
        for study in self.get("/studies"):
            requests.delete(f"{self.url}/studies/{study}", timeout=30)
