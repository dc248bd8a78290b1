"""Fixtures for tests with a real server, the real page and a real Chromium, for files that name this one in pytest_plugins."""

from contextlib import contextmanager

import pytest
from conftest import phantom_volume
from web_cases import make_case
from web_chromium import chromium
from web_page import opened
from web_process import REAL, Server

# Other work may make the machine five times as slow.
SLOW_MS = 180_000


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def start(tmp_path):
    """Start a review with these arguments."""
    servers = []

    def run(*arguments):
        servers.append(Server(*arguments, program=REAL, cwd=tmp_path))
        return servers[-1]

    yield run
    for server in servers:
        server.close()


@pytest.fixture
def serve():
    """Start the plain page with these arguments."""
    servers = []

    def run(*arguments, **options):
        servers.append(Server(*arguments, **options))
        return servers[-1]

    yield run
    for server in servers:
        server.close()


@contextmanager
def visiting(browser):
    """Gives what opens an address as a new person; the pages must not have complained or asked other hosts at the end.

    With `errors` off, scripts may fail: trame's do when their connection is lost. `script` runs before the page's own.
    """
    contexts, complaints = [], []

    def open_address(address, errors=True, script=None, **options):
        context = browser.new_context(**{"viewport": {"width": 1366, "height": 768}, "accept_downloads": True, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW_MS)
        page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)) if errors else None)
        page.on(
            "request",
            lambda request: (
                complaints.append(request.url) if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")) else None
            ),
        )
        if script:
            page.add_init_script(script)
        page.goto(address)
        return page

    yield open_address
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def visit(browser):
    """Open an address as a new person, see `visiting`."""
    with visiting(browser) as open_address:
        yield open_address


@pytest.fixture(scope="module")
def window(browser, tmp_path_factory):
    """A window at a list of results, and their folder: starting a server takes longer than most tests of the page."""
    folder = tmp_path_factory.mktemp("review")
    make_case(folder / "case0", phantom_volume(), ("red", "yellow"))
    server = Server(folder, program=REAL, cwd=folder)
    with visiting(browser) as open_address:
        yield open_address(server.address), folder
    server.close()


@pytest.fixture
def page(window, phantom):
    """The window with a result that nobody has opened before, when its pictures are there."""
    shown, folder = window
    name = "case0"
    if shown.locator("#close-case").count():
        name = f"case{len(list(folder.glob('case*')))}"
        make_case(folder / name, phantom, ("red", "yellow"))
        shown.locator("#close-case").click()
    shown.locator(f"#result-list tr[data-name={name}] button").click()
    return opened(shown)


@pytest.fixture
def case(tmp_path, phantom):
    """A result with a failed and an inaccurate segment."""
    return make_case(tmp_path / "results" / "case", phantom, ("red", "yellow"))
