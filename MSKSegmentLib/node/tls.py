"""TLS contexts and credentials from the files that the configuration names, and why a peer's TLS is refused."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from ..errors import InputError

_LONGEST_CREDENTIALS = 4096
# A server that refuses this node's certificate says so after the handshake, when it is listened to.
_LISTENING_S = 2.0
# What OpenSSL calls the reasons for which a certificate is refused (X509_V_ERR_...).
_NOT_YET, _EXPIRED, _OTHER_HOSTS = 9, 10, (62, 64)
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21, 24, 26)


def server_context(certificate: Path, key: Path | None, authorities: Path | None) -> ssl.SSLContext:
    """For receiving; with `authorities`, senders must show a certificate of theirs.

    Raises:
        InputError: a file does not hold what it should.
    """
    context = _context(ssl.Purpose.CLIENT_AUTH, certificate, key, authorities)
    if authorities:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(certificate: Path | None, key: Path | None, authorities: Path | None) -> ssl.SSLContext:
    """For sending and asking; the archive's certificate is checked against `authorities` alone, without them against the system's.

    Raises:
        InputError: a file does not hold what it should.
    """
    return _context(ssl.Purpose.SERVER_AUTH, certificate, key, authorities)


def fault_of_server(context: ssl.SSLContext, host: str, port: int, timeout_s: float) -> str:
    """Why no TLS connection to an archive comes about, as one sentence; empty where it does, or where nobody listens there."""
    try:
        plain = socket.create_connection((host, port), timeout_s)
        with plain, context.wrap_socket(plain, server_hostname=host) as secure:
            secure.settimeout(min(timeout_s, _LISTENING_S))
            secure.recv(1)
    except ssl.SSLCertVerificationError as error:
        return _fault_of_certificate("The archive's certificate", error.verify_code)
    except TimeoutError:
        # It waits for what this node has to say.
        return ""
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):
            return (
                "The archive refuses the node's certificate, or wants one: name one that the archive's authorities signed, in "
                "certificate and key."
            )
        return "The archive does not speak TLS at that port: correct the port, or TLS on either side."
    except OSError:
        return ""
    return ""


def fault_of_sender(error: OSError) -> str:
    """Why a sender's TLS connection was refused, as one sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"A connection was refused. {_fault_of_certificate('The certificate of the sender', error.verify_code)}"
    if isinstance(error, ssl.SSLError) and error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "A connection was refused: the sender showed no certificate, which receive.authorities asks for."
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return "A connection was refused by its sender, who does not trust the node's certificate."
    return "A connection ended before TLS was agreed on."


def _fault_of_certificate(whose: str, code: int) -> str:
    if code == _EXPIRED:
        return f"{whose} has expired: have it renewed."
    if code == _NOT_YET:
        return f"{whose} is not valid yet: set the clocks of both computers, or have it issued anew."
    if code in _OTHER_HOSTS:
        return f"{whose} is for another host: name the host as the certificate does, or have one issued for this name."
    if code in _UNKNOWN_AUTHORITY:
        return f"{whose} was not signed by an authority that this node trusts: name the file of that authority in authorities."
    return f"{whose} cannot be trusted (X509 error {code}): have it issued anew."


def read_credentials(path: Path) -> tuple[str, str]:
    """User and password, or an empty user and a token.

    Raises:
        InputError: the file cannot be read or is no single line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST_CREDENTIALS + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("The file of credentials cannot be read: it must be a text file that the node's user may read.") from error
    if not text or len(text) > _LONGEST_CREDENTIALS or len(text.splitlines()) > 1:
        raise InputError("The file of credentials must hold one line: user:password, or a token.")
    user, colon, password = text.partition(":")
    return (user, password) if colon else ("", text)


def _context(purpose: ssl.Purpose, certificate: Path | None, key: Path | None, authorities: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(purpose, cafile=authorities)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            # Asking for a pass phrase on a terminal that is not there would stop the node for ever.
            context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise InputError(
            "A file of certificates or keys cannot be used: they must be PEM files without pass phrase, the key that of the "
            "certificate."
        ) from error
    return context
