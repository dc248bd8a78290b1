"""Stands in for ``mm_segment``, ``TotalSegmentator`` and ``nnUNetv2_predict_from_modelfolder``: takes what they document alone.

Called as ``fake_programs.py PROGRAM ARGUMENTS...``. ``FAKE_PROGRAM`` in the environment is a JSON object: ``do`` is "segment"
(write the label map ``labels``, whose grid must be that of the CT that was handed over) or one of the ways to go wrong, ``note`` a
file for process numbers and variables.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PLAN = json.loads(os.environ["FAKE_PROGRAM"])


class Strict(argparse.ArgumentParser):
    def __init__(self, program):
        super().__init__(program, allow_abbrev=False)


def mm_segment(words):
    parser = Strict("mm_segment")
    parser.add_argument("-i", "--input_image", required=True)
    parser.add_argument("-r", "--region", default="wholebody", choices=["wholebody", "abdomen", "pelvis", "thigh", "leg"])
    parser.add_argument("-o", "--output_dir")
    parser.add_argument("-m", "--model")
    parser.add_argument("--model_version", default="latest")
    parser.add_argument("-g", "--use_GPU", default="Y", choices=["Y", "N"])
    parser.add_argument("-s", "--overlap", default=90, type=float)
    parser.add_argument("-c", "--chunk_size", default="auto")
    given = parser.parse_args(words)
    if "," in given.input_image:
        parser.error("several images")
    image, folder = nifti(parser, given.input_image), Path(given.output_dir or ".")
    if not folder.is_dir():
        parser.error("no output folder")
    if given.model_version not in ("latest", "1.3", "1.10"):
        parser.error("no such version")
    # Errors of single images end in its log alone, and not in its exit code.
    segment(image, folder / image.name.replace(".nii.gz", "_dseg.nii.gz"), fails=0)


def total_segmentator(words):
    parser = Strict("TotalSegmentator")
    parser.add_argument("-i", dest="input", required=True)
    parser.add_argument("-o", dest="output", required=True)
    parser.add_argument("-ml", "--ml", action="store_true")
    parser.add_argument("-ta", "--task", default="total", choices=["total", "body", "appendicular_bones"])
    parser.add_argument("-f", "--fast", action="store_true")
    parser.add_argument("-d", "--device", default="gpu", choices=["gpu", "cpu", "mps"])
    given = parser.parse_args(words)
    settings = json.loads((Path(os.environ["TOTALSEG_HOME_DIR"]) / "config.json").read_text())
    if settings["send_usage_stats"] or settings["prediction_counter"] or "totalseg_id" not in settings:
        sys.exit("It would have sent something.")
    if not any(Path(os.environ["TOTALSEG_WEIGHTS_PATH"]).glob("Dataset29*")):
        sys.exit("It would have downloaded something.")
    output = Path(given.output)
    if not given.ml or not output.name.endswith(".nii.gz"):
        parser.error("a file is written with --ml alone")
    segment(nifti(parser, given.input), output)


def nnunet(words):
    parser = Strict("nnUNetv2_predict_from_modelfolder")
    for name in ("-i", "-o", "-m"):
        parser.add_argument(name, required=True)
    parser.add_argument("-f", nargs="+", default=["0", "1", "2", "3", "4"])
    parser.add_argument("-step_size", type=float, default=0.5)
    parser.add_argument("--disable_tta", action="store_true")
    parser.add_argument("-chk", default="checkpoint_final.pth")
    parser.add_argument("-npp", type=int, default=3)
    parser.add_argument("-nps", type=int, default=3)
    parser.add_argument("-device", default="cuda", choices=["cuda", "cpu", "mps"])
    given = parser.parse_args(words)
    model = Path(given.m)
    ending = json.loads((model / "dataset.json").read_text())["file_ending"]
    for needed in (model / "plans.json", *(model / f"fold_{fold}" / given.chk for fold in given.f)):
        if not needed.is_file():
            parser.error(f"{needed.name} is missing")
    cases = list(Path(given.i).iterdir())
    if len(cases) != 1 or not cases[0].name.endswith(f"_0000{ending}"):
        parser.error("a case is called NAME_0000 and the ending of the training")
    Path(given.o).mkdir(exist_ok=True)
    segment(cases[0], Path(given.o) / cases[0].name.replace(f"_0000{ending}", ending))


def nifti(parser, name):
    path = Path(name)
    if not path.is_file() or not path.name.endswith((".nii", ".nii.gz")):
        parser.error(f"{name} is no NIfTI file")
    return path


def note(**facts):
    with Path(PLAN["note"]).open("a") as file:
        file.write(json.dumps(facts) + "\n")


def segment(ct, written, fails=3):
    kind = PLAN["do"]
    if kind == "hang":
        # Deaf, with a helper that is deaf as well.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        helper = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        note(pids=[os.getpid(), helper.pid])
        time.sleep(600)
    if kind == "bars":
        # Until the one who waits has seen it.
        print("Predicting:\r 37%|###7      | 3/8\r", end="", file=sys.stderr, flush=True)
        while not Path(PLAN["note"]).is_file():
            time.sleep(0.02)
    if kind == "fail":
        print("Loading the model.")
        print("Traceback (most recent call last):\n  File ...\nRuntimeError: the weights are damaged.", file=sys.stderr)
        sys.exit(fails)
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "nothing":
        print("Error processing the image: no slices.")
        return
    import SimpleITK as sitk

    image, labels = sitk.ReadImage(str(ct)), sitk.ReadImage(PLAN["labels"])
    assert image.GetSize() == labels.GetSize() and image.GetPixelID() == sitk.sitkInt16
    for get in (sitk.Image.GetSpacing, sitk.Image.GetOrigin, sitk.Image.GetDirection):
        assert max(abs(a - b) for a, b in zip(get(image), get(labels), strict=True)) < 1e-3, "the CT is on another grid"
    if kind == "wrong grid":
        sitk.WriteImage(sitk.BinShrink(labels, [2, 2, 1]), str(written))
    else:
        shutil.copyfile(PLAN["labels"], written)
    note(home=os.environ.get("PYTHONHOME"), python_path=os.environ.get("PYTHONPATH"), arguments=sys.argv[2:])


if __name__ == "__main__":
    programs = {"mm_segment": mm_segment, "TotalSegmentator": total_segmentator, "nnUNetv2_predict_from_modelfolder": nnunet}
    programs[sys.argv[1]](sys.argv[2:])
