"""The commands of ``mskseg``: one line each. Their modules are imported when they are called."""

from __future__ import annotations

from collections.abc import Mapping

# Name -> what `mskseg --help` says. The command NAME is the object `command` of the module `commands/NAME.py` (``_`` for ``-``), or
# of the module that `MODULES` names where NAME is a word of Python.
COMMANDS: Mapping[str, str] = {
    "segment": "segment a CT, measure it and say what can be trusted",
    "check": "say whether a CT can be used, without segmenting it",
    "measure": "measure an existing segmentation",
    "import": "take a segmentation of another program as a result",
    "rate": "judge an imported or corrected result",
    "cohort": "segment many scans into one study, with tables and a report",
    "compare": "say what changed between results of one patient",
    "agreement": "where two results of one CT differ; take from the other",
    "reference": "percentile curves of a site's own cohort",
    "slices": "cross-sections of a result per slice and anatomical level",
    "femur": "bone mineral density and volume of the proximal femora",
    "export": "write a result as DICOM: segmentation, report, uncertainty",
    "models": "the models there are: bundles and those of others",
    "devices": "the computing device, and what a run would take on it",
    "review": "review results in the browser, or segment a CT there first",
    "report": "write a report of a result for people, as HTML and PDF",
    "node": "receive CT from a PACS, segment it, and send the results back",
    "task": "the tasks there are: what is segmented in which kind of scan",
    "bundle": "model bundles",
    "virtual": "make virtual patients: simulated CT with true labels",
    "train": "train a network as a recipe says, and resume where it stopped",
    "sparse": "train on single annotated slices: propose, take, train",
    "choose": "what to review next, so that a network learns most from it",
    "learn": "fine-tune a bundle on corrections, and publish it if better",
    "adapt": "bring a bundle to the scanners of a site, without labels",
    "calibrate": "learn a bundle's lights from cases with true labels",
    "evaluate": "compare segmentations with true labels: tables and plots",
    "study": "the statistics of the paper on evaluations",
    "realism": "compare real scans with virtual patients: tables and pictures",
    "completion": "print the script that completes commands in a shell",
}

MODULES: Mapping[str, str] = {"import": "import_masks"}
