"""A page of a few words on the real server, for tests of the serving itself: it starts at once and draws nothing.

python web_plain_page.py RESULTS [TARGET] [--bundle B] [--max-upload-mb N] [--host H] [--port N]
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from MSKSegmentLib.ct.cropping import Box
from MSKSegmentLib.errors import MSKSegmentError
from MSKSegmentLib.review import SegmentMask
from MSKSegmentLib.web import opening, seats
from MSKSegmentLib.web.options import choose
from MSKSegmentLib.web.server import serve

seats.GRACE_S = 1.0


class PlainPage:
    """Shows the desk's state as JSON; its triggers do what buttons do."""

    def __init__(self, server, desk):
        from trame.ui.html import DivLayout
        from trame.widgets import html

        self._server, self._desk = server, desk
        server.state.desk, server.state.count = "", 0
        for name in ("open", "open_sample", "cancel", "to_list", "dismiss"):
            server.trigger(name)(getattr(desk, name))
        server.trigger("draw")(self.draw)
        server.trigger("revert")(lambda key: desk.opened.session.revert(key))
        server.trigger("accept")(lambda key: desk.opened.session.accept(key))
        server.controller.on_server_bind.add(self.print_routes)
        with DivLayout(server):
            html.Div("{{ desk }}", id="desk")
            html.Div("{{ watching }}", id="watching")
            html.Div("{{ count }}", id="count")
            html.Button("count", id="plus", click="count = count + 1")
            chosen = "utils.get('mskseg').upload($event.target.files[0]); $event.target.value = ''"
            html.Input(type="file", id="upload-file", change=chosen)
        desk.subscribe(self.show)
        self.show()

    def show(self):
        """Put the desk's state on the page."""
        desk = self._desk
        shown = {
            "page": desk.page,
            "progress": desk.progress and [desk.progress.message, desk.progress.percent, desk.progress.eta],
            "upload": desk.upload and [desk.upload.name, desk.upload.percent],
            "problem": desk.problem and desk.problem.sentence,
            "details": desk.problem and desk.problem.details,
            "notice": desk.notice,
            "opened": desk.opened and desk.opened.name,
            "read_only": desk.opened and desk.opened.read_only,
            "results": [[result.name, result.text] for result in desk.results()],
            "rows": desk.opened and {row.key: row.state_text for row in desk.opened.session.rows() if row.found},
            "events": desk.opened and len(desk.opened.session.history),
        }
        with self._server.state as state:
            state.desk = json.dumps(shown, ensure_ascii=False)

    def draw(self, key, corner, size):
        """A brush of `size` voxels at `corner` x, y, z, as one stroke of that segment."""
        session = self._desk.opened.session
        start, extent = np.array(corner), np.full(3, size)
        box = Box(tuple(int(v) for v in start), tuple(int(v) for v in extent))
        old = session.mask(key)
        filled = np.ones(tuple(extent[::-1]), dtype=bool)
        session.edit({key: SegmentMask(box, filled) if old is None else joined(old, SegmentMask(box, filled))})
        self.show()
        return session.row(key).values["volume_cc"]

    def print_routes(self, listener):
        """Every folder that the server would give files of."""
        folders = listener.config.get("static", {})
        print("ROUTES " + json.dumps({str(route): str(folder) for route, folder in folders.items()}), flush=True)

    def close(self):
        """Nothing to save: the desk has saved."""
        print("PAGE CLOSED", flush=True)


def joined(first, second):
    """Two masks as one."""
    low = np.minimum(first.box.start_xyz, second.box.start_xyz)
    high = np.maximum(*(np.add(mask.box.start_xyz, mask.box.size_xyz) for mask in (first, second)))
    whole = np.zeros(tuple((high - low)[::-1]), dtype=bool)
    for mask in (first, second):
        x, y, z = (int(v) for v in np.subtract(mask.box.start_xyz, low))
        sx, sy, sz = mask.box.size_xyz
        whole[z : z + sz, y : y + sy, x : x + sx] |= mask.mask
    return SegmentMask(Box(tuple(int(v) for v in low), tuple(int(v) for v in high - low)), whole)


def main():
    """Serve until a signal comes; errors as the command line prints them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--ct", type=Path)
    parser.add_argument("--bundle")
    parser.add_argument("--max-upload-mb", type=int, default=64)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--author", default="")
    parser.add_argument("--quiet-s", type=float, default=60.0)
    options = vars(parser.parse_args())
    opening.QUIET_S = options.pop("quiet_s")
    try:
        serve(choose(options.pop("target"), options.pop("ct"), options.pop("results"), **options), PlainPage)
    except MSKSegmentError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
