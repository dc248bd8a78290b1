"""The status page, on this computer alone: how far each study is, why it stopped. It knows no header text and shows none."""

from __future__ import annotations

import html
import json
import logging
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from .. import RESEARCH_USE_ONLY
from ..errors import InputError

_LOG = logging.getLogger(__name__)
_HOST = "127.0.0.1"
# A peer that says nothing must not keep the one thread.
_TIMEOUT_S = 5.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 68rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 1.6rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
code { font-family: ui-monospace, monospace; }
.failed, .refused, .trouble { font-weight: 600; }
.trouble::before, .failed::before { content: "! "; }
.note { opacity: .75; font-size: .9rem; }
"""
NodeStatus = dict[str, Any]


class StatusPage:
    """Serves ``/`` and ``/status.json`` from a thread of its own until `close`."""

    def __init__(self, port: int, status: Callable[[], NodeStatus]) -> None:
        """Start serving what `status` gives.

        Raises:
            InputError: the port is taken.
        """
        try:
            self._server = _Server((_HOST, port), _Handler)
        except OSError as error:
            raise InputError(f"The status page cannot use port {port} ({error.strerror}); correct node.status_port.") from error
        self._server.status = status
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="status", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{_HOST}:{self._server.server_port}/"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Server(HTTPServer):
    status: Callable[[], NodeStatus]

    def handle_error(self, request: Any, client_address: Any) -> None:
        _LOG.debug("A request for the status page failed")


class _Handler(BaseHTTPRequestHandler):
    timeout = _TIMEOUT_S
    server_version, sys_version = "mskseg", ""
    server: _Server

    def do_GET(self) -> None:
        # A page elsewhere that had its name point here would send its own name.
        host = self.headers.get("Host", "").rpartition(":")[0]
        pages = {"/": ("text/html", page), "/status.json": ("application/json", _as_json)}
        if host not in (_HOST, "localhost"):
            self._answer(403, "text/plain", "Open the status page by the address 127.0.0.1.")
        elif self.path not in pages:
            self._answer(404, "text/plain", "There is no such page.")
        else:
            kind, draw = pages[self.path]
            self._answer(200, kind, draw(self.server.status()))

    def _answer(self, code: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(code)
        for name, value in (*_HEADERS.items(), ("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests for the page are not worth a line."""


def _as_json(status: NodeStatus) -> str:
    return json.dumps(status)


def page(status: NodeStatus) -> str:
    """The page as HTML, which asks for itself again every few seconds."""
    states = "".join(f"<th class=n>{_text(state)}" for state in status["studies"])
    counts = "".join(f"<td class=n>{number}" for number in status["studies"].values())
    received = "".join(f"<tr><td>{_text(what)}</td><td class=n>{number}</td></tr>" for what, number in status["received"].items())
    peers = "".join(_peer(name, trouble) for name, trouble in status["peers"].items())
    disk = status["disk"]
    return f"""<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=5>
<meta name=viewport content="width=device-width"><title>MSKSegment node</title><style>{_STYLE}</style>
<h1>MSKSegment node {_text(status["ae_title"])}</h1>
<p class=note>{_text(RESEARCH_USE_ONLY)} Version {_text(status["version"])}, running for {_duration(status["running_s"])}.
No patient data here: a study is named by the first 12 digits of the SHA-256 of its Study Instance UID.</p>
<h2>Studies</h2><table><tr>{states}</tr><tr>{counts}</tr></table>
<h2>Archive and disk</h2><table>{peers}<tr><th>Folder</th><td>{disk["used_mb"]:.1f} of {disk["most_mb"]:.0f} MB{
        "" if disk["has_room"] else ", <span class=trouble>full: new images are refused</span>"
    }</td></tr></table>
<h2>Last changes</h2><table><tr><th>Study<th>State<th>Since<th class=n>Images<th class=n>Attempts<th>What about it</tr>
{"".join(map(_row, status["last"]))}</table>
<h2>Received since the start</h2><table>{received or "<tr><td>nothing yet</td></tr>"}</table></html>"""


def _row(row: NodeStatus) -> str:
    state = _text(row["state"])
    note = row["reason"]
    if row["progress"]:
        note = f"slice {row['progress'][0]} of {row['progress'][1]}"
    if row["next_s"] > 0:
        note = f"{note} Next attempt in {_duration(row['next_s'])}."
    return (
        f"<tr><td><code>{_text(row['study'])}</code></td><td class={state}>{state}</td><td>{_duration(row['age_s'])} ago</td>"
        f"<td class=n>{row['images']}</td><td class=n>{row['attempts']}</td><td>{_text(note)}</td></tr>"
    )


def _peer(name: str, trouble: str) -> str:
    return f"<tr><th>{_text(name)}</th><td>{f'<span class=trouble>{_text(trouble)}</span>' if trouble else 'no trouble'}</td></tr>"


def _text(value: object) -> str:
    return html.escape(str(value))


def _duration(seconds: float) -> str:
    seconds = max(0, round(seconds))
    for name, unit in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def age(moment: float) -> float:
    """Seconds since a moment."""
    return time.time() - moment
