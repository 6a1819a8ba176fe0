"""lookbook caption IMAGE…: caption pictures with a captioner of the study; one line each: path, tab, caption."""

from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command


@command
def caption(
    images: Annotated[list[Path], typer.Argument(help="picture files")],
    captioner: Annotated[
        str | None, typer.Option(help="a captioner of params.yaml (default: the study's `writer`)")
    ] = None,
    adapter: Annotated[
        Path | None,
        typer.Option(help="a folder with a LoRA adapter (default: data/adapters/<captioner>, if there is one)"),
    ] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="use the captioner without its adapter")] = False,
) -> None:
    """Caption pictures. They are scaled and compressed like the study's own; decoding is greedy."""
    from captioning.interchange.pictures import Params, captions, choose
    from pipeline.core.params import read

    chosen = choose(read(Params), captioner, adapter, pretrained)
    typer.echo(f"{chosen.name}, {chosen.adapter or 'without an adapter'}", err=True)
    for path, text in zip(images, captions(images, chosen), strict=True):
        typer.echo(f"{path}\t{text}")
