"""Filling a folder of results as another user, in another process, or on a drive of its own."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from MSKSegmentLib.output.filling import whole_folder

ROOT = Path(__file__).resolve().parents[3]


OWNED = ("a.txt", "b.txt", "old.txt", "marker.json")


posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


def fill(folder, text, names=("a.txt", "b.txt", "marker.json"), **options):
    with whole_folder(folder, "thing", "marker.json", OWNED, **options) as partial:
        for name in names:
            (partial / name).write_text(text)


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def whole(text):
    return dict.fromkeys(("a.txt", "b.txt", "marker.json"), text)


def as_nobody(code, *arguments):
    """Run code as a user without rights; returns its output."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    # Python itself may lie where only root may read.
    begin = f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\n"
    begin += "import MSKSegmentLib.output.filling, MSKSegmentLib.results.result_folder\n"
    begin += "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    return run(begin + textwrap.dedent(code), *arguments)


def run(code, *arguments, before=()):
    command = [*before, sys.executable, "-B", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=60)


TRY = """
import sys
from pathlib import Path
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.output.filling import whole_folder
from MSKSegmentLib.output.places import check_place, resolved
from MSKSegmentLib.results.result_folder import check_output
folder = Path(sys.argv[1])
try:
    check_place(resolved(folder), ("a.txt", "marker.json"))
    print("accepted", flush=True)
    with whole_folder(folder, "thing", "marker.json", ("a.txt", "marker.json")) as partial:
        for name in ("a.txt", "b.txt", "marker.json"):
            (partial / name).write_text("new")
    print("written", flush=True)
except InputError as error:
    print("refused:", error, flush=True)
"""


def in_namespace(script, *arguments):
    """A shell script as root of a user namespace of its own, where it may mount."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-euc", textwrap.dedent(script), "sh", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if "ounting failed" in done.stderr or "ermission denied" in done.stderr:
        pytest.skip("nothing can be mounted here")
    return done
