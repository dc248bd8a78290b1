"""A page of a few words on the real server, for tests of the serving itself: it starts at once and draws nothing.

python web_plain_page.py RESULTS [TARGET] [--bundle B] [--samples N] [--max-upload-mb N] [--host H] [--port N]
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from MSKSegmentLib.ct.boxes import Box
from MSKSegmentLib.errors import MSKSegmentError
from MSKSegmentLib.review import SegmentMask
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.web.case import opening
from MSKSegmentLib.web.case.options import choose
from MSKSegmentLib.web.serving import active_browser
from MSKSegmentLib.web.serving.server import serve

active_browser.GRACE_S = 1.0


class PlainPage:
    """Shows the service's state as JSON; its triggers do what buttons do."""

    def __init__(self, server, service):
        from trame.ui.html import DivLayout
        from trame.widgets import html

        self._server, self._service = server, service
        server.state.service, server.state.count = "", 0
        for name in ("open", "open_sample", "choose_series", "cancel", "to_list", "dismiss"):
            server.trigger(name)(getattr(service, name))
        server.trigger("draw")(self.draw)
        server.trigger("revert")(lambda key: service.opened.session.revert(key))
        server.trigger("accept")(lambda key: service.opened.session.accept(key))
        server.controller.on_server_bind.add(self.print_routes)
        with DivLayout(server):
            html.Div("{{ service }}", id="service")
            html.Div("{{ watching }}", id="watching")
            html.Div("{{ count }}", id="count")
            html.Button("count", id="plus", click="count = count + 1")
            chosen = "utils.get('mskseg').upload($event.target.files[0]); $event.target.value = ''"
            html.Input(type="file", id="upload-file", change=chosen)
        service.subscribe(self.show)
        self.show()

    def show(self):
        """Put the service's state on the page."""
        service = self._service
        shown = {
            "page": service.page,
            "progress": service.progress and [service.progress.message, service.progress.percent, service.progress.eta],
            "upload": service.upload and [service.upload.name, service.upload.percent],
            "problem": service.problem and service.problem.sentence,
            "details": service.problem and service.problem.details,
            "notice": service.notice,
            "making": service.documents.making,
            "opened": service.opened and service.opened.name,
            "read_only": service.opened and service.opened.read_only,
            "results": [[result.name, result.text] for result in service.results()],
            "rows": service.opened and {row.key: row.state_text for row in service.opened.session.rows() if row.found},
            "events": service.opened and len(service.opened.session.history),
        }
        with self._server.state as state:
            state.service = json.dumps(shown, ensure_ascii=False)

    def draw(self, key, corner, size):
        """A brush of `size` voxels at `corner` x, y, z, as one stroke of that segment."""
        session = self._service.opened.session
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
        """Nothing to save: the service has saved."""
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
    parser.add_argument("--samples", type=int)
    parser.add_argument("--max-upload-mb", type=int, default=64)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--author", default="")
    parser.add_argument("--quiet-s", type=float, default=60.0)
    options = vars(parser.parse_args())
    opening.QUIET_S = options.pop("quiet_s")
    options["settings"] = Settings(bundle=options.pop("bundle"), passes=options.pop("samples"))
    try:
        serve(choose(options.pop("target"), options.pop("ct"), options.pop("results"), **options), PlainPage)
    except MSKSegmentError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
