"""Fixtures for tests with a real server, the real page and a real Chromium, for files that name this one in pytest_plugins."""

import pytest
from web_cases import make_case
from web_chromium import chromium
from web_process import REAL, Server

SLOW_MS = 60_000


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


@pytest.fixture
def visit(browser):
    """Open an address as a new person; gives the page, which must not have complained or asked other hosts at the end.

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
            lambda request: complaints.append(request.url)
            if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:"))
            else None,
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
def case(tmp_path, phantom):
    """A result with a failed and an inaccurate segment."""
    return make_case(tmp_path / "results" / "case", phantom, ("red", "yellow"))
