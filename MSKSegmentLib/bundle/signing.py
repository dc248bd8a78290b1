"""Signatures of files that go from site to site: Ed25519, with keys in PEM files, by the package cryptography."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ..errors import BundleError, InputError
from ..output.files import whole_file
from ..packages import require

ALGORITHM = "Ed25519"
_PURPOSE = "A signature"
_PRIVATE_MODE = 0o600


def make_keys(private: Path, public: Path) -> str:
    """Write a new pair of keys; returns the fingerprint of the public one.

    Raises:
        InputError: a file is there already, or cannot be written.
        DependencyError: the package cryptography is missing.
    """
    require("cryptography", purpose=_PURPOSE)
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    for path in (private, public):
        if path.exists():
            raise InputError(f"There already is a {path.name}; keys are never replaced, choose another name.")
    key = Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    open_half = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    for path, content in ((private, secret), (public, open_half)):
        with whole_file(path, ".pem") as temporary:
            temporary.write_bytes(content)
            temporary.chmod(_PRIVATE_MODE)
    return fingerprint(_raw(key.public_key()))


def sign(content: bytes, private: Path) -> dict[str, str]:
    """The signature of bytes by the private key in a PEM file, JSON-ready, with the public key that proves it.

    Raises:
        InputError: the file holds no Ed25519 private key without a password.
        DependencyError: the package cryptography is missing.
    """
    require("cryptography", purpose=_PURPOSE)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = _loaded(private, lambda data: load_pem_private_key(data, None))
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{private.name} holds no private key of the kind {ALGORITHM}; make one with 'mskseg bundle make-key'.")
    return {"algorithm": ALGORITHM, "public_key": _raw(key.public_key()).hex(), "signature": key.sign(content).hex()}


def check_signature(content: bytes, signature: dict[str, Any], name: str) -> str:
    """Hold a signature against what it signs; returns the fingerprint of the key that made it.

    Raises:
        BundleError: it is not that of `content`, or cannot be read; `name` is the file's, for the sentence.
        DependencyError: the package cryptography is missing.
    """
    require("cryptography", purpose=_PURPOSE)
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = bytes.fromhex(signature["public_key"])
        if signature["algorithm"] != ALGORITHM:
            raise ValueError("another algorithm")
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature["signature"]), content)
    except InvalidSignature as error:
        raise BundleError(
            f"The signature of {name} is not that of its content: the file was changed; ask for a fresh one."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"The signature of {name} cannot be read; ask for a fresh file.") from error
    return fingerprint(public)


def fingerprint_of_file(public: Path) -> str:
    """The fingerprint of the public key in a PEM file.

    Raises:
        InputError: it holds none of the kind Ed25519.
        DependencyError: the package cryptography is missing.
    """
    require("cryptography", purpose=_PURPOSE)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = _loaded(public, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{public.name} holds no public key of the kind {ALGORITHM}; ask the other site for its public key.")
    return fingerprint(_raw(key))


def fingerprint(public: bytes) -> str:
    """What two sites can compare by telephone: the first 16 digits of the SHA-256 of a public key."""
    digits = hashlib.sha256(public).hexdigest()[:16]
    return " ".join(digits[n : n + 4] for n in range(0, 16, 4))


def _raw(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    raw: bytes = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return raw


def _loaded(path: Path, load: Any) -> Any:
    try:
        return load(path.read_bytes())
    except OSError as error:
        raise InputError(f"The key {path.name} cannot be read ({error.strerror}); check the path.") from error
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path.name} is no key in PEM form without a password; give a key of 'mskseg bundle make-key'."
        ) from error
