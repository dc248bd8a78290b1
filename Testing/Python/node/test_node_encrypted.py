"""Sending and receiving over TLS with a real archive: what cannot be trusted gets one sentence, and no study is lost by it."""

import socket
import threading
from dataclasses import replace

import pytest
from certificates import Authority
from node_cases import RESULTS, rows, running, store, wait_for, wait_for_state, write_config, write_study
from orthanc import Orthanc, free_ports
from tls_front import TlsFront

from MSKSegmentLib.node.archive import ArchiveError, echo, echo_poll
from MSKSegmentLib.node.config import PollTable, SendTable
from MSKSegmentLib.node.tls import client_context

pytest_plugins = ("node_fixtures",)

UNKNOWN = "was not signed by an authority that this node trusts"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("hospital"), "hospital")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def own(hospital):
    """The node's own certificate."""
    return hospital.signs("node")


@pytest.fixture(scope="module")
def node_port():
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def archive(hospital, node_port, tmp_path_factory):
    """Serves DICOM over TLS to whoever shows a certificate of the hospital."""
    node = {"AET": "MSKSEG", "Host": "127.0.0.1", "Port": node_port, "UseDicomTls": True}
    files = hospital.signs("archive")
    archive = _archive(tmp_path_factory.mktemp("archive"), hospital, files, DicomModalities={"node": node})
    yield archive.start()
    archive.stop()


def _archive(folder, authority, files, **settings):
    return Orthanc(
        folder,
        DicomTlsEnabled=True,
        DicomTlsCertificate=str(files.certificate),
        DicomTlsPrivateKey=str(files.key),
        DicomTlsTrustedCertificates=str(authority.file),
        DicomTlsRemoteCertificateRequired=True,
        **settings,
    )


@pytest.fixture(scope="module")
def front(archive, hospital):
    """DICOMweb of the archive over https."""
    front = TlsFront(hospital.signs("front"), archive.http)
    yield front
    front.close()


def _by_store(archive, own, authority, **more):
    return {
        "ae_title": archive.title,
        "host": "127.0.0.1",
        "port": archive.dicom,
        "tls": True,
        "authorities": str(authority.file),
        "certificate": str(own.certificate),
        "key": str(own.key),
        **more,
    }


def _by_web(front, authority):
    return {"url": f"https://127.0.0.1:{front.port}/dicom-web", "authorities": str(authority.file)}


@pytest.mark.parametrize("way", ["C-STORE", "STOW-RS"])
def test_a_study_waits_for_the_right_authority_and_is_not_lost(archive, front, hospital, stranger, own, python, tmp_path, way):
    def to(authority):
        return _by_store(archive, own, authority) if way == "C-STORE" else _by_web(front, authority)

    uid = write_study(tmp_path / "ct")
    with running(write_config(tmp_path, to(stranger)), python) as (config, node):
        assert set(store(config.receive.port, sorted((tmp_path / "ct").iterdir()))) == {0}
        wait_for(lambda: any(row[2] >= 2 for row in rows(config).values()), "nothing was tried twice")
        state, reason, _ = next(iter(rows(config).values()))
        assert state == "sending" and UNKNOWN in reason and node.status()["peers"]["Results to the archive"] == reason
        assert archive.modalities(uid) == {}
    with running(write_config(tmp_path, to(hospital)), python) as (config, node):
        wait_for_state(config, uid, "done")
        assert not node.status()["peers"]["Results to the archive"]
    assert archive.modalities(uid) == RESULTS


def test_an_archive_sends_over_tls_and_gets_results_back(archive, hospital, own, node_port, python, tmp_path):
    uid = write_study(tmp_path / "ct")
    archive.put(tmp_path / "ct")
    receive = {
        "allowed": [archive.title],
        "port": node_port,
        "certificate": str(own.certificate),
        "key": str(own.key),
        "authorities": str(hospital.file),
    }
    with running(write_config(tmp_path, _by_store(archive, own, hospital), receive=receive), python) as (config, node):
        (study,) = archive.post("/tools/find", {"Level": "Study", "Query": {"StudyInstanceUID": uid}})
        assert archive.post("/modalities/node/store", study)["FailedInstancesCount"] == 0
        wait_for_state(config, uid, "done")
        assert node.status()["received"]["images taken"] == 6
    assert archive.modalities(uid) == {"CT": 6, **RESULTS}


def test_studies_are_asked_for_over_https(archive, front, hospital, stranger, python, tmp_path):
    uid = write_study(tmp_path / "ct")
    archive.put(tmp_path / "ct")
    web = _by_web(front, hospital)
    with running(write_config(tmp_path, web, receive=None, poll={**web, "every_s": 1}), python) as (config, _):
        wait_for_state(config, uid, "done")
    assert archive.modalities(uid) == {"CT": 6, **RESULTS}
    for authorities in (stranger.file, None):
        with pytest.raises(ArchiveError, match=UNKNOWN):
            echo_poll(PollTable(web["url"], authorities=authorities))


