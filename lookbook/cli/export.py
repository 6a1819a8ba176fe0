"""lookbook export CAPTIONER: write its adapter with a model card for a model hub; --merged: the whole model."""

from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command


@command
def export(
    captioner: Annotated[str, typer.Argument(help="a captioner of params.yaml that has been trained")],
    out: Annotated[
        Path | None, typer.Option(help="folder to write (default: exports/<captioner>, or exports/<captioner>-merged)")
    ] = None,
    merged: Annotated[
        bool, typer.Option("--merged", help="write the whole model, the adapter merged into its weights")
    ] = False,
    vllm: Annotated[
        bool, typer.Option("--vllm", help="with --merged: write a script besides that captions pictures by vLLM")
    ] = False,
) -> None:
    """Write an adapter or a merged model with a model card: scores, parameters, data fingerprints, CO2, licences."""
    from lookbook.workspace.export import export as write

    folder = out or Path("exports") / (f"{captioner}-merged" if merged else captioner)
    no_scores = write(captioner, folder, merged, vllm)
    typer.echo(f"wrote {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    if no_scores:
        typer.echo(f"warning: README.md there has no scores: {no_scores}", err=True)
    typer.echo("read README.md there, above all the licences, before you publish it")
