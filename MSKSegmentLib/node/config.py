"""What ``node.toml`` says: one record per table, with the defaults; `config_reading` fills them and finds the faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GIB, MIB = 1 << 30, 1 << 20


def bounded(default: Any, least: float, most: float) -> Any:
    """A field whose numbers, alone or in a list, lie between two bounds."""
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True)
class NodeTable:
    """Where the node keeps what it works on, and what it is called."""

    folder: Path
    ae_title: str = "MSKSEG"
    # A study is taken when nothing of it came for so long.
    quiet_s: float = bounded(60.0, 0.1, 86_400)
    # The status page, on this computer alone; 0: none.
    status_port: int = bounded(8044, 0, 65_535)


@dataclass(frozen=True)
class ReceiveTable:
    """Who may send images by C-STORE, and how much at once."""

    allowed: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int = bounded(11112, 1, 65_535)
    connections: int = bounded(4, 1, 64)
    instance_mb: int = bounded(600, 1, 8192)
    timeout_s: float = bounded(30.0, 1, 600)
    certificate: Path | None = None
    key: Path | None = None
    # The authorities whose certificates senders must show.
    authorities: Path | None = None


@dataclass(frozen=True)
class PollTable:
    """Where new studies are asked for by DICOMweb."""

    url: str
    every_s: float = bounded(60.0, 1, 86_400)
    look_back_days: int = bounded(2, 0, 365)
    instance_mb: int = bounded(600, 1, 8192)
    timeout_s: float = bounded(30.0, 1, 600)
    # A file of one line: "user:password", or a token without a colon.
    credentials: Path | None = None
    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class ChooseTable:
    """Which series of a study is segmented. Patterns are as of file names, without regard to case."""

    body_parts: tuple[str, ...] = ()
    body_part_may_be_missing: bool = True
    slice_thickness_mm: tuple[float, ...] = bounded((0.1, 10.0), 0.01, 50)
    slices: tuple[int, ...] = bounded((20, 5000), 1, 100_000)
    descriptions: tuple[str, ...] = ()
    not_descriptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class SegmentTable:
    """How a series is segmented, and what the run may take."""

    # The kind of scan that is taken follows from it; empty: that of the bundle.
    task: str = ""
    bundle: str = ""
    device: str = "auto"
    minutes: float = bounded(120.0, 0.01, 10_000)
    memory_gb: float = bounded(32.0, 0.1, 4096)
    attempts: int = bounded(3, 1, 100)
    # The language of the report that goes along as a PDF; empty: none.
    report: str = "en"


@dataclass(frozen=True)
class SendTable:
    """Where results go: by C-STORE to `ae_title` at `host` and `port`, or by STOW-RS to `url`."""

    url: str = ""
    credentials: Path | None = None
    ae_title: str = ""
    host: str = ""
    port: int = bounded(104, 1, 65_535)
    tls: bool = False
    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    timeout_s: float = bounded(30.0, 1, 600)
    # The first pause after a failure; each is twice the one before.
    pause_s: float = bounded(10.0, 0.1, 3600)
    longest_pause_s: float = bounded(900.0, 0.1, 86_400)
    give_up_hours: float = bounded(72.0, 0.001, 10_000)


@dataclass(frozen=True)
class DiskTable:
    """How much the node's folder may hold, and how long what is finished stays."""

    gb: float = bounded(50.0, 0.001, 1_000_000)
    keep_days: float = bounded(7.0, 0, 3650)

    @property
    def most_bytes(self) -> int:
        """The size of the whole folder."""
        return int(self.gb * GIB)

    @property
    def reserve_bytes(self) -> int:
        """What new images may not take, because results have to be written too."""
        return self.most_bytes // 5


@dataclass(frozen=True)
class Config:
    """All tables; `receive` or `poll` may be absent, not both."""

    node: NodeTable
    receive: ReceiveTable | None
    poll: PollTable | None
    choose: ChooseTable
    segment: SegmentTable
    send: SendTable
    disk: DiskTable

    @property
    def modality(self) -> str:
        """The modality of the scans that the node takes, by the task that the settings or the bundle name."""
        from ..bundle.finding import asked_task

        return asked_task(self.segment.bundle or None, self.segment.task or None).modality
