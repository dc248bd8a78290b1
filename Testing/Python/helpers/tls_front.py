"""What a reverse proxy does for an archive: ends TLS before it. Debian's Orthanc 1.10.1 dies of its first https connection."""

import select
import socket
import ssl
import threading


class TlsFront:
    """Listens on a free port of this computer and passes on to `target` what comes; `certificate` may be replaced meanwhile.

    With an `authority` clients must show a certificate of its.
    """

    def __init__(self, certificate, target, authority=None):
        self._authority = authority
        self.certificate, self._target, self._open = certificate, ("127.0.0.1", target), set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Also the connections that clients keep for later, for which the archive would wait at its end."""
        self._server.close()
        for client in tuple(self._open):
            client.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.certificate, self.certificate.key)
        if self._authority:
            context.load_verify_locations(self._authority.file)
            context.verify_mode = ssl.CERT_REQUIRED
        try:
            with context.wrap_socket(client, server_side=True) as secure, socket.create_connection(self._target, 60) as plain:
                self._open.add(plain)
                _pass_on(secure, plain)
                self._open.discard(plain)
        except OSError:
            # Clients that do not trust it leave.
            return


def _pass_on(secure, plain):
    """Bytes in both directions until one side ends."""
    while True:
        ready = [secure] if secure.pending() else select.select([secure, plain], [], [], 60)[0]
        for one in ready:
            data = one.recv(1 << 16)
            if not data:
                return
            (plain if one is secure else secure).sendall(data)
        if not ready:
            return
