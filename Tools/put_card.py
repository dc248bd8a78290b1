"""Put Docs/model_card.md into the bundle that comes with the software, whose manifest then has the card's new checksum.

    python Tools/put_card.py

Network, calibration and version stay. The bundle is verified before and after.
"""

import os
import tempfile
from pathlib import Path

from MSKSegmentLib.bundle import bundle_folder, load_bundle, verify_bundle
from MSKSegmentLib.bundle.store import MANIFEST_FILE, MODEL_CARD_FILE
from MSKSegmentLib.bundle.updating import update_card

CARD = Path(__file__).resolve().parents[1] / "Docs" / "model_card.md"


def main() -> None:
    """Replace card and manifest; the other files have to come out as they were."""
    bundle = load_bundle(bundle_folder("mskseg-virtual"))
    with tempfile.TemporaryDirectory(dir=bundle.folder.parent, prefix=".") as scratch:
        new = update_card(bundle, CARD.read_text(encoding="utf-8"), Path(scratch) / bundle.folder.name)
        kept, new_files = ({**one.manifest.files, MODEL_CARD_FILE: ""} for one in (bundle, new))
        assert kept == new_files, "files other than the card would change"
        for name in (MODEL_CARD_FILE, MANIFEST_FILE):
            os.replace(new.folder / name, bundle.folder / name)
    problems = verify_bundle(bundle.folder)
    print("\n".join(problems) or f"{bundle.manifest.name} {bundle.manifest.version} has the card of {CARD.name} and is whole.")


if __name__ == "__main__":
    main()
