"""The receiving side against whoever sends: what is refused and why, and that the next good study is served after it."""

import random
import socket
import struct
import threading
from io import BytesIO

import pytest
import requests
from node_cases import SENDER, launcher, rows, running, store, wait_for, write_config, write_study
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import CTImageStorage

from MSKSegmentLib.node.files import name_of

NOWHERE = {"ae_title": "NOWHERE", "host": "127.0.0.1", "port": 9}
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A node that only receives: its studies never become ready."""
    folder = tmp_path_factory.mktemp("node")
    path = write_config(folder, NOWHERE, node={"quiet_s": 3600}, receive={"connections": 3, "timeout_s": 4})
    with running(path, launcher(folder)) as (config, node):
        yield config, node


def _images(config, uid):
    return list((config.node.folder / "studies" / name_of(uid)).glob("images/*/*.dcm"))


def _is_served(config, folder):
    uid = write_study(folder / "good", slices=3)
    files = sorted((folder / "good").iterdir())
    # Connections that ended a moment ago may still be counted.
    wait_for(lambda: store(config.receive.port, files[:1]) == [0], "no good study is served any more")
    assert store(config.receive.port, files) == [0, 0, 0]
    assert len(_images(config, uid)) == 3


def _raw_store(port, contents, syntax=EXPLICIT, instance="1.2.3.4", kind=CTImageStorage):
    """Send bytes as data sets; gives the status of each, None where the connection ended."""
    entity = AE(SENDER)
    entity.add_requested_context(kind, syntax)
    entity.dimse_timeout = 20
    statuses, association = [], None
    for content in contents:
        if association is None or not association.is_established:
            association = entity.associate("127.0.0.1", port, ae_title="MSKSEG")
            assert association.is_established
        request = C_STORE()
        request.MessageID, request.Priority = 1, 2
        request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = kind, instance
        request.DataSet = BytesIO(content)
        # The association's own thread would take the answer.
        association._reactor_checkpoint.clear()
        association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        statuses.append(getattr(answer, "Status", None))
    association.abort()
    return statuses


def _data_set(path):
    """A stored image without preamble and meta header."""
    content = path.read_bytes()
    return content[content.index(b"\x08\x00\x08\x00CS") :]


def test_only_named_titles_may_send(served, tmp_path):
    config, _ = served
    write_study(tmp_path, slices=3)
    files = sorted(tmp_path.iterdir())
    assert store(config.receive.port, files, sender="STRANGER") == [None] * 3
    assert store(config.receive.port, files, called="OTHER") == [None] * 3


def test_what_is_not_ct_is_refused_with_a_reason(served, tmp_path):
    config, node = served
    uid = write_study(tmp_path, slices=3, tags={"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"})
    assert store(config.receive.port, sorted(tmp_path.iterdir())) == [0x0122] * 3
    state, reason, _ = rows(config)[name_of(uid)]
    assert state == "refused" and "no CT" in reason
    page = requests.get(f"http://127.0.0.1:{config.node.status_port}/", timeout=30)
    assert "no CT" in page.text and name_of(uid)[:12] in page.text
    assert uid not in page.text and "Mustermann" not in page.text
    assert not _images(config, uid)


def test_names_of_senders_do_not_reach_the_drive(served, tmp_path):
    config, _ = served
    write_study(tmp_path / "ct", slices=3)
    before = {path for path in tmp_path.parent.rglob("*")}
    contents, path = [], next((tmp_path / "ct").iterdir())
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        for name in ("../../../evil", "/tmp/evil", "", "1.2\x00.3", "1" * 65):
            data = dcmread(path)
            element = data[keyword]
            element._value = name
            stream = BytesIO()
            data.save_as(stream)
            content = stream.getvalue()
            contents.append(content[content.index(b"\x08\x00\x08\x00CS") :])
    statuses = _raw_store(config.receive.port, contents)
    assert set(statuses) <= {0xA900, 0xC000}, statuses
    assert {path for path in tmp_path.parent.rglob("*")} == before
    kept = [path.name for path in config.node.folder.rglob("*")]
    assert not any("evil" in name or name.startswith("1") and len(name) > 64 for name in kept)


def test_an_image_that_contradicts_itself_is_refused(served, tmp_path):
    config, _ = served
    write_study(tmp_path, slices=3)
    content = _data_set(next(tmp_path.iterdir()))
    # Called another image, and sent as what it is not.
    assert _raw_store(config.receive.port, [content], instance="1.2.3") == [0xA900]
    mr = "1.2.840.10008.5.1.4.1.1.4"
    assert _raw_store(config.receive.port, [content], kind=mr) == [0x0122]


def test_malformed_data_sets(served, tmp_path):
    config, _ = served
    write_study(tmp_path / "ct", slices=3)
    content = _data_set(next((tmp_path / "ct").iterdir()))
    chance = random.Random(7)
    damaged = [b"\0\0", content[:50], b"\xff" * 500, content[::-1]]
    for _ in range(25):
        damaged.append(content[: chance.randrange(2, len(content))])
        changed = bytearray(content)
        for _ in range(chance.choice((1, 5, 200))):
            changed[chance.randrange(400 if chance.random() < 0.5 else len(changed))] = chance.randrange(256)
        damaged.append(bytes(changed))
    # Sequences in sequences, without an end; an element that states four gigabytes.
    item = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    damaged += [item * 5000, b"\x08\x00\x18\x00UN\0\0\xf0\xff\xff\xff" + bytes(100)]
    syntaxes = (EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5")
    for number, syntax in enumerate(syntaxes):
        statuses = _raw_store(config.receive.port, damaged[number::4], syntax)
        # Never success: what is taken for an image was called another name.
        assert 0 not in statuses, statuses
    _is_served(config, tmp_path)


def test_a_message_that_is_too_large_ends_its_connection(served, tmp_path):
    config, _ = served
    files = config.node.folder.rglob("*")
    before = len(list(files))
    assert _raw_store(config.receive.port, [bytes(3 << 20)]) == [None]
    with socket.create_connection(("127.0.0.1", config.receive.port), 30) as raw:
        # An association request that states four gigabytes.
        raw.sendall(struct.pack(">BBL", 1, 0, 0xFFFFFFF0))
        with pytest.raises(OSError):
            for _ in range(4000):
                raw.sendall(bytes(4096))
    assert len(list(config.node.folder.rglob("*"))) == before
    _is_served(config, tmp_path)


def test_syntaxes_that_cannot_be_read_are_not_accepted(served):
    config, _ = served
    entity = AE(SENDER)
    entity.add_requested_context(CTImageStorage, ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.50"])
    association = entity.associate("127.0.0.1", config.receive.port, ae_title="MSKSEG")
    assert not association.accepted_contexts
    association.abort()


def test_a_flood_of_connections_is_bounded(served, tmp_path):
    config, _ = served
    before = threading.active_count()
    flood = []
    try:
        for number in range(60):
            raw = socket.create_connection(("127.0.0.1", config.receive.port), 30)
            flood.append(raw)
            if number % 3:
                raw.sendall(random.Random(number).randbytes(number))
        # Twice three may wait, each with two threads; the node has some of its own.
        wait_for(lambda: threading.active_count() <= before + 14, "more threads than connections may have")
    finally:
        for raw in flood:
            raw.close()
    _is_served(config, tmp_path)


def test_silent_connections_do_not_hold_their_places(served, tmp_path):
    config, _ = served
    silent = [socket.create_connection(("127.0.0.1", config.receive.port), 30) for _ in range(6)]
    try:
        for raw in silent:
            # The beginning of a request, and nothing more.
            raw.sendall(struct.pack(">BBL", 1, 0, 200))
        _is_served(config, tmp_path)
    finally:
        for raw in silent:
            raw.close()


def test_the_status_page_answers_only_as_itself(served):
    config, _ = served
    address = f"http://127.0.0.1:{config.node.status_port}"
    assert requests.get(f"{address}/status.json", timeout=30).json()["ae_title"] == "MSKSEG"
    assert requests.get(f"{address}/../etc/passwd", timeout=30).status_code == 404
    assert requests.get(address, headers={"Host": "evil.example:80"}, timeout=30).status_code == 403


def test_a_full_folder_refuses_and_makes_room(tmp_path):
    path = write_config(tmp_path, NOWHERE, node={"quiet_s": 0.2}, choose={"slices": [60, 99]}, disk={"gb": 0.001})
    with running(path, launcher(tmp_path)) as (config, node):
        for number in range(3):
            write_study(tmp_path / str(number), slices=45)
        statuses = []
        for number in range(3):
            for file in sorted((tmp_path / str(number)).iterdir()):
                data = dcmread(file)
                data.PixelData = bytes(20_000)
                data.Rows, data.Columns = 100, 100
                data.save_as(file)
            if number:
                # One that is finished makes room for the next.
                wait_for(lambda: node.status()["studies"]["receiving"] == 0, "nothing became ready")
                wait_for(lambda: node.status()["studies"]["ready"] == 0, "nothing was looked at")
            statuses += store(config.receive.port, sorted((tmp_path / str(number)).iterdir()))
        assert statuses[:25] == [0] * 25 and set(statuses) == {0, 0xA700}, statuses
        assert statuses[45] == statuses[90] == 0
        assert node.status()["disk"]["used_mb"] < 2.1
        assert "The node's folder is full." in node.status()["received"]
