"""lookbook caption IMAGE…: what a captioner of the study says about pictures, one line each: path, tab, caption."""

from pathlib import Path
from typing import Annotated

import typer

from lookbook.cli import command


@command
def caption(
    images: Annotated[list[Path], typer.Argument(help="picture files")],
    captioner: Annotated[str | None, typer.Option(help="of params.yaml; as it comes: its writer")] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="a folder with a LoRA adapter; as it comes: data/adapters/<captioner>")
    ] = None,
    pretrained: Annotated[bool, typer.Option(help="without an adapter")] = False,
) -> None:
    """Print captions of pictures. Pictures are scaled and stored as the study's own are; decoding is greedy."""
    from captioning.interchange.pictures import captions, choose
    from pipeline.core.params import load

    chosen = choose(load(Path("params.yaml")), captioner, adapter, pretrained)
    typer.echo(f"{chosen.name}, {chosen.adapter or 'as it comes'}", err=True)
    for path, text in zip(images, captions(images, chosen), strict=True):
        typer.echo(f"{path}\t{text}")
