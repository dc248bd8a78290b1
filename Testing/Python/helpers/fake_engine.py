"""A stand-in for the engine's child process with the same command line, lines and exit codes; what it does is the CT's name.

Set up by `cohort_cases.fake_python`, which puts the folder with a stored result and its cross-sections in place of FOLDER.
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

FOLDER = Path("@FOLDER@")


def main(words):
    # As the library's own child: "-m MSKSegmentLib", and then the command.
    command, options = words[2], words[3:]
    name = Path(options[options.index("--ct") + 1] if "--ct" in options else options[0]).name.split(".")[0]
    with (FOLDER / "calls.txt").open("a") as calls:
        calls.write(f"{command} {name}\n")
    if command == "import":
        (FOLDER / f"words_{name}").write_text(json.dumps(options))
    (slices if command == "slices" else segment)(name, Path(options[options.index("-o") + 1]))


def segment(name, output):
    kind = name.partition("_")[0]
    first = not (FOLDER / f"met_{name}").exists()
    (FOLDER / f"met_{name}").touch()
    if kind == "refused":
        end("The image is no CT; choose another scan.", 2)
    if kind == "crash" or (kind == "flaky" and first):
        print("a line for the developers", file=sys.stderr)
        end("The program failed unexpectedly (Fault); please report it with the lines above.", 1)
    if kind == "lost" and first:
        os.kill(int(os.environ["MSKSEG_PARENT_PID"]), signal.SIGKILL)
        sys.exit(1)
    held = bytearray(300 << 20) if kind == "huge" else b""
    (FOLDER / f"pid_{name}").write_text(str(os.getpid()))
    while kind in ("slow", "huge") and not (FOLDER / "gate").exists():
        if os.getppid() != int(os.environ["MSKSEG_PARENT_PID"]):
            sys.exit(3)
        time.sleep(0.02 + 0 * len(held))
    if not output.exists():
        shutil.copytree(FOLDER / "result", output)
    end("43 segments found.", 0)


def slices(name, output):
    shutil.copyfile(FOLDER / "slices.parquet", output)
    print((FOLDER / "slices.json").read_text())


def end(message, code):
    print(json.dumps({"stage": "error" if code else "done", "done": 0, "total": 0, "eta_s": 0, "message": message}))
    sys.exit(code)


main(sys.argv[1:])
