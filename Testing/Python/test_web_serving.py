"""The review server as others see it: a real process, asked over HTTP and websocket by friends and strangers."""

import asyncio
import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import closing

import aiohttp
import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from web_cases import KEYS, make_case
from web_process import PLAIN, ROOT, Client, Server, run

from MSKSegmentLib.ct.label_reading import read_labels
from MSKSegmentLib.export.result_reading import read_case

pytest.importorskip("trame_slicer")

SECRET = "only the owner may read this"


@pytest.fixture
def start():
    """Start servers that end with the test."""
    servers = []

    def run(*arguments, **options):
        servers.append(Server(*arguments, **options))
        return servers[-1]

    yield run
    for server in servers:
        server.close()


@pytest.fixture
def case(tmp_path, phantom):
    return make_case(tmp_path / "results" / "case", phantom, ("red", "yellow"))


def soon(condition, wait_s=20):
    """Whether the condition comes true in time."""
    end = time.monotonic() + wait_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


# Who may come in


def test_nothing_is_given_without_the_token(start, tmp_path, case):
    server = start(tmp_path / "results", case)
    paths = ["/", "/index.html", "/vue.global.js", "/__mskseg/transfer.js", "/ws", "/nothing", "/download/result.zip"]
    cookie = server.cookie()
    name = cookie.partition("=")[0]
    for path in paths:
        wrong = server.token[:-1] + ("A" if server.token[-1] != "A" else "B")
        for attempt in (
            server.request(path),
            server.request(f"{path}?token="),
            server.request(f"{path}?token={wrong}"),
            server.request(f"{path}?token=%C3%A9{wrong}"),
            server.request(path, cookie=f"{name}={wrong}.0123"),
            server.request(path, cookie=f"other={server.token}"),
            server.request(path, cookie=cookie, Origin="http://127.0.0.1:1"),
            server.request(path, cookie=cookie, Origin="https://example.org"),
            server.request(path, cookie=cookie, Origin="null"),
            server.request(path, "HEAD"),
            server.request(path, "OPTIONS"),
        ):
            assert attempt[0] == 403, (path, attempt[:2])
    assert server.request("/upload", "POST", b"x" * 100)[0] == 403
    assert server.request("/upload", "POST", b"x" * 100, cookie, Origin="http://evil")[0] == 403
    assert "mskseg review" in server.request("/")[2].decode()


def test_the_token_moves_from_the_address_into_a_cookie(start, tmp_path, case):
    server = start(tmp_path / "results", case)
    status, headers, _ = server.request(f"/?token={server.token}")
    assert status == 303 and headers["Location"] == "/"
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Domain" not in cookie
    page = server.request("/index.html", cookie=server.cookie())
    assert page[0] == 200 and b"<html" in page[2]
    assert page[1]["Content-Security-Policy"].startswith("default-src 'self'")
    assert "http:" not in page[1]["Content-Security-Policy"] and page[1]["X-Content-Type-Options"] == "nosniff"
    assert server.cookie() != server.cookie(), "two browsers need different marks"
    assert len(server.token) >= 43


def test_the_websocket_asks_for_the_token_too(start, tmp_path, case):
    server = start(tmp_path / "results", case)

    async def attempts():
        for cookie, headers in (("", {}), ("mskseg_x=y", {}), (server.cookie(), {"Origin": "http://evil.example"})):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await Client.open(server, cookie, **headers)
            assert refused.value.status == 403
        client = await Client.open(server, server.cookie(), Origin=f"http://127.0.0.1:{server.port}")
        assert client.state["watching"] == ""

    run(attempts())


