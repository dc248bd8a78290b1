"""The archive that results go to and that new studies are asked from: C-STORE and C-ECHO, STOW-RS, QIDO-RS, WADO-RS."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from dicomweb_client import DICOMwebClient
from requests.adapters import HTTPAdapter

from .config import MIB, PollTable, SendTable
from .tls import client_context, fault_of_server, read_credentials

# Warnings of Storage: kept, with some element coerced or ignored.
_KEPT = (0x0000, 0xB000, 0xB006, 0xB007)
_CHUNK = 1 << 16
_HTTPS_PORT = 443
# What an archive says to results that it is sent, and to a question for one study.
_ANSWER_MB = 64
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
        _ask(web_client(table, _ANSWER_MB), table)
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
    _ask(web_client(table, table.instance_mb), table)


def web_client(table: PollTable | SendTable, most_mb: int) -> DICOMwebClient:
    """A DICOMweb client for the address in a table, whose answers have at most so many MiB.

    Raises:
        InputError: a file of credentials or TLS cannot be used.
    """
    session = _BoundedSession(most_mb * MIB)
    session.mount("https://", _TrustingAdapter(_context_of(table)))
    if table.credentials:
        user, secret = read_credentials(table.credentials)
        if user:
            session.auth = (user, secret)
        else:
            session.headers["Authorization"] = f"Bearer {secret}"
    # Nothing from the environment: neither proxies nor passwords of the user's account.
    session.trust_env = False
    client = DICOMwebClient(table.url, session=session, timeout=table.timeout_s)
    # The node tries again by itself, and says meanwhile what is wrong; the client would be silent for a minute.
    client.set_http_retry_params(retry=False)
    return client


def web_fault(error: Exception, table: PollTable | SendTable, what: str) -> str:
    """Why an exchange by DICOMweb failed, as one sentence: what is wrong with TLS, or else `what`."""
    if isinstance(error, requests.exceptions.SSLError):
        address = urlsplit(table.url)
        fault = fault_of_server(_context_of(table), str(address.hostname), address.port or _HTTPS_PORT, table.timeout_s)
        if fault:
            return fault
    return f"{what} ({type(error).__name__})."


def _context_of(table: PollTable | SendTable) -> ssl.SSLContext:
    return client_context(table.certificate, table.key, table.authorities)


class _TrustingAdapter(HTTPAdapter):
    """Connections that rest on a context alone; the library would trust authorities of its own beside it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to add: the context verifies."""


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


def _ask(client: DICOMwebClient, table: PollTable | SendTable) -> None:
    try:
        client.search_for_studies(limit=1)
    except FAILURES as error:
        raise ArchiveError(web_fault(error, table, "The archive does not answer a QIDO-RS query")) from error


def _send_by_web(files: Sequence[Path], table: SendTable) -> None:
    from pydicom import dcmread

    client = web_client(table, _ANSWER_MB)
    for path in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = client.store_instances([dcmread(path)])
        except FAILURES as error:
            raise ArchiveError(web_fault(error, table, "The archive did not take a result by STOW-RS")) from error
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
    context = _context_of(table) if table.tls else None
    tls = (context, table.host) if context else None
    association = entity.associate(table.host, table.port, ae_title=table.ae_title, tls_args=tls)
    if not association.is_established:
        if association.is_rejected:
            raise ArchiveError("The archive rejected this node.")
        fault = fault_of_server(context, table.host, table.port, table.timeout_s) if context else ""
        raise ArchiveError(fault or "The archive cannot be reached.")
    return association


def json_text(answer: Mapping[str, Any], tag: str) -> str:
    """The first value of an element in DICOM's JSON, as text; empty where there is none."""
    values = (answer.get(tag) or {}).get("Value") or [""]
    return str(values[0]) if isinstance(values[0], str | int | float) else ""
