"""Routes of the server, its options, and its port; no browser is needed."""

import importlib.metadata
import socket
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.components.v2.component_manager import BidiComponentManager as ComponentManager

from lookbook.app import server
from lookbook.views.pictures import read_picture
from pipeline.core.errors import UserError
from tests.helpers.repository import ROOT


def get(path: str) -> tuple[int, bytes]:
    """Ask the routes of the server, in this process."""
    import asyncio

    app = Starlette(
        routes=[
            Route("/picture/{row:int}", server.serve_picture),
            Route("/report/{path:path}", server.serve_report),
        ]
    )
    sent: list[dict] = []

    async def ask() -> None:
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict:
            if not messages:
                await asyncio.Event().wait()  # the client stays
            return messages.pop()

        async def send(message: dict) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        await app({**scope, "headers": [], "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_no_module_of_the_application_hides_a_package() -> None:
    """Streamlit puts the folder of its script first in the search path, of this process and of those it starts."""
    ours = {path.stem for path in Path(server.__file__).parent.iterdir()}
    assert not ours & {path.parent.name for path in ROOT.glob("*/__init__.py")}


def test_pictures_are_served_as_they_are_packed(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    assert get("/picture/17") == (200, read_picture(Path("data/prepared/images"), 17))
    assert get("/picture/60")[0] == 404


def test_the_report_is_served_and_nothing_beside_it(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    assert b"Report" in get("/report/")[1]
    assert get("/report/tables/captions.csv")[0] == 200
    for path in ("/report/../params.yaml", "/report//etc/passwd", "/report/tables", "/report/none.html"):
        assert get(path)[0] == 404, path


def test_every_option_is_one_that_streamlit_knows_and_none_leads_out() -> None:
    options = server.configure(8501)
    assert set(options) <= set(config.get_config_options())
    assert options["server.address"] == "127.0.0.1"
    assert options["browser.gatherUsageStats"] is False


def test_no_installed_package_is_scanned_for_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit looks the scan up in this module when it starts; a version that does not would scan again."""
    scan = "scan_component_manifests"
    monkeypatch.setattr(manifest_scanner, scan, getattr(manifest_scanner, scan))  # as it was, after this test
    server.build()
    manager = ComponentManager()
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: pytest.fail("the packages are read"))
    manager.discover_and_register_components(start_file_watching=False)
    assert getattr(manifest_scanner, scan)() == []


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert server.find_port(port) != port


def test_ports_beyond_the_last_are_refused() -> None:
    with pytest.raises((UserError, OverflowError)):
        server.find_port(70_000)


def test_streamlit_finds_no_pages_of_its_own() -> None:
    """It would show them to the first visitor of a new server whose address names a page."""
    assert not server.MAIN.with_name("pages").exists()