def test_it_listens_on_this_computer_alone(start, tmp_path, case):
    server = start(tmp_path / "results", case)
    listening = {c.laddr.ip for c in psutil.Process(server.process.pid).net_connections() if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
    assert "Warning" not in server.text and server.address.startswith("http://127.0.0.1:")


def test_another_interface_is_opened_only_on_demand_and_with_a_warning(start, tmp_path, case):
    server = start(tmp_path / "results", case, "--host", "0.0.0.0")
    listening = {c.laddr.ip for c in psutil.Process(server.process.pid).net_connections() if c.status == "LISTEN"}
    assert listening == {"0.0.0.0"}
    assert "Warning: the page can be reached from other computers" in server.text
    assert server.request("/")[0] == 403


def test_options_for_other_programs_open_no_door(start, tmp_path, case):
    """trame reads the environment and the command line for options of its own."""
    environment = {"TRAME_ARGS": f"--host 0.0.0.0 --content {tmp_path}", "TRAME_DEFAULT_HOST": "0.0.0.0"}
    server = start(tmp_path / "results", case, environment=environment)
    listening = {c.laddr.ip for c in psutil.Process(server.process.pid).net_connections() if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
    assert server.request("/results/case/result.json", cookie=server.cookie())[0] == 404


# What may be fetched


def test_only_the_programs_own_folders_are_served(start, tmp_path, case):
    server = start(tmp_path / "results", case)
    folders = json.loads(next(line for line in server.lines if line.startswith("ROUTES ")).removeprefix("ROUTES "))
    assert len(folders) >= 2
    for folder in folders.values():
        assert "site-packages" in folder or folder == str(ROOT / "MSKSegmentLib" / "web" / "static")


def test_no_path_leads_to_other_files(start, tmp_path, case):
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET, encoding="utf-8")
    (case / "secret.txt").write_text(SECRET, encoding="utf-8")
    (tmp_path / "results" / "secret.txt").write_text(SECRET, encoding="utf-8")
    server = start(tmp_path / "results", case, cwd=tmp_path)
    cookie = server.cookie()
    run(_opened(server, cookie))
    up = "../" * 12
    targets = [
        str(secret)[1:],
        "etc/passwd",
        "secret.txt",
        "results/case/secret.txt",
        "case/secret.txt",
        "MSKSegmentLib/cli.py",
    ]
    prefixes = ["/", "/__mskseg/", "/download/", "/assets/", "/__trame_client_external_scripts/"]
    for prefix in prefixes:
        for target in targets:
            for path in (
                prefix + target,
                prefix + up + target,
                prefix + up.replace("/", "%2f") + target,
                prefix + up.replace(".", "%2e") + target,
                prefix + up.replace("../", "%252e%252e%252f") + target,
                prefix + up.replace("/", "\\") + target,
                prefix + "/" + target,
                prefix + "//" + str(secret),
                prefix + target + "%00.js",
            ):
                status, _, body = server.request(path, cookie=cookie)
                assert status in (400, 403, 404), (path, status)
                assert SECRET.encode() not in body and b"root:" not in body
    for name in (".review.lock", "result.json", "ct.nrrd", "review.npz", "secret.txt", "..", "%2e%2e", ""):
        assert server.request(f"/download/{name}", cookie=cookie)[0] in (403, 404), name
    for path in ("/__mskseg/", "/assets/", "/download/"):
        assert server.request(path, cookie=cookie)[0] in (403, 404), "a folder must not be listed"


async def _opened(server, cookie):
    client = await Client.open(server, cookie)
    return await client.on_page("case")


def test_the_open_result_can_be_downloaded(start, tmp_path, case):
    (case / "link").symlink_to("/etc/passwd")
    server = start(tmp_path / "results", case)
    cookie = server.cookie()
    run(_opened(server, cookie))
    status, headers, body = server.request("/download/measurements.csv", cookie=cookie)
    assert status == 200 and headers["Content-Disposition"] == 'attachment; filename="case_measurements.csv"'
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert len(rows) == 43 and rows[2]["abbreviation"] == "FEMUR" and float(rows[2]["volume_cc"]) > 0
    status, _, body = server.request("/download/segmentation.seg.nrrd", cookie=cookie)
    assert status == 200 and body == (case / "segmentation.seg.nrrd").read_bytes()
    status, _, body = server.request("/download/result.zip", cookie=cookie)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        names = {"ct.nrrd", "measurements.csv", "result.json", "segmentation.seg.nrrd", "uncertainty.nrrd"}
        assert set(archive.namelist()) == {f"case/{name}" for name in names}
        assert archive.read("case/result.json") == (case / "result.json").read_bytes()
    assert server.request("/download/measurements.csv")[0] == 403


def test_temporary_zips_do_not_stay(start, tmp_path, case):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    server = start(tmp_path / "results", case, environment={"TMPDIR": str(temporary)})
    cookie = server.cookie()
    run(_opened(server, cookie))
    assert server.request("/download/result.zip", cookie=cookie)[0] == 200
    # The last bytes come before the server has finished with the file.
    assert soon(lambda: not list(temporary.glob("*.zip")))


# Two people


def test_a_second_browser_watches_until_the_first_has_gone(start, tmp_path, case):
    server = start(tmp_path / "results", case)

    async def both():
        first = await Client.open(server)
        await first.on_page("case")
        second = await Client.open(server)
        assert first.state["watching"] == ""
        assert second.state["watching"].startswith("Read-only: another browser has this page open")
        assert await second.trigger("draw", "VLVI_right", [4, 4, 4], 6) is None
        assert await second.trigger("to_list") is None
        await second.call("trame.state.update", [{"key": "count", "value": 7}, {"key": "watching", "value": ""}])
        for name in ("application.exit", "application.exit.later"):
            with pytest.raises(RuntimeError, match="Unregistered"):
                await second.call(name)
        assert await first.trigger("draw", "VLVI_right", [4, 4, 4], 6) > 0
        watched = await second.wait(lambda client: client.desk["events"] == 1)
        assert watched["rows"]["VLVI_right"].startswith("edited"), "who watches sees what the other does"
        assert (await first.call("trame.state.get"))["state"]["count"] == 0
        assert "Read-only" in (await second.call("trame.state.get"))["state"]["watching"]
        await first.close()
        await second.wait(lambda client: client.state["watching"] == "")
        assert await second.trigger("draw", "VLVI_right", [4, 4, 12], 6) > 0
        await second.close()

    run(both())
    assert server.process.poll() is None


def test_reloading_the_page_does_not_cost_the_seat(start, tmp_path, case):
    server = start(tmp_path / "results", case)

    async def reload():
        cookie = server.cookie()
        first = await Client.open(server, cookie)
        other = await Client.open(server)
        await first.close()
        again = await Client.open(server, cookie)
        assert again.state["watching"] == ""
        await asyncio.sleep(2)
        assert (await other.call("trame.state.get"))["state"]["watching"]
        assert (await again.call("trame.state.get"))["state"]["watching"] == ""
        window = await Client.open(server, cookie)
        assert window.state["watching"] == "", "a second window of the same browser is the same person"

    run(reload())


def test_a_second_server_opens_the_same_result_read_only(start, tmp_path, case):
    first = start(tmp_path / "results", case, "--author", "Dr. A")
    run(_opened(first, first.cookie()))
    second = start(tmp_path / "results", case)

    async def read():
        client = await Client.open(second)
        desk = await client.on_page("case")
        assert desk["read_only"].startswith("Read-only: Dr. A has had this result open on this computer since ")
        # Even a page that forgets to ask changes nothing in the folder.
        await client.trigger("draw", "VLVI_right", [4, 4, 4], 6)
        await client.trigger("accept", "FEMUR_right")
        await client.call("trame.state.get")

    before = {path.name: path.stat().st_mtime_ns for path in case.iterdir()}
    run(read())
    assert second.request("/download/result.zip", cookie=second.cookie())[0] == 200
    second.stop()
    assert {path.name: path.stat().st_mtime_ns for path in case.iterdir()} == before
    first.stop()
    third = start(tmp_path / "results", case)
    assert run(_opened(third, third.cookie()))["read_only"] == ""


# Saving


def strokes(stored):
    """How many changes a history tells of; strokes that follow each other on one segment are one event."""
    return sum(event.details.get("strokes", 1) for event in stored.history)


async def _draw(server, corners, accept=None):
    client = await Client.open(server)
    await client.on_page("case")
    for corner in corners:
        assert await client.trigger("draw", "VLVI_right", corner, 4) > 0
    if accept:
        await client.trigger("accept", accept)
    await client.call("trame.state.get")


def test_a_killed_server_loses_nothing_that_was_answered(start, tmp_path, case):
    server = start(tmp_path / "results", case)
    before = read_labels(case / "segmentation.seg.nrrd")[0]
    run(_draw(server, [[2, 2, 2], [8, 2, 2]], accept="FEMUR_left"))
    server.process.kill()
    server.process.wait()
    stored = read_case(case)
    assert [event.what for event in stored.history] == ["edited", "accepted"] and strokes(stored) == 3
    assert (stored.result.labels[2:6, 2:6, 2:6] == 21).all() and (stored.result.labels[2:6, 2:6, 8:12] == 21).all()
    assert np.array_equal(stored.automatic.labels, before)
    again = start(tmp_path / "results", case, "--quiet-s", "0.2")
    desk = run(_opened(again, again.cookie()))
    assert desk["rows"]["VLVI_right"].startswith("edited") and desk["rows"]["FEMUR_left"].startswith("accepted")
    assert desk["events"] == 2 and desk["read_only"] == ""
    labels = stored.result.labels
    assert soon(lambda: np.array_equal(read_labels(case / "segmentation.seg.nrrd")[0], labels)), (
        "the file follows by itself"
    )


def test_killing_at_any_moment_leaves_a_whole_review(start, tmp_path, case):
    """Strokes in quick succession, and a kill somewhere between or within the saves."""

    async def draw_until_killed(server, offset):
        client = await Client.open(server)
        await client.on_page("case")
        answered = strokes(read_case(case))
        killing = asyncio.get_running_loop().call_later(0.15 + 0.07 * offset, server.process.kill)
        try:
            for z in range(1, 20):
                await client.trigger("draw", "VLVI_left", [2 * (offset + 1), 2, z], 2)
                answered += 1
        except (RuntimeError, TypeError, ConnectionError, aiohttp.ClientError):
            pass
        killing.cancel()
        return answered

    for offset in range(5):
        server = start(tmp_path / "results", case)
        answered = run(draw_until_killed(server, offset))
        server.close()
        stored = read_case(case)
        # The save follows its answer within the same turn of the loop: one may be missing, and one may be unanswered.
        assert answered - 1 <= strokes(stored) <= answered + 1
        drawn = stored.result.labels != stored.automatic.labels
        assert drawn.any() == bool(stored.history)
        assert not list(case.glob("*.partial*.json"))


def test_ctrl_c_leaves_everything_up_to_date(start, tmp_path, case):
    server = start(tmp_path / "results", case)
    run(_draw(server, [[2, 2, 2]]))
    assert server.stop(signal.SIGINT) == 0
    assert "PAGE CLOSED" in server.text and "Traceback" not in server.text
    stored = read_case(case)
    assert np.array_equal(read_labels(case / "segmentation.seg.nrrd")[0], stored.result.labels)
    assert (stored.result.labels[2:6, 2:6, 2:6] == 21).all()


def test_downloads_hold_the_last_stroke(start, tmp_path, case):
    server = start(tmp_path / "results", case)
    run(_draw(server, [[2, 2, 2]]))
    cookie = server.cookie()
    path = tmp_path / "got.seg.nrrd"
    path.write_bytes(server.request("/download/segmentation.seg.nrrd", cookie=cookie)[2])
    assert (read_labels(path)[0][2:6, 2:6, 2:6] == 21).all()
    rows = list(csv.DictReader(io.StringIO(server.request("/download/measurements.csv", cookie=cookie)[2].decode())))
    row = next(row for row in rows if (row["abbreviation"], row["side"]) == ("VLVI", "right"))
    assert row["state"] == "edited" and 0 < float(row["dice_to_automatic"]) < 1
    with zipfile.ZipFile(io.BytesIO(server.request("/download/result.zip", cookie=cookie)[2])) as archive:
        assert json.loads(archive.read("case/result.json"))["history"][0]["what"] == "edited"


def test_a_full_drive_is_said_and_the_change_is_saved_later(start, tmp_path, case):
    server = start(tmp_path / "results", case)

    async def draw():
        client = await Client.open(server)
        await client.on_page("case")
        # No file can be replaced by a folder: the save fails as on a drive that refuses.
        (case / "review.npz").mkdir()
        await client.trigger("draw", "VLVI_right", [2, 2, 2], 4)
        desk = await client.wait(lambda c: c.desk["problem"])
        assert desk["problem"].endswith("Until then it is kept on this page only, and saving is tried again.")
        (case / "review.npz").rmdir()

    run(draw())
    assert soon((case / "review.npz").is_file), "saving is tried again without another stroke"
    server.process.kill()
    assert strokes(read_case(case)) == 1


def test_a_result_that_is_replaced_while_open_is_not_mixed_with_the_new_one(start, tmp_path, case, phantom):
    server = start(tmp_path / "results", case)

    async def draw():
        client = await Client.open(server)
        await client.on_page("case")
        make_case(case, phantom, ("green",))
        before = {path.name: path.read_bytes() for path in case.iterdir()}
        await client.trigger("draw", "VLVI_right", [2, 2, 2], 4)
        desk = await client.wait(lambda c: c.desk["problem"])
        assert desk["problem"].startswith("Read-only: another run has replaced this result while it was open")
        return before

    before = run(draw())
    assert server.stop() == 0
    assert {path.name: path.read_bytes() for path in case.iterdir()} == before


# Uploads, runs, cancelling


def phantom_bytes(phantom, tmp_path, extension=".nii.gz"):
    path = tmp_path / f"scan{extension}"
    sitk.WriteImage(phantom.geometry.image_of(phantom.hu), str(path))
    return path.read_bytes()


def test_an_upload_is_segmented_and_opened(start, tmp_path, phantom, tiny_bundle):
    server = start(tmp_path / "results", "--bundle", tiny_bundle)
    content = phantom_bytes(phantom, tmp_path)

    async def follow():
        client = await Client.open(server)
        assert client.desk["page"] == "start" and client.desk["results"] == []
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(None, server.upload, "Hüfte%20links.nii.gz".replace("ü", "%C3%BC"), content)
        seen = []
        await client.wait(lambda c: seen.append(c.desk) or c.desk["page"] == "case")
        assert await sending == (200, {"ok": True, "sentence": "Hüfte links.nii.gz has arrived."})
        percents = [desk["progress"][1] for desk in seen if desk["page"] == "running"]
        assert len(set(percents)) >= 3 and percents == sorted(percents) and percents[-1] <= 100
        assert client.desk["opened"] == "Hüfte_links" and client.desk["read_only"] == ""
        await client.trigger("to_list")
        desk = await client.on_page("list")
        assert [name for name, _ in desk["results"]] == ["Hüfte_links"] and desk["opened"] is None
        await client.trigger("open", "../case")
        await client.wait(lambda c: "no longer there" in (c.desk["problem"] or ""))
        await client.trigger("open", "Hüfte_links")
        await client.on_page("case")

    run(follow())
    made = tmp_path / "results" / "Hüfte_links"
    assert {"ct.nrrd", "result.json", "segmentation.seg.nrrd"} <= {path.name for path in made.iterdir()}
    assert not list((tmp_path / "results" / ".uploads").iterdir()), "the upload goes when the result has the CT"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("photo.jpg", b"\xff\xd8" * 9000, "is no CT that can be read"), ("empty.nii", b"", "is empty")],
)
def test_wrong_files_are_refused_in_words(start, tmp_path, name, content, words):
    server = start(tmp_path / "results")

    async def follow():
        client = await Client.open(server)
        status, reply = await asyncio.get_running_loop().run_in_executor(None, server.upload, name, content)
        assert status == 422 and words in reply["sentence"]
        desk = await client.wait(lambda c: c.desk["problem"])
        assert desk["problem"] == reply["sentence"] and desk["page"] == "start" and desk["upload"] is None
        await client.trigger("dismiss")
        await client.wait(lambda c: c.desk["problem"] is None)

    run(follow())
    assert not any(path.is_file() for path in (tmp_path / "results").rglob("*"))


