"""Setting up the environment: packages that make a run faster or draw it are not needed for it to be ready."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# Stands in for the environment's Python: notes what is to be installed, and fails where there is no package for this computer.
PYTHON = """#!/bin/sh
echo "$*" >> "{log}"
case "$*" in {absent}) echo "ERROR: No matching distribution found" >&2; exit 1;; esac
"""


@pytest.mark.skipif(shutil.which("make") is None or os.name == "nt", reason="make and sh are not installed")
@pytest.mark.parametrize(
    "absent, ready, words",
    [
        ("*nothing*", True, ""),
        ("*openvino*", True, "PyTorch computes alone"),
        ("*scene*", True, "slicer-core could not be installed"),
        ("*torch*", False, "No matching distribution"),
    ],
)
def test_the_environment_is_ready_without_what_only_helps(tmp_path, absent, ready, words):
    environment, log = tmp_path / "env", tmp_path / "log"
    python = environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(log=log, absent=absent))
    python.chmod(0o755)
    command = ["make", f"VENV={environment}", f"PYTHON={sys.executable}", "env"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == ready == (environment / ".ready").exists(), done.stderr
    assert words in done.stderr
    asked = log.read_text()
    assert "torch==" in asked and (not ready or all(f".[{extra}]" in asked for extra in ("torch", "openvino", "scene")))
