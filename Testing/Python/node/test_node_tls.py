"""TLS and credentials from files: who shows no certificate is not served, and does not keep others waiting."""

import shutil
import socket
import ssl
import subprocess
import threading
from dataclasses import replace

import pytest
from node_cases import launcher, running, store, wait_for, write_config, write_study

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.node.archive import ArchiveError, echo
from MSKSegmentLib.node.config import SendTable
from MSKSegmentLib.node.tls import client_context, read_credentials

NOWHERE = {"ae_title": "NOWHERE", "host": "127.0.0.1", "port": 9}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Certificate and key of this computer, signed by themselves."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("keys")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    )
    files = [folder / "certificate.pem", folder / "key.pem"]
    subprocess.run([*command.split(), "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


@pytest.fixture(scope="module")
def served(keys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("node")
    secure = {"certificate": str(keys[0]), "key": str(keys[1]), "authorities": str(keys[0]), "timeout_s": 5}
    path = write_config(folder, NOWHERE, node={"quiet_s": 3600}, receive=secure)
    with running(path, launcher(folder)) as (config, _):
        yield config


def test_only_who_shows_a_certificate_is_served(served, keys, tmp_path):
    write_study(tmp_path, slices=3)
    files = sorted(tmp_path.iterdir())
    # One that connects and says nothing holds up nobody.
    with socket.create_connection(("127.0.0.1", served.receive.port), 30):
        assert store(served.receive.port, files) == [None] * 3
        without = client_context(None, None, keys[0])
        assert store(served.receive.port, files, tls=without) == [None] * 3
        assert store(served.receive.port, files, tls=client_context(*keys, keys[0])) == [0] * 3


def test_connections_that_never_agree_on_tls_are_bounded(served, keys, tmp_path):
    write_study(tmp_path, slices=3)
    silent, seen = [], []
    try:
        for _ in range(20):
            silent.append(socket.create_connection(("127.0.0.1", served.receive.port), 30))
            seen.append(_connection_threads())
        # Each that is let in has one thread; twice as many as may send at once.
        assert 1 < max(seen) <= 2 * served.receive.connections, seen
        # They are waited for as long as any silent peer, and then others have their places.
        secure = client_context(*keys, keys[0])
        wait_for(lambda: store(served.receive.port, sorted(tmp_path.iterdir()), tls=secure) == [0] * 3, "nobody is served")
    finally:
        for raw in silent:
            raw.close()


def _connection_threads():
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def test_an_echo_checks_the_certificate_of_the_archive(served, keys):
    table = SendTable(
        ae_title="MSKSEG",
        host="127.0.0.1",
        port=served.receive.port,
        tls=True,
        certificate=keys[0],
        key=keys[1],
        authorities=keys[0],
        timeout_s=10,
    )
    echo(table, "SCANNER")
    with pytest.raises(ArchiveError):
        # The system's authorities did not sign it.
        echo(replace(table, authorities=None), "SCANNER")
    with pytest.raises(ArchiveError):
        echo(replace(table, tls=False), "SCANNER")


def test_files_that_hold_something_else(keys, tmp_path):
    assert client_context(None, None, keys[0]).minimum_version == ssl.TLSVersion.TLSv1_2
    with pytest.raises(InputError, match="must be PEM files"):
        client_context(keys[1], keys[0], None)
    path = tmp_path / "credentials"
    for text, found in (("anna:pass:word\n", ("anna", "pass:word")), ("token\n", ("", "token"))):
        path.write_text(text)
        assert read_credentials(path) == found
    for text in ("", "two\nlines", "x" * 5000):
        path.write_text(text)
        with pytest.raises(InputError, match="one line"):
            read_credentials(path)


def test_a_port_that_is_taken_is_one_sentence(served, tmp_path):
    path = write_config(tmp_path, NOWHERE, receive={"port": served.receive.port})
    with pytest.raises(InputError, match="cannot listen"), running(path, launcher(tmp_path)):
        pass
