#!/bin/sh
# Train the bundled preset on a machine with one GPU, within a time limit:
#   Tools/train_on_gpu.sh OUT [--minutes 25] [any option of "mskseg train", such as --patients DIR, --atlas DIR or --pairs DIR]
# OUT receives checkpoints, curves and, at the end, the bundle. Started again with the same OUT it goes on with the rest of the
# schedule. PYTHON names the interpreter (default: .venv/bin/python, else python3), RECIPE another preset or file, WORKERS the
# processes that make slices (default: the machine's cores less two).
set -eu

[ $# -ge 1 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
out=$1
shift
limited=no
for word in "$@"; do case $word in --minutes|--minutes=*) limited=yes ;; esac; done
[ $limited = yes ] || set -- --minutes 25 "$@"

root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  [ ! -x "$root/.venv/bin/python" ] || PYTHON=$root/.venv/bin/python
fi
missing=$("$PYTHON" - <<'CHECK'
from importlib.util import find_spec
names = {"torch": "torch", "monai": "monai", "matplotlib": "matplotlib", "SimpleITK": "SimpleITK", "scipy": "scipy",
         "safetensors": "safetensors", "skimage": "scikit-image", "psutil": "psutil", "cc3d": "connected-components-3d"}
print(*(package for module, package in names.items() if find_spec(module) is None))
CHECK
)
if [ -n "$missing" ]; then
  echo "Python lacks $missing; install with: $PYTHON -m pip install $missing" >&2
  exit 2
fi
cores=$("$PYTHON" -c 'import os; print(max(1, min(24, (os.cpu_count() or 3) - 2)))')

# Slices are made by processes of one thread each; more threads would only wait for each other.
export OMP_NUM_THREADS=1
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec "$PYTHON" -m MSKSegmentLib train "${RECIPE:-bundled}" -o "$out" --device cuda --workers "${WORKERS:-$cores}" "$@"
