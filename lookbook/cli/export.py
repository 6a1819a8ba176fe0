"""lookbook export CAPTIONER: its adapter with a model card, ready for a model hub; with --merged, the whole model."""

from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command


@command
def export(
    captioner: Annotated[str, typer.Argument(help="a captioner of params.yaml that has been trained")],
    out: Annotated[Path | None, typer.Option(help="folder to write; as it comes: exports/<captioner>")] = None,
    merged: Annotated[bool, typer.Option(help="the model with the adapter merged into its weights")] = False,
) -> None:
    """Write an adapter (or a merged model) with a model card: scores, parameters, data fingerprints, CO2, licences."""
    from lookbook.workspace import export as exports

    folder = out or Path("exports") / (f"{captioner}-merged" if merged else captioner)
    exports.export(captioner, folder, merged)
    typer.echo(f"wrote {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    typer.echo("read README.md there, above all the licences, before you publish it")
