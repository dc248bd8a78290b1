"""Stands in for the segmentation's child process: the same command line, progress lines, files and exit codes, within a second.

``FAST_ENGINE`` in the environment is a JSON object: ``pause_s`` for each step, ``memory_mb`` to hold, ``fail`` as
``[command, exit code, sentence]``, ``overtaken`` the command whose output another child puts in place first.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

PLAN = json.loads(os.environ.get("FAST_ENGINE", "{}"))
# Not the parent at the start of this process: the node may have been killed before.
PARENT = int(os.environ["MSKSEG_PARENT_PID"])


def pause():
    end = time.monotonic() + PLAN.get("pause_s", 0)
    while time.monotonic() < end:
        if os.getppid() != PARENT:
            sys.exit(3)
        time.sleep(0.02)


def say(stage, done, total, message="", **more):
    print(json.dumps({"stage": stage, "done": done, "total": total, "eta_s": None, "message": message, **more}), flush=True)


def fail_if_planned(command):
    planned, code, message = PLAN.get("fail", ["", 0, ""])
    if planned == command:
        print("A line of a library.", file=sys.stderr)
        print(message, file=sys.stderr)
        sys.exit(code)


def segment(ct, output):
    held = bytearray(PLAN.get("memory_mb", 0) << 20)
    images = sorted(path.stem for path in ct.iterdir())
    for done in range(3):
        say("inference", done, 3)
        pause()
    fail_if_planned("segment")
    for _ in range(2 if PLAN.get("overtaken") == "segment" else 1):
        output.mkdir(parents=True)
        (output / "result.json").write_text(json.dumps({"images": images, "held": len(held)}))
    say("done", 0, 0, "19 of 43 segments found.")


def export(result, output, source):
    from pydicom import dcmread
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    images = json.loads((result / "result.json").read_text())["images"]
    assert images == sorted(path.stem for path in source.iterdir())
    first = dcmread(source / f"{images[0]}.dcm", stop_before_pixels=True)
    partial = output.with_name(f"{output.name}.partial")
    partial.mkdir(exist_ok=True)
    classes = {"segmentation": "66.4", "measurements": "88.33", "report": "104.1"}
    modalities = {"segmentation": "SEG", "measurements": "SR", "report": "DOC"}
    pause()
    fail_if_planned("export")
    for name, kind in classes.items():
        digest = hashlib.sha256(" ".join([name, *images]).encode()).hexdigest()
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = f"1.2.840.10008.5.1.4.1.1.{kind}"
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"2.25.{int(digest[:30], 16)}"
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SeriesInstanceUID, data.Modality = f"2.25.{int(digest[30:60], 16)}", modalities[name]
        data.SeriesDescription, data.SeriesNumber, data.InstanceNumber = f"MSKSegment {name}", 900, 1
        for keyword in ("StudyInstanceUID", "PatientID", "PatientName"):
            setattr(data, keyword, first.get(keyword))
        data.StudyDate = first.get("StudyDate") or ""
        data.save_as(partial / f"{name}.dcm", enforce_file_format=True)
    if PLAN.get("overtaken") == "export":
        shutil.copytree(partial, output)
    partial.rename(output)


def option(words, name):
    return Path(words[words.index(name) + 1])


if __name__ == "__main__":
    # After the options that a Python is given: "-m MSKSegmentLib".
    command, *words = sys.argv[3:]
    if command == "segment":
        segment(Path(words[0]), option(words, "-o"))
    elif command == "report":
        fail_if_planned("report")
        option(words, "-o").write_bytes(b"%PDF-1.7")
    else:
        assert ("--pdf" in words) == PLAN.get("pdf", False)
        export(Path(words[0]), option(words, "--dicom"), option(words, "--source"))
