"""Inject faults into a node beside a real archive, and print what became of the studies: python Tools/node_faults.py

Needs Debian's orthanc and orthanc-dicomweb. The segmentation is a stand-in that takes a second; all else is the node as it runs.
A sender repeats what was not acknowledged, as archives do. "Lost" studies have no result in the archive at the end, "doubled"
ones more than one.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Python" / "helpers")]

from node_cases import (  # noqa: E402
    RESULTS,
    NodeProcess,
    launcher,
    store,
    wait_for,
    wait_for_state,
    write_config,
    write_study,
)
from orthanc import Orthanc  # noqa: E402

STEP_S = 0.4


class Bench:
    """An archive and a node, and one study after the other."""

    def __init__(self, folder: Path, archive: Orthanc) -> None:
        self.archive, self.folder = archive, folder
        folder.mkdir()
        send = {"ae_title": archive.title, "host": "127.0.0.1", "port": archive.dicom, "give_up_hours": 1}
        self.path = write_config(folder, send, segment={"attempts": 5}, node={"quiet_s": 1.5})
        self.node = NodeProcess(self.path, launcher(folder), {"pause_s": STEP_S}).start().listens()
        self.studies: list[str] = []

    def make(self) -> tuple[str, list[Path]]:
        """A new study: its UID and its files."""
        place = self.folder / f"ct{len(self.studies)}"
        self.studies.append(write_study(place))
        return self.studies[-1], sorted(place.iterdir())

    def send(self, files: list[Path]) -> None:
        """Send until all is acknowledged."""
        left = files
        while left:
            statuses = store(self.node.config.receive.port, left)
            left = [path for path, status in zip(left, statuses, strict=True) if status != 0]
            if left:
                time.sleep(0.2)

    def restart(self) -> None:
        """Kill the node, and start it again."""
        self.node.kill()
        self.node.start().listens()


def while_receiving(bench: Bench) -> None:
    """Kill between two images; the sender begins again."""
    _, files = bench.make()
    store(bench.node.config.receive.port, files[:3])
    bench.restart()
    bench.send(files)


def after_receiving(bench: Bench) -> None:
    """Kill when all was acknowledged."""
    _, files = bench.make()
    bench.send(files)
    bench.restart()


def at(state: str, wait_s: float = 0.0) -> Callable[[Bench], None]:
    """Kill so long after the study came to a state."""

    def fault(bench: Bench) -> None:
        study, files = bench.make()
        bench.send(files)
        wait_for_state(bench.node.config, study, state)
        time.sleep(wait_s)
        bench.restart()

    return fault


def while_sending(objects: int) -> Callable[[Bench], None]:
    """Kill when so many objects are in the archive."""

    def fault(bench: Bench) -> None:
        study, files = bench.make()
        bench.send(files)
        wait_for(lambda: sum(bench.archive.modalities(study).values()) >= objects, "no result came")
        bench.restart()

    return fault


def with_the_archive_away(bench: Bench) -> None:
    """Kill while results wait for the archive."""
    study, files = bench.make()
    bench.archive.stop()
    try:
        bench.send(files)
        wait_for_state(bench.node.config, study, "sending")
        bench.restart()
    finally:
        bench.archive.start()


def again_and_again(bench: Bench) -> None:
    """Kill at random moments."""
    _, files = bench.make()
    bench.send(files)
    chance = random.Random(16)
    for _ in range(5):
        time.sleep(chance.uniform(0.0, 3.0))
        bench.restart()


def damaged(change: Callable[[bytes], bytes]) -> Callable[[Bench], None]:
    """The queue's file, once with a study that is done and one that waits."""

    def fault(bench: Bench) -> None:
        study, files = bench.make()
        bench.send(files)
        wait_for_state(bench.node.config, study, "done")
        bench.send(bench.make()[1])
        bench.node.kill()
        queue = bench.node.config.node.folder / "queue.sqlite"
        for ending in ("-wal", "-shm"):
            queue.with_name(queue.name + ending).unlink(missing_ok=True)
        queue.write_bytes(change(queue.read_bytes()))
        bench.node.start().listens()

    return fault


def without_its_journal(bench: Bench) -> None:
    """Cut what was committed last."""
    bench.send(bench.make()[1])
    bench.node.kill()
    journal = bench.node.config.node.folder / "queue.sqlite-wal"
    content = journal.read_bytes()
    journal.write_bytes(content[: len(content) // 2])
    bench.node.start().listens()


def two_at_once(bench: Bench) -> None:
    """Images of two studies by turns."""
    (_, one), (_, two) = bench.make(), bench.make()
    for first, second in zip(one, two, strict=True):
        bench.send([first, second])


def in_pieces(bench: Bench) -> None:
    """Pieces that come while the node still waits for them are one study."""
    _, files = bench.make()
    for path in files:
        bench.send([path])


def sent_twice(bench: Bench) -> None:
    """As an archive does whose operator clicks again."""
    study, files = bench.make()
    bench.send(files)
    wait_for_state(bench.node.config, study, "done")
    bench.send(files)


FAULTS: dict[str, Callable[[Bench], None]] = {
    "killed when half of the study had come": while_receiving,
    "killed when all had come, before it was taken": after_receiving,
    "killed when it was ready": at("ready"),
    "killed when the segmentation began": at("segmenting"),
    "killed in the middle of the segmentation": at("segmenting", 2 * STEP_S),
    "killed when the DICOM objects were begun": at("results"),
    "killed while they were written": at("results", STEP_S),
    "killed when the first object was in the archive": while_sending(1),
    "killed when all objects were in the archive": while_sending(3),
    "killed right after the study was done": at("done"),
    "killed while the archive was away": with_the_archive_away,
    "killed five times at random moments": again_and_again,
    "queue file cut to two thirds, one study done, one waiting": damaged(lambda content: content[: 2 * len(content) // 3]),
    "queue file overwritten with zeros": damaged(lambda content: bytes(len(content))),
    "queue file gone": damaged(lambda content: b""),
    "journal of the queue cut in half": without_its_journal,
    "two studies at once, image by image": two_at_once,
    "a study in six pieces": in_pieces,
    "the whole study sent twice": sent_twice,
}


def main() -> int:
    """Print the table; the exit code is 1 where a study was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only faults whose name holds this")
    chosen = parser.parse_args().only
    bad = 0
    with tempfile.TemporaryDirectory() as work:
        archive = Orthanc(Path(work) / "archive").start()
        try:
            print("| Fault | Studies | Lost | Doubled |\n|---|---:|---:|---:|")
            for number, (name, fault) in enumerate(FAULTS.items()):
                if chosen not in name:
                    continue
                bench = Bench(Path(work) / str(number), archive)
                try:
                    fault(bench)
                    for study in bench.studies:
                        wait_for_state(bench.node.config, study, "done")
                    found = [archive.modalities(study) for study in bench.studies]
                finally:
                    bench.node.stop()
                lost = sum(any(not one.get(kind) for kind in RESULTS) for one in found)
                doubled = sum(any(count > 1 for count in one.values()) for one in found)
                bad += lost + doubled
                print(f"| {name} | {len(found)} | {lost} | {doubled} |", flush=True)
        finally:
            archive.stop()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
