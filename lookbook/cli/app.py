"""lookbook app: look at the study in a browser on this machine: garments, captions, customers, blind ratings."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError


@command
def app(
    port: Annotated[int, typer.Option(help="a port of this machine; if it is taken, the next free one")] = 8501,
    study: Annotated[Path, typer.Option(help="the study's folder")] = Path(),
    rater: Annotated[str, typer.Option(help="who rates and writes notes here")] = "",
    open_browser: Annotated[bool, typer.Option("--open", help="open the browser")] = False,
) -> None:
    """Serve the study's pages on 127.0.0.1 until Ctrl-C. Nothing leaves this machine."""
    if find_spec("streamlit") is None:
        raise UserError("lookbook app needs Streamlit; run: pip install -e '.[app]'")
    if not (study / "params.yaml").is_file():
        raise UserError(f"--study {study}: no params.yaml there; name the folder of a study")
    os.chdir(study)
    from lookbook.app.server import ADDRESS, find_port, serve
    from lookbook.app.settings import RATER
    from lookbook.ratings.store import PATH, create_store
    from pipeline.core.params import PARAMS, load

    if rater:
        os.environ[RATER] = rater
    warning = create_store(PATH, str(load(PARAMS).get("dataset", "")))[1]
    if warning:
        typer.echo(f"warning: {warning}", err=True)

    chosen = find_port(port)
    address = f"http://{ADDRESS}:{chosen}"
    typer.echo(f"{address}  (Ctrl-C ends it)")
    if open_browser:
        import threading
        import webbrowser

        threading.Timer(1.5, webbrowser.open, [address]).start()
    serve(chosen)