def test_a_scan_that_cannot_be_segmented_is_said_by_the_engine(start, tmp_path, phantom, tiny_bundle):
    server = start(tmp_path / "results", "--bundle", tiny_bundle)
    image = phantom.geometry.image_of(np.zeros_like(phantom.hu))
    sitk.WriteImage(image, str(tmp_path / "air.nrrd"))

    async def follow():
        client = await Client.open(server)
        content = (tmp_path / "air.nrrd").read_bytes()
        await asyncio.get_running_loop().run_in_executor(None, server.upload, "air.nrrd", content)
        desk = await client.wait(lambda c: c.desk["problem"])
        assert desk["page"] == "start" and desk["problem"].endswith(".")
        assert str(tmp_path) not in (desk["problem"] + desk["details"])

    run(follow())
    assert [path.name for path in (tmp_path / "results").iterdir()] == [".uploads"]


def upload_head(cookie, length):
    """The first lines of an upload, whose content does not follow as announced."""
    return f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nX-File-Name: big.nrrd\r\n{length}\r\n\r\n".encode()


def test_too_large_a_file_is_refused_whatever_it_announces(start, tmp_path):
    server = start(tmp_path / "results", "--max-upload-mb", "1")
    cookie = server.cookie()
    with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
        connection.sendall(upload_head(cookie, f"Content-Length: {9 << 20}"))
        reply = connection.recv(65536).decode()
    assert reply.startswith("HTTP/1.1 422") and "larger than 1 MB" in reply
    with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
        connection.sendall(upload_head(cookie, "Transfer-Encoding: chunked"))
        chunk = (b"NRRD0004\n" + b"x" * 65536)[:65536]
        try:
            for _ in range(64):
                connection.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            reply = connection.recv(65536).decode()
        except ConnectionError:
            reply = "the server has hung up"
    assert "larger than 1 MB" in reply or "hung up" in reply
    assert not any(path.is_file() for path in (tmp_path / "results").rglob("*"))


