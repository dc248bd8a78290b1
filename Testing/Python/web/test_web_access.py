"""The review server as strangers see it: a real process that gives nothing without the token, and no other files with it."""

import csv
import io
import json
import zipfile

import aiohttp
import psutil
import pytest
from web_process import ROOT, Client, opened, run, soon

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)

SECRET = "only the owner may read this"


def test_nothing_is_given_without_the_token(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)
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


def test_the_token_moves_from_the_address_into_a_cookie(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)
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


def test_the_websocket_asks_for_the_token_too(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)

    async def attempts():
        for cookie, headers in (("", {}), ("mskseg_x=y", {}), (server.cookie(), {"Origin": "http://evil.example"})):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await Client.open(server, cookie, **headers)
            assert refused.value.status == 403
        client = await Client.open(server, server.cookie(), Origin=f"http://127.0.0.1:{server.port}")
        assert client.state["watching"] == ""

    run(attempts())


def test_it_listens_on_this_computer_alone(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)
    listening = {c.laddr.ip for c in psutil.Process(server.process.pid).net_connections() if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
    assert "Warning" not in server.text and server.address.startswith("http://127.0.0.1:")


def test_another_interface_is_opened_only_on_demand_and_with_a_warning(serve, tmp_path, case):
    server = serve(tmp_path / "results", case, "--host", "0.0.0.0")
    listening = {c.laddr.ip for c in psutil.Process(server.process.pid).net_connections() if c.status == "LISTEN"}
    assert listening == {"0.0.0.0"}
    assert "Warning: the page can be reached from other computers" in server.text
    assert server.request("/")[0] == 403


def test_options_for_other_programs_open_no_door(serve, tmp_path, case):
    """trame reads the environment and the command line for options of its own."""
    environment = {"TRAME_ARGS": f"--host 0.0.0.0 --content {tmp_path}", "TRAME_DEFAULT_HOST": "0.0.0.0"}
    server = serve(tmp_path / "results", case, environment=environment)
    listening = {c.laddr.ip for c in psutil.Process(server.process.pid).net_connections() if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
    assert server.request("/results/case/result.json", cookie=server.cookie())[0] == 404


# What may be fetched


def test_only_the_programs_own_folders_are_served(serve, tmp_path, case):
    server = serve(tmp_path / "results", case)
    folders = json.loads(next(line for line in server.lines if line.startswith("ROUTES ")).removeprefix("ROUTES "))
    assert len(folders) >= 2
    for folder in folders.values():
        assert "site-packages" in folder or folder == str(ROOT / "MSKSegmentLib" / "web" / "page" / "static")


def test_no_path_leads_to_other_files(serve, tmp_path, case):
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET, encoding="utf-8")
    (case / "secret.txt").write_text(SECRET, encoding="utf-8")
    (tmp_path / "results" / "secret.txt").write_text(SECRET, encoding="utf-8")
    server = serve(tmp_path / "results", case, cwd=tmp_path)
    cookie = server.cookie()
    run(opened(server, cookie))
    up = "../" * 12
    targets = [
        str(secret)[1:],
        "etc/passwd",
        "secret.txt",
        "results/case/secret.txt",
        "case/secret.txt",
        "MSKSegmentLib/commands/main.py",
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


def test_the_open_result_can_be_downloaded(serve, tmp_path, case):
    (case / "link").symlink_to("/etc/passwd")
    server = serve(tmp_path / "results", case)
    cookie = server.cookie()
    run(opened(server, cookie))
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


def test_temporary_zips_do_not_stay(serve, tmp_path, case):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    server = serve(tmp_path / "results", case, environment={"TMPDIR": str(temporary)})
    cookie = server.cookie()
    run(opened(server, cookie))
    assert server.request("/download/result.zip", cookie=cookie)[0] == 200
    # The last bytes come before the server has finished with the file.
    assert soon(lambda: not list(temporary.glob("*.zip")))
