"""Structures that were missed altogether: how many of those taken out of true labels are expected, and how many that are not there.

    mskseg virtual -n 8 -o CASES --seed 31000 --atlas ATLAS
    python benchmarks/missed.py CASES [--windows 8] [--bundle NAME|DIR]

Each case's labels are cut to random runs of slices, as scans of a part of the body; no network runs. In each, every segment that is
there is taken out in turn (it should be expected where a bone beside it is whole), and those that are not there should not be.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.ct import read_labels
from MSKSegmentLib.evaluation.cases import find_labelled_cases
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.missed import expected_volumes
from MSKSegmentLib.quality.plausibility import placements

SHORTEST_MM = 90.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--windows", type=int, default=8, help="runs of slices of each case, beside the whole scan")
    parser.add_argument("--bundle", default="mskseg-virtual")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    reference = Calibration.from_json(resolve_bundle(options.bundle).calibration).reference
    rng, counts = np.random.default_rng(options.seed), Counter()
    for files in find_labelled_cases(options.cases):
        labels, geometry = read_labels(files.labels, HIP_AND_THIGH)
        depth, count = len(labels), 0
        windows = [(0, depth)]
        while len(windows) <= options.windows:
            first, stop = sorted(int(k) for k in rng.integers(0, depth + 1, 2))
            if (stop - first) * geometry.spacing[2] >= SHORTEST_MM:
                windows.append((first, stop))
        for first, stop in windows:
            part = geometry.cropped((0, 0, first), (*geometry.size[:2], stop - first))
            count += _count(labels[first:stop], part, reference, counts)
        print(f"{files.name}: {count} segments in {len(windows)} windows", flush=True)
    print(f"not there: {counts['false']} of {counts['absent']} expected")
    for name in ("whole, beside a whole bone", "whole, beside none", "cut"):
        print(f"taken out, {name}: {counts[name, True]} of {counts[name, True] + counts[name, False]} expected")


def _count(labels, geometry, reference, counts):
    cut = {int(label) for label in np.union1d(labels[0], labels[-1])} - {0}
    placed = placements(labels, geometry, cut)
    counts["false"] += len(expected_volumes(placed, reference, HIP_AND_THIGH, geometry))
    counts["absent"] += len(HIP_AND_THIGH.segments) - len(placed)
    for label, one in placed.items():
        rest = {other: value for other, value in placed.items() if other != label}
        expected = label in expected_volumes(rest, reference, HIP_AND_THIGH, geometry)
        bones = [value for other, value in rest.items() if other % 100 in (1, 2) and (other > 100) == (label > 100) and value.whole]
        name = "cut" if not one.whole else "whole, beside a whole bone" if bones else "whole, beside none"
        counts[name, expected] += 1
    return len(placed)


if __name__ == "__main__":
    main()
