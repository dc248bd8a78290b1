"""Bundles side by side on bodies that they have never seen: mean Dice per structure, and how far each moved from the first bundle.

    mskseg virtual -n 4 -o CASES --seed 60000 --atlas THIRD_BODY --donor ATLAS
    python benchmarks/strangers.py CASES -o OUT --bundles mskseg-virtual RUN/bundle [--samples 5] [--left-out-of vhf]

CASES is any folder for ``mskseg evaluate``; what its ``labelled.json`` leaves out is not counted. ``OUT/<number>`` holds each
bundle's evaluation, which goes on where it stopped. ``--left-out-of BODY`` counts only the patients made of that body: give it
what a bundle was trained without (``mskseg train ... --leave-out BODY``).
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.evaluation.cases import find_labelled_cases
from MSKSegmentLib.evaluation.folder import read_evaluation
from MSKSegmentLib.evaluation.metrics import Outcome
from MSKSegmentLib.evaluation.run import evaluate, folder_tasks, network_segmenter
from MSKSegmentLib.inference.devices import wait_without_spinning

# Two trainings of one recipe differ by so much on one body (training log): less is no difference.
NOISE = 0.015


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--bundles", nargs="+", required=True, metavar="NAME|DIR")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--left-out-of", metavar="BODY")
    options = parser.parse_args()
    wait_without_spinning()
    tasks = folder_tasks(options.cases, HIP_AND_THIGH)
    if options.left_out_of:
        made_of = {
            files.name: json.loads(files.facts.read_text())["body"] for files in find_labelled_cases(options.cases) if files.facts
        }
        tasks = [task for task in tasks if made_of.get(task.name) == options.left_out_of]
    columns = []
    for number, name in enumerate(options.bundles):
        bundle = resolve_bundle(name)
        segmenter = network_segmenter(bundle, options.device, options.samples, options.seed, lambda: None)
        print(f"{number}: {bundle.manifest.name} {bundle.manifest.version} ({bundle.digest[:12]})", flush=True)
        evaluate(
            tasks, segmenter, options.output / str(number), report=lambda line: print("  " + line, flush=True), undisputed=True
        )
        columns.append(_scores(options.output / str(number)))
    _print_table([one[0] for one in columns])
    print("\nWithout borders that atlases draw differently:")
    _print_table([one[1] for one in columns])
    print("\nALL is the mean over structures.")
    print(f"Differences below {NOISE} on one body are noise: compare at least three training seeds.")


def _scores(folder):
    """Abbreviation to the Dice of all its segments, and to that without disputed borders; a missed segment counts 0."""
    found, undisputed = defaultdict(list), defaultdict(list)
    for _, case in read_evaluation(folder):
        for row in case.rows:
            if row.outcome in (Outcome.COMPARED, Outcome.MISSED):
                found[row.segment.structure.abbreviation].append(row.dice or 0.0)
                if row.dice_undisputed is not None:
                    undisputed[row.segment.structure.abbreviation].append(row.dice_undisputed)
    return dict(found), dict(undisputed)


def _print_table(columns):
    names = list(columns[0])
    means = [{name: sum(scores[name]) / len(scores[name]) for name in names} for scores in columns]
    head = ["Structure", "Segments", *map(str, range(len(columns))), *(f"{k} - 0" for k in range(1, len(columns)))]
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for name in [*names, "ALL"]:
        one = [sum(mean.values()) / len(mean) if name == "ALL" else mean[name] for mean in means]
        count = sum(map(len, columns[0].values())) if name == "ALL" else len(columns[0][name])
        moved = [f"{value - one[0]:+.3f}" for value in one[1:]]
        print("| " + " | ".join([name, str(count), *(f"{value:.3f}" for value in one), *moved]) + " |")


if __name__ == "__main__":
    main()
