"""Studies to send to a node, nodes in this process and in others, and what is waited for."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from ct_scans import two_thighs, write_dicom
from orthanc import free_ports
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE

from MSKSegmentLib.errors import Cancelled
from MSKSegmentLib.node.config_reading import read_config
from MSKSegmentLib.node.files import name_of
from MSKSegmentLib.node.service import Node

ROOT = Path(__file__).resolve().parents[3]
SENDER, PATIENT = "SCANNER", "Mustermann^Erika"
RESULTS = {"SEG": 1, "SR": 1, "DOC": 1}
PATIENCE_S = 120
# The command itself, with another Python for its children.
_CHILD = """
import sys
import MSKSegmentLib.node.service as service
from MSKSegmentLib.commands.main import main
run = service.run_node
service.run_node = lambda config, checkpoint: run(config, checkpoint, sys.argv[2])
sys.exit(main(["node", "--config", sys.argv[1]]))
"""


def write_study(folder, slices=6, tags=None, series=1):
    """A small CT study of its own; gives its UID."""
    uid = generate_uid()
    identity = {"StudyInstanceUID": uid, "PatientName": PATIENT, "PatientID": "4711-0815", "StudyDate": time.strftime("%Y%m%d")}
    for number in range(1, series + 1):
        hu = two_thighs(slices, rows=8, columns=12)
        unique = {"SeriesInstanceUID": generate_uid(), "SliceThickness": 5.0}

        def own(k, data):
            data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()

        write_dicom(folder, hu, number=number, tags={**identity, **unique, **(tags or {})}, edit=own)
    return uid


def launcher(folder):
    """A Python for `EngineRun` that is `fast_engine`."""
    path = folder / "fast-python"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("fast_engine.py")}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def write_config(folder, send, **tables):
    """A configuration for tests; `tables` adds to or replaces settings, None leaves a table away."""
    port, page = free_ports(2)
    content = {
        "node": {"folder": "work", "quiet_s": 0.5, "status_port": page},
        "receive": {"allowed": [SENDER], "port": port, "instance_mb": 1, "timeout_s": 10},
        "choose": {"slices": [3, 100]},
        "segment": {"attempts": 2, "report": ""},
        "send": {"pause_s": 0.2, "longest_pause_s": 0.5, **send},
        "disk": {"gb": 0.02},
    }
    for name, table in tables.items():
        content[name] = None if table is None else {**content.get(name, {}), **table}
    path = folder / "node.toml"
    lines = []
    for name, table in content.items():
        if table is not None:
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    path.write_text("\n".join(lines))
    return path


def store(port, files, sender=SENDER, called="MSKSEG", tls=None):
    """Send files by C-STORE; gives the status of each, None where there was no answer."""
    files = list(files)
    entity = AE(sender)
    heads = [dcmread(path, stop_before_pixels=True) for path in files]
    for kind, syntax in {(str(head.SOPClassUID), str(head.file_meta.TransferSyntaxUID)) for head in heads}:
        entity.add_requested_context(kind, syntax)
    association = entity.associate("127.0.0.1", port, ae_title=called, tls_args=(tls, "127.0.0.1") if tls else None)
    if not association.is_established:
        return [None] * len(files)
    try:
        return [association.send_c_store(path).get("Status") for path in files]
    finally:
        association.release()


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.03)
    return found


def rows(config):
    """State, reason, attempts of each study in a node's queue, by name, read as another process may."""
    path = config.node.folder / "queue.sqlite"
    if not path.exists():
        return {}
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return {row[0]: row[1:] for row in database.execute("SELECT id, state, reason, attempts FROM study").fetchall()}
    except sqlite3.OperationalError:
        # Not filled yet.
        return {}
    finally:
        database.close()


def wait_for_state(config, study_uid, *states):
    found = []

    def reached():
        found[:] = [rows(config).get(name_of(study_uid))]
        return found[0] and found[0][0] in states

    wait_for(reached, lambda: f"{found[0]} did not become {states}")
    return found[0]


@contextmanager
def running(path, python):
    """A node in this process."""
    config = read_config(path)
    node = Node(config, python)
    over, ended = threading.Event(), []

    def checkpoint():
        if over.is_set():
            raise Cancelled("over")

    def run():
        try:
            node.run(checkpoint)
        except Cancelled:
            ended.append(None)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield config, node
        assert thread.is_alive(), "the node ended by itself"
    finally:
        over.set()
        thread.join()
        node.close()


class NodeProcess:
    """A node in a process of its own, to be killed."""

    def __init__(self, path, python, plan=None):
        self.path, self.config = path, read_config(path)
        self._python, self._log = python, path.with_name("log")
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "FAST_ENGINE": json.dumps(plan or {})}
        self._process = None

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CHILD, str(self.path), self._python], env=self._environment, stdout=log, stderr=log
            )
        return self

    @property
    def log(self):
        return self._log.read_text()

    def listens(self):
        """Wait until it takes associations."""

        def answered():
            assert self._process.poll() is None, self.log
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.config.receive.port)) == 0

        wait_for(answered, lambda: self.log)
        return self

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE_S)

    def stop(self):
        """Ask it to end; gives the exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(PATIENCE_S)
