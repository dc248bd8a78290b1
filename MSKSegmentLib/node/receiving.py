"""The receiving side: C-STORE and C-ECHO from named AE titles."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import Any
from weakref import WeakKeyDictionary

from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from ..errors import InputError
from .bounded_server import BoundedServer, message_ended
from .config import MIB, ReceiveTable
from .keeping import Keeper, Refused
from .tls import server_context

_LOG = logging.getLogger(__name__)
_SUCCESS, _CANNOT_PROCESS = 0x0000, 0x0110
# What the CT reader decodes: uncompressed, and what pydicom decodes without further packages.
_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5")
_LONGEST_COMMENT = 64
_LONGEST_PDU = 1 << 20


class Receiver:
    """Listens until `close`; what came and what was refused is counted in `counts`."""

    def __init__(self, table: ReceiveTable, ae_title: str, keeper: Keeper) -> None:
        """Start listening.

        Raises:
            InputError: the port is taken or may not be used, or a file of TLS cannot.
        """
        self._keeper = keeper
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self._last_refusal = ""
        self._sent_by: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
        # Its own handlers print headers.
        _config.LOG_HANDLER_LEVEL = "none"
        entity = AE(ae_title)
        entity.require_calling_aet = list(table.allowed)
        entity.require_called_aet = True
        entity.maximum_associations = table.connections
        entity.maximum_pdu_size = _LONGEST_PDU
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = table.timeout_s
        # All kinds of images may be offered, so that what is refused has a reason and is not only missing.
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), list(_SYNTAXES))
        entity.add_supported_context(Verification)
        secure = server_context(table.certificate, table.key, table.authorities) if table.certificate else None
        handlers: Any = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_ECHO, self._echo), (evt.EVT_REJECTED, self._rejected)]
        try:
            self._server: Any = entity.make_server(
                (table.host, table.port),
                ssl_context=secure,
                evt_handlers=handlers,
                server_class=BoundedServer,
                connections=table.connections,
                instance_bytes=table.instance_mb * MIB,
                timeout_s=table.timeout_s,
                on_refused=self._refused,
            )
        except OSError as error:
            raise InputError(
                f"The node cannot listen on {table.host}:{table.port} ({error.strerror}); correct receive.host or receive.port."
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="receiver", daemon=True
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still listens."""
        return self._thread.is_alive()

    def open_studies(self) -> set[str]:
        """Studies of which images came over a connection that is still open; one that is silent is closed after a while."""
        with self._lock:
            return {study for association, studies in self._sent_by.items() if association.is_alive() for study in studies}

    def close(self) -> None:
        """Stop listening, and end the associations that are open: what was answered is kept."""
        self._server.end()

    def _store(self, event: Any) -> Any:
        from pydicom.dataset import Dataset

        answer = Dataset()
        answer.Status = _SUCCESS
        try:
            request = event.request
            kind, instance = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
            image = self._keeper.take(event.encoded_dataset(), kind, instance)
            with self._lock:
                self._sent_by.setdefault(event.assoc, set()).add(image.study)
            self._count("images taken")
        except Refused as refusal:
            answer.Status, answer.ErrorComment = refusal.status, refusal.reason[:_LONGEST_COMMENT]
            self._count(refusal.reason)
        except Exception as error:
            # The sender keeps the image and tries again; what went wrong may quote it.
            _LOG.error("An image could not be taken (%s)", type(error).__name__)
            answer.Status = _CANNOT_PROCESS
            self._count("An image could not be taken.")
        finally:
            message_ended(event.assoc)
        return answer

    def _echo(self, event: Any) -> int:
        message_ended(event.assoc)
        return _SUCCESS

    def _rejected(self, event: Any) -> None:
        self._count("An association was rejected: an AE title that is not allowed, or too many at once.")
        _LOG.warning("An association was rejected")

    def _refused(self, reason: str) -> None:
        self._count(reason)
        # One who tries every second is told of once.
        _LOG.log(logging.DEBUG if reason == self._last_refusal else logging.WARNING, "%s", reason)
        self._last_refusal = reason

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1
