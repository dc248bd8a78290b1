"""pynetdicom's server with bounds: on connections, on the bytes of a message, on the time that a silent peer is waited for."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from socketserver import TCPServer
from typing import Any

from pynetdicom.transport import ThreadedAssociationServer

from .tls import fault_of_sender

_LOG = logging.getLogger(__name__)
# Commands and negotiation come on top of an image.
_SLACK_BYTES = 1 << 20


class _Bounded:
    """Ends a connection that brought more bytes than a message may have before anything was answered."""

    most_bytes: int = 0
    taken_bytes: int = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        data: bytes = super().recv(size, flags)  # type: ignore[misc]
        self.taken_bytes += len(data)
        if self.taken_bytes > self.most_bytes:
            raise OSError("a message is larger than receive.instance_mb allows")
        return data


class _PlainSocket(_Bounded, socket.socket):
    def do_handshake(self) -> None:
        """Nothing has to be agreed on."""


class _TlsSocket(_Bounded, ssl.SSLSocket):  # type: ignore[misc]
    pass


class BoundedServer(ThreadedAssociationServer):
    """Each connection is a thread; the association's own limit rejects politely, and twice as many are closed at once."""

    daemon_threads = True

    def __init__(
        self,
        *arguments: Any,
        connections: int,
        instance_bytes: int,
        timeout_s: float,
        on_refused: Callable[[str], None],
        **options: Any,
    ) -> None:
        self._on_refused = on_refused
        self._beginning: set[Any] = set()
        self._connections, self._most_bytes, self._timeout_s = 2 * connections, instance_bytes + _SLACK_BYTES, timeout_s
        super().__init__(*arguments, **options)
        if self.ssl_context:
            self.ssl_context.sslsocket_class = _TlsSocket

    def end(self) -> None:
        """Stop listening and end all connections. The library's own `shutdown` is for servers that its AE keeps a list of."""
        TCPServer.shutdown(self)
        self.server_close()
        for request in tuple(self._beginning):
            self.shutdown_request(request)
        for association in self.active_associations:
            association.abort()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection. The handshake of TLS waits for the connection's own thread: here it would hold up all others."""
        assert self.socket is not None
        accepted, address = self.socket.accept()
        accepted.settimeout(self._timeout_s)
        if self.ssl_context:
            client: Any = self.ssl_context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        else:
            client = _PlainSocket(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
            client.settimeout(self._timeout_s)
        client.most_bytes = self._most_bytes
        return client, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is a place for one more."""
        return len(self.active_associations) + len(self._beginning) < self._connections

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a connection in a thread of its own; it counts as one from now on, also while TLS is not agreed on."""
        self._beginning.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Agree on TLS before the association's own thread begins, which would not tell why that failed."""
        try:
            request.do_handshake()
            super().process_request_thread(request, client_address)
        except OSError as error:
            self._on_refused(fault_of_sender(error))
            self.shutdown_request(request)
        finally:
            self._beginning.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say that a connection failed; a traceback might quote what came over it."""
        _LOG.warning("A connection failed before its association began")


def message_ended(association: Any) -> None:
    """The message is dealt with: what comes now belongs to the next one."""
    connection = association.dul.socket.socket if association.dul.socket else None
    if isinstance(connection, _Bounded):
        connection.taken_bytes = 0
