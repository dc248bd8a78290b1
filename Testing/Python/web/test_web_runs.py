"""Uploads, runs and cancelling on a real server, asked over HTTP and websocket; lists of results, and a taken port."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from web_cases import KEYS, make_case
from web_process import PLAIN, ROOT, Client, opened, run, soon

from MSKSegmentLib.results.result_reading import read_case

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)

# So many passes take a while even with a tiny network.
SLOW = ("--samples", 300)


def phantom_bytes(phantom, tmp_path, extension=".nii.gz"):
    path = tmp_path / f"scan{extension}"
    sitk.WriteImage(phantom.geometry.image_of(phantom.hu), str(path))
    return path.read_bytes()


def test_an_upload_is_segmented_and_opened(serve, tmp_path, phantom, tiny_bundle):
    server = serve(tmp_path / "results", "--bundle", tiny_bundle)
    content = phantom_bytes(phantom, tmp_path)

    async def follow():
        client = await Client.open(server)
        assert client.service["page"] == "start" and client.service["results"] == []
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(None, server.upload, "Hüfte%20links.nii.gz".replace("ü", "%C3%BC"), content)
        seen = []
        await client.wait(lambda c: seen.append(c.service) or c.service["page"] == "case")
        assert await sending == (200, {"ok": True, "sentence": "Hüfte links.nii.gz has arrived."})
        percents = [service["progress"][1] for service in seen if service["page"] == "running"]
        assert len(set(percents)) >= 3 and percents == sorted(percents) and percents[-1] <= 100
        assert client.service["opened"] == "Hüfte_links" and client.service["read_only"] == ""
        await client.trigger("to_list")
        service = await client.on_page("list")
        assert [name for name, _ in service["results"]] == ["Hüfte_links"] and service["opened"] is None
        await client.trigger("open", "../case")
        await client.wait(lambda c: "no longer there" in (c.service["problem"] or ""))
        await client.trigger("open", "Hüfte_links")
        await client.on_page("case")

    run(follow())
    made = tmp_path / "results" / "Hüfte_links"
    assert {"ct.nrrd", "result.json", "segmentation.seg.nrrd"} <= {path.name for path in made.iterdir()}
    assert not list((tmp_path / "results" / ".uploads").iterdir()), "the upload goes when the result has the CT"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("photo.jpg", b"\xff\xd8" * 9000, "is no scan that can be read"), ("empty.nii", b"", "is empty")],
)
def test_wrong_files_are_refused_in_words(serve, tmp_path, name, content, words):
    server = serve(tmp_path / "results")

    async def follow():
        client = await Client.open(server)
        status, reply = await asyncio.get_running_loop().run_in_executor(None, server.upload, name, content)
        assert status == 422 and words in reply["sentence"]
        service = await client.wait(lambda c: c.service["problem"])
        assert service["problem"] == reply["sentence"] and service["page"] == "start" and service["upload"] is None
        await client.trigger("dismiss")
        await client.wait(lambda c: c.service["problem"] is None)

    run(follow())
    assert not any(path.is_file() for path in (tmp_path / "results").rglob("*"))


def test_a_scan_that_cannot_be_segmented_is_said_by_the_engine(serve, tmp_path, phantom, tiny_bundle):
    server = serve(tmp_path / "results", "--bundle", tiny_bundle)
    image = phantom.geometry.image_of(np.zeros_like(phantom.hu))
    sitk.WriteImage(image, str(tmp_path / "air.nrrd"))

    async def follow():
        client = await Client.open(server)
        content = (tmp_path / "air.nrrd").read_bytes()
        await asyncio.get_running_loop().run_in_executor(None, server.upload, "air.nrrd", content)
        service = await client.wait(lambda c: c.service["problem"])
        assert service["page"] == "start" and service["problem"].endswith(".")
        assert str(tmp_path) not in (service["problem"] + service["details"])

    run(follow())
    assert [path.name for path in (tmp_path / "results").iterdir()] == [".uploads"]


def upload_head(cookie, length):
    """The first lines of an upload, whose content does not follow as announced."""
    return f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nX-File-Name: big.nrrd\r\n{length}\r\n\r\n".encode()


def test_too_large_a_file_is_refused_whatever_it_announces(serve, tmp_path):
    server = serve(tmp_path / "results", "--max-upload-mb", "1")
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


def test_a_browser_that_vanishes_leaves_nothing_behind(serve, tmp_path):
    server = serve(tmp_path / "results")
    with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
        connection.sendall(upload_head(server.cookie(), f"Content-Length: {9 << 20}") + b"NRRD0004\n" + b"x" * 100_000)
        time.sleep(0.5)
        assert list((tmp_path / "results" / ".uploads").rglob("received"))
    assert soon(lambda: not list((tmp_path / "results" / ".uploads").rglob("received")))
    status, reply = server.upload("a.txt", b"text" * 3000)
    assert status == 422 and "is no scan that can be read" in reply["sentence"], "the next upload is not blocked"


def test_an_upload_is_not_possible_where_one_result_is_reviewed(serve, tmp_path, case, phantom):
    server = serve(tmp_path / "results", case)
    run(opened(server, server.cookie()))
    status, reply = server.upload("a.nii.gz", phantom_bytes(phantom, tmp_path))
    assert status == 422 and "finish or close it" in reply["sentence"]
    assert not (case / ".uploads").exists()


def test_a_scan_that_was_segmented_before_is_opened_as_it_was_left(serve, tmp_path, phantom_file, tiny_bundle, phantom):
    """Without settings of its own; with them it is segmented anew, beside the earlier result."""
    made = make_case(tmp_path / "results" / "phantom", phantom)
    server = serve(tmp_path / "results", phantom_file)

    async def follow():
        client = await Client.open(server)
        service = await client.on_page("case")
        await client.trigger("accept", "VLVI_left")
        await client.call("trame.state.get")
        return service

    service = run(follow())
    assert service["opened"] == "phantom" and service["notice"] == "This scan was segmented before; its result has been opened."
    server.stop()
    assert [event.what for event in read_case(made).history] == ["accepted"]
    server = serve(tmp_path / "results", phantom_file, "--bundle", tiny_bundle)
    assert run(opened(server, server.cookie()))["opened"] == "phantom-2"
    assert sorted(path.name for path in (tmp_path / "results").iterdir() if not path.name.startswith(".")) == [
        "phantom", "phantom-2",
    ]  # fmt: skip
    assert [event.what for event in read_case(made).history] == ["accepted"]


def _children(server):
    return psutil.Process(server.process.pid).children(recursive=True)


async def _until_segmenting(client):
    await client.wait(lambda c: c.service["progress"] and "slice" in c.service["progress"][0])


def test_cancelling_ends_the_run_and_leaves_nothing(serve, tmp_path, phantom_file, tiny_bundle):
    server = serve(tmp_path / "results", phantom_file, "--bundle", tiny_bundle, *SLOW)

    async def cancel():
        client = await Client.open(server)
        await _until_segmenting(client)
        children = _children(server)
        assert children
        await client.trigger("cancel")
        service = await client.on_page("start")
        assert service["notice"] == "The run was cancelled; nothing was written." and service["problem"] is None
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]

    run(cancel())
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())
    assert phantom_file.exists(), "a CT named on the command line is the user's"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_takes_its_run_with_it(serve, tmp_path, phantom_file, tiny_bundle, number):
    server = serve(tmp_path / "results", phantom_file, "--bundle", tiny_bundle, *SLOW)

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


def test_a_taken_port_is_said_in_words(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)
    ended = subprocess.run(
        [*PLAIN, str(tmp_path / "results"), "--port", str(server.port)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith(f"The address 127.0.0.1:{server.port} cannot be used (")
    assert "Traceback" not in ended.stderr


def test_results_in_a_folder_are_listed_worst_first(serve, tmp_path, phantom):
    make_case(tmp_path / "many" / "good", phantom, ("green", "green"))
    make_case(tmp_path / "many" / "bad", phantom, ("red", "yellow"))
    server = serve(tmp_path / "elsewhere", tmp_path / "many")

    async def follow():
        client = await Client.open(server)
        service = await client.on_page("list")
        assert service["results"] == [["bad", "1 failed, 1 inaccurate, 2 not rated"], ["good", "2 good, 2 not rated"]]
        await client.trigger("open", "bad")
        await client.on_page("case")
        await client.trigger("accept", KEYS[0])
        await client.trigger("to_list")
        service = await client.on_page("list")
        assert service["results"][0] == ["bad", "1 inaccurate, 2 not rated, 1 accepted"]

    run(follow())
    assert not (tmp_path / "elsewhere").exists()


def test_importing_the_command_line_starts_no_server_packages():
    code = "import sys, MSKSegmentLib.commands.main; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"trame", "trame_slicer", "aiohttp", "wslink"} & {name.partition(".")[0] for name in loaded.split()}
