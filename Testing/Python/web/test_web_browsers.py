"""Two people at one result: who came first works, the other watches, in the same server or in another."""

import asyncio

import pytest
from web_process import Client, opened, run

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)


def test_a_second_browser_watches_until_the_first_has_gone(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)

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
        watched = await second.wait(lambda client: client.service["events"] == 1)
        assert watched["rows"]["VLVI_right"].startswith("edited"), "who watches sees what the other does"
        assert (await first.call("trame.state.get"))["state"]["count"] == 0
        assert "Read-only" in (await second.call("trame.state.get"))["state"]["watching"]
        await first.close()
        await second.wait(lambda client: client.state["watching"] == "")
        assert await second.trigger("draw", "VLVI_right", [4, 4, 12], 6) > 0
        await second.close()

    run(both())
    assert server.process.poll() is None


def test_reloading_the_page_keeps_the_browser_active(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)

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


def test_a_second_server_opens_the_same_result_read_only(serve, tmp_path, case):
    first = serve(tmp_path / "results", case, "--author", "Dr. A")
    run(opened(first, first.cookie()))
    second = serve(tmp_path / "results", case)

    async def read():
        client = await Client.open(second)
        service = await client.on_page("case")
        assert service["read_only"].startswith("Read-only: Dr. A has had this result open on this computer since ")
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
    third = serve(tmp_path / "results", case)
    assert run(opened(third, third.cookie()))["read_only"] == ""
