"""TLS contexts and credentials from the files that the configuration names."""

from __future__ import annotations

import ssl
from pathlib import Path

from ..errors import InputError

_LONGEST_CREDENTIALS = 4096


def server_context(certificate: Path, key: Path | None, authorities: Path | None) -> ssl.SSLContext:
    """For receiving; with `authorities`, senders must show a certificate of theirs.

    Raises:
        InputError: a file does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, certificate, key, authorities)
    if authorities:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(certificate: Path | None, key: Path | None, authorities: Path | None) -> ssl.SSLContext:
    """For sending; the archive's certificate is checked against `authorities`, or those of the system.

    Raises:
        InputError: a file does not hold what it should.
    """
    context = ssl.create_default_context()
    _load(context, certificate, key, authorities)
    return context


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


def _load(context: ssl.SSLContext, certificate: Path | None, key: Path | None, authorities: Path | None) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if certificate:
            # Asking for a pass phrase on a terminal that is not there would stop the node for ever.
            context.load_cert_chain(certificate, key, password=lambda: b"")
        if authorities:
            context.load_verify_locations(authorities)
    except (OSError, ValueError) as error:
        raise InputError(
            "A file of certificates or keys cannot be used: they must be PEM files without pass phrase, the key that of the "
            "certificate."
        ) from error
