"""What `mskseg devices` promises for a CT, and what a run then takes.

    python benchmarks/estimate.py CT [--samples T]

Prints both times and memories. The difference between run time and inference time, and between memory and that of the
timing alone, over scans of several sizes, gives the constants in `MSKSegmentLib/inference/estimate.py`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ct")
    parser.add_argument("--samples", help="passes of every slice (default: as the bundle says)")
    options = parser.parse_args()
    command = [sys.executable, "-m", "MSKSegmentLib"]
    samples = [] if options.samples is None else ["--samples", options.samples]
    asked = [*command, "devices", "--ct", options.ct, *samples, "--json"]
    promised = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        run = [*command, "segment", options.ct, "-o", str(out), *samples, "--progress", "none"]
        began = time.perf_counter()
        process = subprocess.Popen(run, stdout=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:
            try:
                peak = max(peak, psutil.Process(process.pid).memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.05)
        process.wait()
        seconds = time.perf_counter() - began
        provenance = json.loads((out / "result.json").read_text(encoding="utf-8"))["provenance"]
    x, y, z = promised["size"]
    print(f"{x} x {y} x {z} = {x * y * z / 1e6:.0f} million voxels, {promised['passes']} passes, {promised['message']}")
    inference = provenance["seconds"]["inference"]
    print(f"time    promised {promised['seconds']:.0f} s, taken {seconds:.0f} s, of it inference {inference:.0f} s")
    print(f"memory  promised {promised['memory_bytes'] / 2**30:.2f} GB, peak {peak / 2**30:.2f} GB")


if __name__ == "__main__":
    main()
