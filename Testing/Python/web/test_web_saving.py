"""What has been answered is saved, whenever the server ends and whatever goes wrong with the drive."""

import asyncio
import csv
import io
import json
import signal
import zipfile

import aiohttp
import numpy as np
import pytest
from web_cases import make_case
from web_process import Client, opened, run, soon

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.reading.label_maps import read_labels
from MSKSegmentLib.results.result_reading import read_case

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)


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


def test_a_killed_server_loses_nothing_that_was_answered(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)
    before = read_labels(case / "segmentation.seg.nrrd", HIP_AND_THIGH)[0]
    run(_draw(server, [[2, 2, 2], [8, 2, 2]], accept="FEMUR_left"))
    server.process.kill()
    server.process.wait()
    stored = read_case(case)
    assert [event.what for event in stored.history] == ["edited", "accepted"] and strokes(stored) == 3
    assert (stored.result.labels[2:6, 2:6, 2:6] == 21).all() and (stored.result.labels[2:6, 2:6, 8:12] == 21).all()
    assert np.array_equal(stored.automatic.labels, before)
    again = serve(tmp_path / "results", case, "--quiet-s", "0.2")
    service = run(opened(again, again.cookie()))
    assert service["rows"]["VLVI_right"].startswith("edited") and service["rows"]["FEMUR_left"].startswith("accepted")
    assert service["events"] == 2 and service["read_only"] == ""
    labels = stored.result.labels
    assert soon(lambda: np.array_equal(read_labels(case / "segmentation.seg.nrrd", HIP_AND_THIGH)[0], labels)), (
        "the file follows by itself"
    )


def test_killing_at_any_moment_leaves_a_whole_review(serve, tmp_path, case):
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
        server = serve(tmp_path / "results", case)
        answered = run(draw_until_killed(server, offset))
        server.close()
        stored = read_case(case)
        # The save follows its answer within the same turn of the loop: one may be missing, and one may be unanswered.
        assert answered - 1 <= strokes(stored) <= answered + 1
        drawn = stored.result.labels != stored.automatic.labels
        assert drawn.any() == bool(stored.history)
        assert not list(case.glob("*.partial*.json"))


def test_ctrl_c_leaves_everything_up_to_date(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)
    run(_draw(server, [[2, 2, 2]]))
    assert server.stop(signal.SIGINT) == 0
    assert "PAGE CLOSED" in server.text and "Traceback" not in server.text
    stored = read_case(case)
    assert np.array_equal(read_labels(case / "segmentation.seg.nrrd", HIP_AND_THIGH)[0], stored.result.labels)
    assert (stored.result.labels[2:6, 2:6, 2:6] == 21).all()


def test_downloads_hold_the_last_stroke(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)
    run(_draw(server, [[2, 2, 2]]))
    cookie = server.cookie()
    path = tmp_path / "got.seg.nrrd"
    path.write_bytes(server.request("/download/segmentation.seg.nrrd", cookie=cookie)[2])
    assert (read_labels(path, HIP_AND_THIGH)[0][2:6, 2:6, 2:6] == 21).all()
    rows = list(csv.DictReader(io.StringIO(server.request("/download/measurements.csv", cookie=cookie)[2].decode())))
    row = next(row for row in rows if (row["abbreviation"], row["side"]) == ("VLVI", "right"))
    assert row["state"] == "edited" and 0 < float(row["dice_to_automatic"]) < 1
    with zipfile.ZipFile(io.BytesIO(server.request("/download/result.zip", cookie=cookie)[2])) as archive:
        assert json.loads(archive.read("case/result.json"))["history"][0]["what"] == "edited"


def test_a_full_drive_is_said_and_the_change_is_saved_later(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)

    async def draw():
        client = await Client.open(server)
        await client.on_page("case")
        # No file can be replaced by a folder: the save fails as on a drive that refuses.
        (case / "review.npz").mkdir()
        await client.trigger("draw", "VLVI_right", [2, 2, 2], 4)
        service = await client.wait(lambda c: c.service["problem"])
        assert service["problem"].endswith("Until then it is kept on this page only, and saving is tried again.")
        (case / "review.npz").rmdir()

    run(draw())
    assert soon((case / "review.npz").is_file), "saving is tried again without another stroke"
    server.process.kill()
    assert strokes(read_case(case)) == 1


def test_a_result_that_is_replaced_while_open_is_not_mixed_with_the_new_one(serve, tmp_path, case, phantom):
    server = serve(tmp_path / "results", case)

    async def draw():
        client = await Client.open(server)
        await client.on_page("case")
        make_case(case, phantom, ("green",))
        before = {path.name: path.read_bytes() for path in case.iterdir()}
        await client.trigger("draw", "VLVI_right", [2, 2, 2], 4)
        service = await client.wait(lambda c: c.service["problem"])
        assert service["problem"].startswith("Read-only: another run has replaced this result while it was open")
        return before

    before = run(draw())
    assert server.stop() == 0
    assert {path.name: path.read_bytes() for path in case.iterdir()} == before
