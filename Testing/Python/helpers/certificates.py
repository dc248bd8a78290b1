"""A private authority and what it signs, as hospitals have them: made anew for each run of the tests."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import pytest

HERE = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Signed:
    """Files of a certificate and of its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates that are files of a folder; `file` is its own."""

    def __init__(self, folder, name):
        x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name = folder, name
        self._key = _new_key()
        self._subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self._sign(self._subject, self._key, [(x509.BasicConstraints(True, None), True)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(certificate))

    def signs(self, name, hosts=HERE, from_days=-1, to_days=2):
        """Files of a certificate for these hosts, which is good between two days, counted from now."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization

        key = _new_key()
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
        names = [x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts]
        extensions = [(x509.BasicConstraints(False, None), True), (x509.SubjectAlternativeName(names), False)]
        certificate = _pem(self._sign(subject, key, extensions, from_days, to_days))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        files = Signed(*(self._folder / f"{self._name}-{name}-{kind}.pem" for kind in ("certificate", "key")))
        files.certificate.write_bytes(certificate)
        files.key.write_bytes(secret)
        return files

    def _sign(self, subject, key, extensions, from_days=-1, to_days=2):
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        now = datetime.now(timezone.utc)
        builder = x509.CertificateBuilder(self._subject, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now + timedelta(from_days)).not_valid_after(now + timedelta(to_days))
        own = self._key.public_key()
        extensions = [
            *extensions,
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(own), False),
        ]
        if key is self._key:
            usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
            usage |= {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}
            extensions.append((x509.KeyUsage(**usage, encipher_only=False, decipher_only=False), True))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())


def _new_key():
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048)


def _pem(certificate):
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)
