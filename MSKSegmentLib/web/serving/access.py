"""Who may talk to the server: only those who have the token of its address, and only pages that it served itself."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

_LOG = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REFUSED = (
    "This page needs its token: open the whole address that 'mskseg review' printed in its window. "
    "A server that was started again has a new address."
)
# Vue compiles the page's templates in the browser, hence 'unsafe-eval'. Nothing may come from, or go to, another host.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "connect-src 'self' {socket}; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PAGES = ("/", "/index.html")


class AccessControl:
    """Checks every request of one server. The token comes with the address once and then as a cookie.

    The cookie also carries a random mark of the browser, by which two people at one server are told apart.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        # Cookies belong to a host, not to a port: two servers on this computer must not overwrite each other's.
        self._cookie = f"mskseg_{secrets.token_hex(4)}"

    def attach(self, app: web.Application) -> None:
        """Put the checks and the headers in front of everything that `app` serves."""
        app.middlewares.append(self._middleware())
        app.on_response_prepare.append(_add_headers)

    def browser(self, request: web.Request) -> str:
        """The mark of the browser that sent a request; empty for other programs."""
        token, _, mark = request.cookies.get(self._cookie, "").partition(".")
        return mark if self._is_token(token) else ""

    def _middleware(self) -> Middleware:
        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            by_address = self._is_token(request.query.get("token", ""))
            by_cookie = self._is_token(request.cookies.get(self._cookie, "").partition(".")[0])
            if not (by_address or by_cookie) or not _same_origin(request):
                _LOG.info("A request without this server's token, or of another page, was refused")
                return web.Response(status=403, text=_REFUSED)
            if by_address and request.method == "GET" and request.path in _PAGES:
                return self._welcome(request)
            return await handler(request)

        return check

    def _welcome(self, request: web.Request) -> web.Response:
        """Move the token from the address into a cookie, so that it does not stay in the browser's history."""
        response = web.Response(status=303, headers={"Location": "/"})
        mark = self.browser(request) or secrets.token_hex(8)
        response.set_cookie(self._cookie, f"{self.token}.{mark}", httponly=True, samesite="Lax", path="/")
        return response

    def _is_token(self, text: str) -> bool:
        # Anything but ASCII would raise in the comparison.
        return bool(re.fullmatch(r"[\w\-]+", text, re.ASCII)) and secrets.compare_digest(text, self.token)


def _same_origin(request: web.Request) -> bool:
    """Whether the request comes from our own page, or from no page at all.

    A cookie is sent along with requests that pages of other servers on this computer make; only the origin tells them apart.
    """
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.host.lower()


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    # Not every browser counts websockets to the same server as 'self'.
    socket = f"ws://{request.host}" if re.fullmatch(r"[\w.:\[\]\-]+", request.host, re.ASCII) else ""
    response.headers.setdefault("Content-Security-Policy", _POLICY.format(socket=socket))
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
