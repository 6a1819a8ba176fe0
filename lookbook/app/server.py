"""The server: Streamlit's pages, pictures from the Parquet shards, and the files of the report.

It listens on loopback alone, tells nobody that it runs, and fetches nothing.
"""

import socket
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from streamlit.components.v2 import manifest_scanner

from lookbook.views.pictures import read_picture
from lookbook.views.study import IMAGES, REPORT
from pipeline.core.errors import UserError

ADDRESS = "127.0.0.1"
MAIN = Path(__file__).with_name("main.py")
KEEP = {"Cache-Control": "private, max-age=3600"}  # seconds; a study may be prepared anew
ALONE = {"Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"}


def configure(port: int) -> dict[str, Any]:
    """Return Streamlit's options: loopback alone, no telemetry, no files watched, no toolbar."""
    return {
        "browser.gatherUsageStats": False,
        "browser.serverAddress": ADDRESS,
        "client.toolbarMode": "minimal",
        "logger.hideWelcomeMessage": True,
        "client.showErrorDetails": "type",
        "server.address": ADDRESS,
        "server.allowedHosts": [ADDRESS, "localhost"],
        "server.fileWatcherType": "none",
        "server.headless": True,
        "server.port": port,
    }


def find_port(port: int) -> int:
    """Return the port if it is free, otherwise the next free one of twenty.

    Raises:
        UserError: None of them is free.
    """
    for candidate in range(port, port + 20):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, candidate))
            except OSError:
                continue
            return candidate
    raise UserError(f"--port {port}: this port and the 19 after it are taken or refused; name another one")


def serve_picture(request: Request) -> Response:
    """Answer with the JPEG of a row of items.parquet."""
    picture = read_picture(IMAGES, request.path_params["row"])
    if picture is None:
        return PlainTextResponse("no such picture", status_code=404)
    return Response(picture, media_type="image/jpeg", headers=KEEP)


def serve_report(request: Request) -> Response:
    """Answer with a file of the report."""
    folder = REPORT.parent.resolve()
    path = (folder / (request.path_params["path"] or REPORT.name)).resolve()
    if not path.is_file() or not path.is_relative_to(folder):
        return PlainTextResponse("no such file in reports/: run `dvc repro report`", status_code=404)
    return FileResponse(path, headers=ALONE)


def list_no_components(max_workers: int | None = None) -> list[Any]:
    """List no components of other packages, in the place of Streamlit's scan: the pages use none.

    The scan parses the metadata of every installed package, 0.4 CPU seconds for 260 of them.
    """
    return []


def build() -> Any:
    """Build the application with the routes of its own."""
    manifest_scanner.scan_component_manifests = list_no_components
    routes = [Route("/picture/{row:int}", serve_picture), Route("/report/{path:path}", serve_report)]
    return st.App(MAIN, routes=routes)


def serve(port: int) -> None:
    """Serve the study of the working directory until Ctrl-C.

    Args:
        port: A free port of loopback.
    """
    build().run(config=configure(port))