def test_a_browser_that_vanishes_leaves_nothing_behind(start, tmp_path):
    server = start(tmp_path / "results")
    with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
        connection.sendall(upload_head(server.cookie(), f"Content-Length: {9 << 20}") + b"NRRD0004\n" + b"x" * 100_000)
        time.sleep(0.5)
        assert list((tmp_path / "results" / ".uploads").rglob("received"))
    assert soon(lambda: not list((tmp_path / "results" / ".uploads").rglob("received")))
    status, reply = server.upload("a.txt", b"text" * 3000)
    assert status == 422 and "is no CT" in reply["sentence"], "the next upload is not blocked"


def test_an_upload_is_not_possible_where_one_result_is_reviewed(start, tmp_path, case, phantom):
    server = start(tmp_path / "results", case)
    run(_opened(server, server.cookie()))
    status, reply = server.upload("a.nii.gz", phantom_bytes(phantom, tmp_path))
    assert status == 422 and "finish or close it" in reply["sentence"]
    assert not (case / ".uploads").exists()


def slow_ct(tmp_path):
    """A scan that takes a while even with a tiny network."""
    from conftest import phantom_hu

    image = sitk.GetImageFromArray(phantom_hu((400, 128, 160)))
    image.SetSpacing((2.0, 2.0, 1.0))
    path = tmp_path / "slow.nrrd"
    sitk.WriteImage(image, str(path))
    return path


