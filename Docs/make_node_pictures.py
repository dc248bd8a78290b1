"""Make the pictures of the node in Docs/images: ``.venv/bin/python Docs/make_node_pictures.py``

A real archive (Debian's orthanc and orthanc-dicomweb), the node's own command and a real Chromium. The study is a phantom, and its
network a small one with random weights: what is shown is where results go, not what they say.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import requests

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "Docs" / "images"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Python"), str(ROOT / "Testing" / "Python" / "helpers")]

import node_cases  # noqa: E402
from conftest import phantom_hu, write_tiny_bundle  # noqa: E402
from ct_scans import write_dicom  # noqa: E402
from node_cases import store, wait_for_state, write_config, write_study  # noqa: E402
from orthanc import Orthanc  # noqa: E402
from pydicom.uid import generate_uid  # noqa: E402

from MSKSegmentLib.node.config_reading import read_config  # noqa: E402

SIZE = {"width": 1200, "height": 900}


def picture(address: str, name: str) -> None:
    """Save what Chromium shows of an address."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(120_000)
        page.goto(address, wait_until="networkidle")
        page.screenshot(path=IMAGES / name)
        browser.close()


def explorer(archive: Orthanc, study: str) -> str:
    """The address of a study in the archive's own page."""
    query = {"Level": "Study", "Query": {"StudyInstanceUID": study}}
    return (
        f"{archive.url}/app/explorer.html#study?uuid={requests.post(f'{archive.url}/tools/find', json=query, timeout=30).json()[0]}"
    )


def main() -> None:
    """Make them all."""
    # Whole runs, and the report of one.
    node_cases.PATIENCE_S = 1200
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        archive = Orthanc(folder / "archive").start()
        study, hu = generate_uid(), phantom_hu()
        tags = {"StudyInstanceUID": study, "FrameOfReferenceUID": generate_uid(), "StudyDescription": "Hip to knee"}
        tags |= {"SliceThickness": 6.0, "SeriesDescription": "Hip to knee 6.0", "StudyDate": "20260101", "SeriesDate": "20260101"}
        write_dicom(folder / "ct", hu, spacing=(4.0, 4.0), levels=6.0 * np.arange(len(hu)), tags=tags)
        archive.put(folder / "ct")
        segment = {"bundle": str(write_tiny_bundle(folder / "tiny")), "device": "cpu", "report": "en"}
        path = write_config(folder, {"url": archive.web}, segment=segment, disk={"gb": 1}, node={"quiet_s": 2})
        config = read_config(path)
        node = subprocess.Popen([sys.executable, "-m", "MSKSegmentLib", "node", "--config", str(path)], cwd=ROOT)
        try:
            picture(explorer(archive, study), "node_archive_before.png")
            write_study(folder / "mr", 4, {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"})
            few = write_study(folder / "few", 2)
            for place in ("ct", "mr", "few"):
                store(config.receive.port, sorted((folder / place).iterdir()))
            wait_for_state(config, few, "refused")
            wait_for_state(config, study, "done", "failed", "refused")
            picture(explorer(archive, study), "node_archive_after.png")
            picture(f"http://127.0.0.1:{config.node.status_port}/", "node_status.png")
        finally:
            node.terminate()
            node.wait(60)
            archive.stop()


if __name__ == "__main__":
    main()
