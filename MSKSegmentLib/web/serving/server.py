"""The server of the review page: on this computer only, behind a token, ended by Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ... import RESEARCH_USE_ONLY
from ...errors import InputError
from ..case.options import LOOPBACK, ReviewOptions
from ..case.service import ReviewService
from ..page.markup import STATIC, STATIC_URL
from .access import AccessControl
from .active_browser import follow_browsers, guard_calls
from .transfers import add_transfers

# Pictures go to the browser, small events come back: nothing from the page is ever this large.
MOST_MESSAGE_BYTES = 16 << 20
# What trame puts in the page's place when its websocket has gone, by a sleeping laptop for example; connection.js loads the page
# again as soon as the server answers.
_INTERRUPTED = """
<div id="msk" :data-theme="theme"><main class="running"><section class="card run-card">
  <h1>MSKSegment</h1>
  <p id="interrupted" role="status">The connection to the review was interrupted. Everything is saved; the page comes back as soon
  as the server answers.</p>
</section></main></div>
"""
_CLOSING_S = 5.0


class Page(Protocol):
    """What the page has to offer to the server."""

    def close(self) -> None:
        """Save what is left to save; the server ends."""


MakePage = Callable[[Any, ReviewService], Page]


def serve(options: ReviewOptions, make_page: MakePage | None = None) -> None:
    """Serve the review until SIGINT or SIGTERM; prints the address, with its token, on a line of its own.

    Raises:
        InputError: the port is taken or the interface does not exist.
    """
    asyncio.run(_serve(options, make_page or _review_page))


async def _serve(options: ReviewOptions, make_page: MakePage) -> None:
    from trame.app import get_server

    server = get_server("mskseg", client_type="vue3")
    assert server is not None
    scripts = [f"{STATIC_URL}/{name}.js" for name in ("transfer", "connection")]
    server.enable_module({"serve": {STATIC_URL: str(STATIC)}, "scripts": scripts})
    server.state.trame__template_error = _INTERRUPTED
    service, access = ReviewService(options), AccessControl()
    browsers = follow_browsers(server, access.browser)
    page = make_page(server, service)

    def on_bind(listener: Any) -> None:
        # Before the listener opens: no request can pass by the checks.
        access.attach(listener.app)
        add_transfers(listener.app, service)
        for handler in listener._ws_handlers:
            guard_calls(handler, browsers, MOST_MESSAGE_BYTES)

    def on_ready(**_: Any) -> None:
        _announce(options, server.port, access.token)
        service.start()

    server.controller.on_server_bind.add(on_bind)
    server.controller.on_server_ready.add(on_ready)
    ended = _end_signal()
    with _own_command_line():
        serving = server.start(
            exec_mode="coroutine",
            host=options.host,
            port=options.port,
            thread=True,
            open_browser=False,
            show_connection_info=False,
            timeout=0,
            backend="aiohttp",
        )
    task = asyncio.ensure_future(serving)
    try:
        await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            _explain(task, options)
    finally:
        try:
            await service.close()
        finally:
            page.close()
            await _stop(server, task)


def _review_page(server: Any, service: ReviewService) -> Page:
    from ..page.app import ReviewApp

    return ReviewApp(server, service)


def _announce(options: ReviewOptions, port: int, token: str) -> None:
    host = socket.gethostname() if options.host in ("0.0.0.0", "::") else options.host
    if options.host not in (LOOPBACK, "localhost", "::1"):
        print(
            f"Warning: the page can be reached from other computers through {options.host}, without encryption. Whoever has the "
            "address can see and change the results; use it in a network that you trust only.",
            file=sys.stderr,
            flush=True,
        )
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/?token={token}"
    print(f"{RESEARCH_USE_ONLY}\nThe review is open at this address; end it with Ctrl-C:\n{address}", flush=True)
    if options.open_browser and _has_screen():
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, address)


def _has_screen() -> bool:
    """Without a screen a text browser would take over the terminal."""
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _end_signal() -> asyncio.Future[None]:
    """A future that Ctrl-C or SIGTERM completes."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, end)
        except NotImplementedError:
            # Windows has no such handlers; the plain one must not touch the loop from outside.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(end))
    return ended


@contextlib.contextmanager
def _own_command_line() -> Iterator[None]:
    """trame reads options of its own from the command line and the environment: clear both for it."""
    arguments, trame_arguments = sys.argv, os.environ.pop("TRAME_ARGS", None)
    sys.argv = arguments[:1]
    try:
        yield
    finally:
        sys.argv = arguments
        if trame_arguments is not None:
            os.environ["TRAME_ARGS"] = trame_arguments


def _explain(task: asyncio.Future[Any], options: ReviewOptions) -> None:
    error = task.exception()
    if isinstance(error, OSError):
        raise InputError(
            f"The address {options.host}:{options.port} cannot be used ({error.strerror or 'it is taken'}); choose another port "
            "with --port, or leave it out."
        ) from error
    if error is not None:
        raise error


async def _stop(server: Any, task: asyncio.Future[Any]) -> None:
    if not task.done() and server.running:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(server.stop(), _CLOSING_S)
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
