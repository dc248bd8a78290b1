"""Two browsers at one server: the first works, the others watch.

trame shares one state and one scene among all browsers of a server. So calls that could change something are passed on from
one browser only, whatever the page of another one may send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from ...language.catalogue import stated
from ...language.forms import told

# What a watching page needs to show the same pictures and numbers; these calls change nothing.
WATCHING_CALLS = frozenset(
    {
        "trame.state.get",
        "trame.lifecycle.update",
        "trame.error.client",
        "trame.rca.drop",
        "trame.rca.reset",
        "trame.rca.video.codecs",
    }
)
# Nobody ends the server from the page.
_NO_CALLS = frozenset({"application.exit", "application.exit.later"})
WATCHING = "watching"
SENTENCE = stated(
    "Read-only: another browser has this page open and works in it; you see what they see, and can make changes when they have "
    "closed it."
)
# A page that is reloaded is gone for a moment; its browser stays the active one that long.
GRACE_S = 8.0


class Browsers:
    """Which of the connected browsers may work. A browser may have several windows, which may work alike."""

    def __init__(self) -> None:
        self._browsers: dict[str, str] = {}
        self._active = ""

    def join(self, client: str, browser: str) -> None:
        """A window of a browser has connected."""
        self._browsers[client] = browser
        self._active = self._active or browser

    def leave(self, client: str) -> bool:
        """A window has gone; whether it was the last one of the active browser."""
        browser = self._browsers.pop(client, None)
        return browser == self._active and browser not in self._browsers.values()

    def pass_on(self) -> tuple[str, ...]:
        """Let the browser that has watched longest work when the active one has gone; returns its windows."""
        if self._active in self._browsers.values():
            return ()
        self._active = next(iter(self._browsers.values()), "")
        return tuple(client for client, browser in self._browsers.items() if browser == self._active)

    def may_work(self, client: str) -> bool:
        """Whether calls of this window may change something."""
        return self._browsers.get(client) == self._active

    def watching(self, client: str) -> str:
        """The sentence for this window; empty for one that may work."""
        return "" if self.may_work(client) else told(SENTENCE)


def follow_browsers(server: Any, browser_of: Callable[[web.Request], str]) -> Browsers:
    """Keep the browsers of a trame server apart; call before it starts. Sets its state variable ``watching``."""
    from wslink.websocket import LinkProtocol

    browsers = Browsers()
    server.state[WATCHING] = ""

    class BrowserProtocol(LinkProtocol):
        """Learns of browsers that come and go."""

        def onConnect(self, request: web.Request, client_id: str) -> None:  # noqa: N802
            """A program without a browser's mark counts as a browser of its own."""
            browsers.join(client_id, browser_of(request) or client_id)

        def onClose(self, client_id: str) -> None:  # noqa: N802
            """The next browser may work unless this one is back soon."""
            if browsers.leave(client_id):
                asyncio.get_running_loop().call_later(GRACE_S, self.pass_on)

        def pass_on(self) -> None:
            """Tell the windows that may work from now on."""
            for client in browsers.pass_on():
                self.publish("trame.state.topic", {WATCHING: ""}, client_id=client)

    server.add_protocol_to_configure(lambda protocol: protocol.registerLinkProtocol(BrowserProtocol()))
    return browsers


def guard_calls(handler: Any, browsers: Browsers, most_message_bytes: int) -> None:
    """Let only the active browser's calls through a wslink handler, and limit the size of any message."""

    def guarded(name: str, owner: Any, call: Callable[..., Any]) -> tuple[Any, Callable[..., Any]]:
        def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
            client = handler.web_app.last_active_client_id
            if name == "trame.state.get":
                return _with_watching(call(self, *args, **kwargs), browsers.watching(client))
            if name not in WATCHING_CALLS and not browsers.may_work(client):
                return None
            return call(self, *args, **kwargs)

        return owner, checked

    calls: Mapping[str, tuple[Any, Callable[..., Any]]] = handler.functionMap
    handler.functionMap = {name: guarded(name, *pair) for name, pair in calls.items() if name not in _NO_CALLS}
    greet = handler.handleSystemMessage

    async def greet_and_limit(rpcid: str, method: str, args: list[Any], client_id: str) -> bool:
        handled: bool = await greet(rpcid, method, args, client_id)
        if handler.isClientAuthenticated(client_id) and client_id in handler.unchunkers:
            # wslink would let a message claim gigabytes, for which it then makes room.
            handler.unchunkers[client_id].set_max_message_size(most_message_bytes)
        return handled

    handler.handleSystemMessage = greet_and_limit


def _with_watching(reply: dict[str, Any], sentence: str) -> dict[str, Any]:
    return {**reply, "state": {**reply["state"], WATCHING: sentence}}