def test_a_scan_that_was_segmented_before_is_opened_as_it_was_left(start, tmp_path, phantom_file, tiny_bundle, phantom):
    """Without settings of its own; with them it is segmented anew, beside the earlier result."""
    made = make_case(tmp_path / "results" / "phantom", phantom)
    server = start(tmp_path / "results", phantom_file)

    async def follow():
        client = await Client.open(server)
        desk = await client.on_page("case")
        await client.trigger("accept", "VLVI_left")
        await client.call("trame.state.get")
        return desk

    desk = run(follow())
    assert (
        desk["opened"] == "phantom" and desk["notice"] == "This scan was segmented before; its result has been opened."
    )
    server.stop()
    assert [event.what for event in read_case(made).history] == ["accepted"]
    server = start(tmp_path / "results", phantom_file, "--bundle", tiny_bundle)
    assert run(_opened(server, server.cookie()))["opened"] == "phantom-2"
    assert sorted(path.name for path in (tmp_path / "results").iterdir() if not path.name.startswith(".")) == [
        "phantom", "phantom-2",
    ]  # fmt: skip
    assert [event.what for event in read_case(made).history] == ["accepted"]


def _children(server):
    return psutil.Process(server.process.pid).children(recursive=True)


async def _until_segmenting(client):
    await client.wait(lambda c: c.desk["progress"] and "slice" in c.desk["progress"][0])


