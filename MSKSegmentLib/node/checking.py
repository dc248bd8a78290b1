"""``mskseg node --check``: whether a configuration can be used, and whether its peers answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from ..errors import InputError, MSKSegmentError
from ..report.pdf import check_pdf
from .archive import ArchiveError, echo, echo_poll
from .config import Config
from .files import QUEUE_FILE
from .queue import StudyQueue
from .service import keep_headers_out_of_the_log
from .tls import server_context


def check_node(config: Config) -> list[tuple[str, str]]:
    """Ask the bundle, the certificates and the peers; gives (what, what is wrong with it), the latter empty where all is well."""
    from ..bundle import resolve_bundle

    keep_headers_out_of_the_log()
    receive, poll, send, segment = config.receive, config.poll, config.send, config.segment
    checks: list[tuple[str, Callable[[], object]]] = [
        ("Model bundle", lambda: resolve_bundle(segment.bundle or None, segment.task or None))
    ]
    if receive and receive.certificate:
        certificate = receive.certificate
        checks.append(("Certificate for receiving", lambda: server_context(certificate, receive.key, receive.authorities)))
    if poll:
        checks.append((f"Studies from {poll.url}", lambda: echo_poll(poll)))
    if segment.report:
        checks.append(("Report that goes along", lambda: check_pdf(segment.report)))
    where = send.url or f"{send.ae_title} at {send.host}:{send.port}"
    checks.append((f"Results to {where}", lambda: echo(send, config.node.ae_title)))
    return [(what, _fault(check)) for what, check in checks]


def try_again(config: Config) -> int:
    """Have refused and failed studies tried again, by a node that runs or by the next one; how many there are.

    Raises:
        InputError: there is no queue yet, or it is damaged.
    """
    path = config.node.folder / QUEUE_FILE
    if not path.is_file():
        raise InputError("There is no queue in the folder that node.folder names: no node has run with it.")
    try:
        queue = StudyQueue(path, keep_damaged=True)
    except sqlite3.DatabaseError as error:
        raise InputError("The queue is damaged: start the node, which builds it again.") from error
    try:
        return queue.again()
    finally:
        queue.close()


def _fault(check: Callable[[], object]) -> str:
    try:
        check()
    except (ArchiveError, MSKSegmentError) as error:
        return str(error)
    return ""
