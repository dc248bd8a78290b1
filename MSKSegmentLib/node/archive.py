"""The archive that results go to and that new studies are asked from: C-STORE and C-ECHO, STOW-RS, QIDO-RS, WADO-RS."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from dicomweb_client import DICOMwebClient

from .config import MIB, PollTable, SendTable
from .tls import client_context, read_credentials

# Warnings of Storage: kept, with some element coerced or ignored.
_KEPT = (0x0000, 0xB000, 0xB006, 0xB007)
_CHUNK = 1 << 16
# What a DICOMweb client raises when the archive is away or answers nonsense.
FAILURES: tuple[type[Exception], ...] = (requests.RequestException, ValueError, KeyError, TypeError, AttributeError, OSError)


class ArchiveError(Exception):
    """The archive did not do what was asked; the sentence quotes nothing that it said about a study."""


def send(files: Sequence[Path], table: SendTable, own_title: str) -> None:
    """Store DICOM files in the archive; one that is there already stays one.

    Raises:
        ArchiveError: not all of them are there.
        InputError: a file of credentials or TLS cannot be used.
    """
    if table.url:
        _send_by_web(files, table)
    else:
        _send_by_store(files, table, own_title)


def echo(table: SendTable, own_title: str) -> None:
    """Ask the archive that results go to whether it is there.

    Raises:
        ArchiveError: it is not, or refuses this node.
        InputError: a file of credentials or TLS cannot be used.
    """
    if table.url:
        _ask(web_client(table.url, table.credentials, table.authorities, table.timeout_s), 1)
        return
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

    association = _associated(table, own_title, [(str(Verification), None)])
    try:
        status = association.send_c_echo()
        if not status or status.Status != 0:
            raise ArchiveError("The archive did not answer a C-ECHO with success.")
    finally:
        association.release()


def echo_poll(table: PollTable) -> None:
    """Ask the archive that studies come from whether it answers a query.

    Raises:
        ArchiveError: it does not.
        InputError: a file of credentials or TLS cannot be used.
    """
    _ask(poll_client(table), 1)


def poll_client(table: PollTable) -> DICOMwebClient:
    """A client for the archive that studies come from.

    Raises:
        InputError: a file of credentials or TLS cannot be used.
    """
    return web_client(table.url, table.credentials, table.authorities, table.timeout_s, table.instance_mb * MIB)


def web_client(
    url: str, credentials: Path | None, authorities: Path | None, timeout_s: float, most_bytes: int = 64 * MIB
) -> DICOMwebClient:
    """A DICOMweb client whose answers have at most `most_bytes`.

    Raises:
        InputError: a file of credentials cannot be used.
    """
    session = _BoundedSession(most_bytes)
    if credentials:
        user, secret = read_credentials(credentials)
        if user:
            session.auth = (user, secret)
        else:
            session.headers["Authorization"] = f"Bearer {secret}"
    # Nothing from the environment: neither proxies nor passwords of the user's account.
    session.trust_env = False
    session.verify = str(authorities) if authorities else True
    return DICOMwebClient(url, session=session, timeout=timeout_s)


class _BoundedSession(requests.Session):
    """Reads every answer to its end or to a limit, and follows no redirection to another host with the password."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes
        self.max_redirects = 3

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        response = super().send(request, **(options | {"stream": True}))
        content = bytearray()
        for part in response.iter_content(_CHUNK):
            content += part
            if len(content) > self._most_bytes:
                response.close()
                raise requests.ConnectionError("The answer is too large.")
        response._content = bytes(content)
        return response


def _ask(client: DICOMwebClient, most: int) -> None:
    try:
        client.search_for_studies(limit=most)
    except FAILURES as error:
        raise ArchiveError(f"The archive does not answer a QIDO-RS query ({type(error).__name__}).") from error


def _send_by_web(files: Sequence[Path], table: SendTable) -> None:
    from pydicom import dcmread

    client = web_client(table.url, table.credentials, table.authorities, table.timeout_s)
    for path in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = client.store_instances([dcmread(path)])
        except FAILURES as error:
            raise ArchiveError(f"The archive did not take a result by STOW-RS ({type(error).__name__}).") from error
        if answer.get("FailedSOPSequence"):
            raise ArchiveError("The archive refused a result by STOW-RS.")


def _send_by_store(files: Sequence[Path], table: SendTable, own_title: str) -> None:
    association = _associated(table, own_title, list(dict.fromkeys(_kinds(files))))
    try:
        for path in files:
            try:
                status = association.send_c_store(path)
            except (ValueError, RuntimeError, AttributeError) as error:
                raise ArchiveError(f"The archive takes no results of one of their kinds ({type(error).__name__}).") from error
            if not status:
                raise ArchiveError("The archive closed the connection before it had taken all results.")
            if status.Status not in _KEPT:
                raise ArchiveError(f"The archive refused a result with status 0x{status.Status:04X}.")
    finally:
        association.release()


def _kinds(files: Sequence[Path]) -> Iterator[tuple[str, str | None]]:
    from pydicom import filereader

    for path in files:
        meta: Any = filereader.read_file_meta_info(path)
        yield str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


def _associated(table: SendTable, own_title: str, kinds: Sequence[tuple[str, str | None]]) -> Any:
    from pynetdicom import AE, _config

    _config.LOG_HANDLER_LEVEL = "none"
    entity = AE(own_title)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = table.timeout_s
    for kind, syntax in kinds:
        entity.add_requested_context(kind, *([syntax] if syntax else []))
    tls = (client_context(table.certificate, table.key, table.authorities), table.host) if table.tls else None
    association = entity.associate(table.host, table.port, ae_title=table.ae_title, tls_args=tls)
    if not association.is_established:
        what = "rejected this node" if association.is_rejected else "cannot be reached"
        raise ArchiveError(f"The archive {what}.")
    return association


def json_text(answer: Mapping[str, Any], tag: str) -> str:
    """The first value of an element in DICOM's JSON, as text; empty where there is none."""
    values = (answer.get(tag) or {}).get("Value") or [""]
    return str(values[0]) if isinstance(values[0], str | int | float) else ""