def test_a_web_server_wants_a_certificate_that_it_knows(archive, hospital, stranger, own):
    front = TlsFront(hospital.signs("strict"), archive.http, hospital)
    try:
        table = PollTable(_by_web(front, hospital)["url"], authorities=hospital.file)
        echo_poll(replace(table, certificate=own.certificate, key=own.key))
        foreign = stranger.signs("poll")
        for faulty in (table, replace(table, certificate=foreign.certificate, key=foreign.key)):
            with pytest.raises(ArchiveError, match="refuses the node's certificate, or wants one"):
                echo_poll(faulty)
    finally:
        front.close()


def test_an_archive_wants_a_certificate_that_it_knows(archive, hospital, stranger, own):
    table = SendTable(ae_title=archive.title, host="127.0.0.1", port=archive.dicom, tls=True, authorities=hospital.file)
    mine = replace(table, certificate=own.certificate, key=own.key)
    echo(mine, "MSKSEG")
    foreign = stranger.signs("node")
    for faulty in (table, replace(table, certificate=foreign.certificate, key=foreign.key)):
        with pytest.raises(ArchiveError, match="refuses the node's certificate, or wants one"):
            echo(faulty, "MSKSEG")
    with pytest.raises(ArchiveError, match="was not signed by"):
        # The authorities that are named are the only ones.
        echo(replace(mine, authorities=None), "MSKSEG")


FAULTS = [
    ("C-STORE", {"from_days": -9, "to_days": -1}, "The archive's certificate has expired: have it renewed."),
    ("STOW-RS", {"from_days": -9, "to_days": -1}, "The archive's certificate has expired: have it renewed."),
    ("C-STORE", {"from_days": 1, "to_days": 9}, "The archive's certificate is not valid yet"),
    ("C-STORE", {"hosts": ("pacs.example", "10.0.0.1")}, "The archive's certificate is for another host"),
    ("STOW-RS", {"hosts": ("pacs.example", "10.0.0.1")}, "The archive's certificate is for another host"),
]


@pytest.mark.parametrize("way, fault, sentence", FAULTS)
def test_a_study_waits_for_a_good_certificate(hospital, own, python, tmp_path, way, fault, sentence):
    """The archive's certificate is replaced; the node goes on by itself."""
    archive = _archive(tmp_path / "archive", hospital, hospital.signs("renewed", **fault)).start()
    front = TlsFront(hospital.signs("front-renewed", **fault), archive.http)
    try:
        send = _by_store(archive, own, hospital) if way == "C-STORE" else _by_web(front, hospital)
        uid = write_study(tmp_path / "ct")
        with running(write_config(tmp_path, send), python) as (config, node):
            assert set(store(config.receive.port, sorted((tmp_path / "ct").iterdir()))) == {0}
            wait_for(lambda: any(row[2] >= 2 for row in rows(config).values()), "nothing was tried twice")
            state, reason, _ = next(iter(rows(config).values()))
            assert state == "sending" and reason.startswith(sentence), reason
            assert archive.modalities(uid) == {}
            if way == "C-STORE":
                archive.stop()
                hospital.signs("renewed")
                archive.start()
            else:
                hospital.signs("front-renewed")
            wait_for_state(config, uid, "done")
        assert archive.modalities(uid) == RESULTS
    finally:
        front.close()
        archive.stop()


def test_senders_that_cannot_be_trusted_are_named_in_log_and_status(hospital, stranger, own, python, tmp_path, caplog):
    write_study(tmp_path / "ct", slices=3)
    files = sorted((tmp_path / "ct").iterdir())
    secure = {"certificate": str(own.certificate), "key": str(own.key), "authorities": str(hospital.file)}
    nowhere = {"ae_title": "NOWHERE", "host": "127.0.0.1", "port": 9}
    with running(write_config(tmp_path, nowhere, node={"quiet_s": 3600}, receive=secure), python) as (config, node):
        port = config.receive.port
        good, unknown = hospital.signs("scanner"), stranger.signs("scanner")
        expired = hospital.signs("expired", from_days=-9, to_days=-1)
        for shown, authority, sentence in (
            (None, hospital, "the sender showed no certificate"),
            (unknown, hospital, f"The certificate of the sender {UNKNOWN}"),
            (expired, hospital, "The certificate of the sender has expired"),
            (good, stranger, "refused by its sender, who does not trust the node's certificate"),
        ):
            context = client_context(shown and shown.certificate, shown and shown.key, authority.file)
            assert store(port, files, tls=context) == [None] * 3
            wait_for(lambda told=sentence: any(told in one for one in node.status()["received"]), lambda: node.status()["received"])
            assert sentence in caplog.text
        assert store(port, files, tls=client_context(good.certificate, good.key, hospital.file)) == [0] * 3
        table = SendTable(ae_title="MSKSEG", host="127.0.0.1", port=_port_without_tls(), tls=True, authorities=hospital.file)
        with pytest.raises(ArchiveError, match="does not speak TLS"):
            echo(table, "SCANNER")


def _port_without_tls():
    """Of a server that takes one connection and answers in plain text."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        for _ in range(2):
            with server.accept()[0] as client:
                client.recv(100)
                client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        server.close()

    threading.Thread(target=answer, daemon=True).start()
    return server.getsockname()[1]
