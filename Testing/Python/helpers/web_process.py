"""A real review server in a process of its own, and the two ways to talk to it: HTTP and trame's websocket."""

import asyncio
import http.client
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgpack

ROOT = Path(__file__).resolve().parents[3]
PLAIN = [sys.executable, str(Path(__file__).with_name("web_plain_page.py"))]
REAL = [sys.executable, "-m", "MSKSegmentLib", "review", "--no-browser"]
_HEADER_BYTES = 12


class Server:
    """The process; `close` it. `lines` holds what it has printed."""

    def __init__(self, *arguments, program=PLAIN, cwd=None, wait_s=180, environment=None):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [*program, *map(str, arguments)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**variables, **(environment or {})},
        )
        self.lines = []
        self._new = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self.wait_line(r"^http://\S+/\?token=\S+$", wait_s)
        parts = urlsplit(self.address)
        self.host, self.port = parts.hostname, parts.port
        self.token = parts.query.removeprefix("token=")

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._new.put(line.rstrip("\n"))
        self._new.put(None)

    @property
    def text(self):
        """Everything that was printed."""
        return "\n".join(self.lines)

    def wait_line(self, pattern, wait_s=30):
        """The next line that matches."""
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._new.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                raise AssertionError(f"the server has ended:\n{self.text}")
            if re.search(pattern, line):
                return line
        raise AssertionError(f"no line {pattern!r} in {wait_s} s:\n{self.text}")

    def request(self, path, method="GET", body=None, cookie="", **headers):
        """(status, headers, body) of one request; `path` goes out as it is, dots and all."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            if cookie:
                headers["Cookie"] = cookie
            if body is not None:
                headers.setdefault("Content-Length", str(len(body)))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def cookie(self):
        """The cookie of a new browser that has opened the address."""
        status, headers, _ = self.request(f"/?token={self.token}")
        assert status == 303, status
        return headers["Set-Cookie"].split(";")[0]

    def upload(self, name, content, cookie=None):
        """(status, reply) of an upload."""
        status, _, body = self.request("/upload", "POST", content, cookie or self.cookie(), X_File_Name=name)
        return status, json.loads(body)

    def stop(self, number=2, wait_s=30):
        """Send a signal (SIGINT unless told) and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(wait_s)

    def close(self):
        """End it, however it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def run(coroutine, wait_s=170):
    """The result of a coroutine; every window that it opened is closed afterwards."""

    async def closing():
        try:
            return await asyncio.wait_for(coroutine, wait_s)
        finally:
            while Client.opened:
                await Client.opened.pop().close()

    return asyncio.run(closing())


def soon(condition, wait_s=20):
    """Whether the condition comes true in time."""
    end = time.monotonic() + wait_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


async def opened(server, cookie):
    """What the plain page tells of the service when the result is open, in a new window of the cookie's browser."""
    client = await Client.open(server, cookie)
    return await client.on_page("case")


class Client:
    """A browser's websocket: calls, and the state that the server pushes."""

    opened = []

    def __init__(self, session, socket):
        self._session, self._socket = session, socket
        self._next = 0
        self.state = {}

    @classmethod
    async def open(cls, server, cookie=None, **headers):
        """Connect and greet as trame's page does, as a new browser unless a cookie is given.

        Raises aiohttp.WSServerHandshakeError when refused.
        """
        cookie = server.cookie() if cookie is None else cookie
        session = aiohttp.ClientSession()
        try:
            socket = await session.ws_connect(
                f"http://127.0.0.1:{server.port}/ws",
                headers={"Cookie": cookie, **headers} if cookie else headers,
                max_msg_size=0,
            )
            client = cls(session, socket)
            await client._call("wslink.hello", [{"secret": "wslink-secret"}], "system:c0:0")
            client.state.update((await client.call("trame.state.get"))["state"])
        except BaseException:
            await session.close()
            raise
        cls.opened.append(client)
        return client

    async def call(self, method, *arguments):
        """The result of a call; an error reply raises RuntimeError."""
        self._next += 1
        return await self._call(method, list(arguments), f"rpc:c0:{self._next}")

    async def trigger(self, name, *arguments):
        """What a button does."""
        return await self.call("trame.trigger", name, list(arguments), {})

    async def wait(self, condition, wait_s=60):
        """Receive until the state fulfils `condition`, and return what the plain page tells of the service."""
        end = time.monotonic() + wait_s
        while not condition(self):
            left = end - time.monotonic()
            assert left > 0, f"waited {wait_s} s; the state is {self.state.get('service')}"
            try:
                await self._receive(left)
            except (TimeoutError, asyncio.TimeoutError):
                continue
        return self.service if "service" in self.state else None

    @property
    def service(self):
        """The plain page's state."""
        return json.loads(self.state["service"])

    async def on_page(self, page, wait_s=60):
        """Wait until the service shows a page."""
        return await self.wait(lambda client: client.service["page"] == page, wait_s)

    async def close(self):
        """Close the window."""
        await self._socket.close()
        await self._session.close()

    async def _call(self, method, arguments, number):
        content = msgpack.packb({"wslink": "1.0", "id": number, "method": method, "args": arguments, "kwargs": {}})
        header = os.urandom(4) + (0).to_bytes(4, "little") + len(content).to_bytes(4, "little")
        await self._socket.send_bytes(header + content)
        while True:
            message = await self._receive(60)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return message.get("result")

    async def _receive(self, wait_s):
        data = await self._socket.receive_bytes(timeout=wait_s)
        message = msgpack.unpackb(data[_HEADER_BYTES:])
        if str(message.get("id", "")).startswith("publish:trame.state.topic"):
            self.state.update(message["result"])
        return message