def test_cancelling_ends_the_run_and_leaves_nothing(start, tmp_path, tiny_bundle):
    server = start(tmp_path / "results", slow_ct(tmp_path), "--bundle", tiny_bundle)

    async def cancel():
        client = await Client.open(server)
        await _until_segmenting(client)
        children = _children(server)
        assert children
        await client.trigger("cancel")
        desk = await client.on_page("start")
        assert desk["notice"] == "The run was cancelled; nothing was written." and desk["problem"] is None
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]

    run(cancel())
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())
    assert (tmp_path / "slow.nrrd").exists(), "a CT named on the command line is the user's"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_takes_its_run_with_it(start, tmp_path, tiny_bundle, number):
    server = start(tmp_path / "results", slow_ct(tmp_path), "--bundle", tiny_bundle)

    async def follow():
        client = await Client.open(server)
        await _until_segmenting(client)

    run(follow())
    children = _children(server)
    assert server.stop(number) == (0 if number == signal.SIGTERM else -number)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert children and not alive
    left = [path for path in (tmp_path / "results").rglob("*") if path.is_file() or path.name.endswith(".partial")]
    assert not left


# Starting


def test_a_taken_port_is_said_in_words(start, tmp_path, case):
    server = start(tmp_path / "results", case)
    ended = subprocess.run(
        [*PLAIN, str(tmp_path / "results"), "--port", str(server.port)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith(f"The address 127.0.0.1:{server.port} cannot be used (")
    assert "Traceback" not in ended.stderr


def test_results_in_a_folder_are_listed_worst_first(start, tmp_path, phantom):
    make_case(tmp_path / "many" / "good", phantom, ("green", "green"))
    make_case(tmp_path / "many" / "bad", phantom, ("red", "yellow"))
    server = start(tmp_path / "elsewhere", tmp_path / "many")

    async def follow():
        client = await Client.open(server)
        desk = await client.on_page("list")
        assert desk["results"] == [["bad", "1 failed, 1 inaccurate, 2 not rated"], ["good", "2 good, 2 not rated"]]
        await client.trigger("open", "bad")
        await client.on_page("case")
        await client.trigger("accept", KEYS[0])
        await client.trigger("to_list")
        desk = await client.on_page("list")
        assert desk["results"][0] == ["bad", "1 inaccurate, 2 not rated, 1 accepted"]

    run(follow())
    assert not (tmp_path / "elsewhere").exists()


def test_importing_the_command_line_starts_no_server_packages():
    code = "import sys, MSKSegmentLib.cli; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"trame", "trame_slicer", "aiohttp", "wslink"} & {name.partition(".")[0] for name in loaded.split()}
