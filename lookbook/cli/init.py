"""lookbook init FOLDER: start a study of your shop, from its exports and pictures in a folder.

`--items`, `--images` and `--purchases` name files that lie elsewhere.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError

WITH_GPU = ("blip2-opt-2.7b", "blip2_opt", "cuda")  # captioner, its family and the device, where none is named
WITHOUT_GPU = ("tiny-blip2-opt", "blip2_opt", "cpu")


@command
def init(
    folder: Annotated[
        Path | None, typer.Argument(help="folder with an export of products, pictures, and an export of orders")
    ] = None,
    name: Annotated[
        str,
        typer.Option(help="names data/raw/NAME and studies/NAME.yaml (default: as the folder)"),
    ] = "",
    items: Annotated[Path | None, typer.Option(help="CSV of products (default: the one in the folder)")] = None,
    images: Annotated[
        Path | None, typer.Option(help="folder or zip of pictures, named by item id or by a column (default: as above)")
    ] = None,
    purchases: Annotated[
        Path | None, typer.Option(help="CSV of orders (default: as above; without one no recommendations)")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="what=NAME, such as description=Title, or what= for none; repeatable (default: guessed)"),
    ] = None,
    captioner: Annotated[
        str,
        typer.Option(
            help="captioner: a folder under data/models/ (default: blip2-opt-2.7b with a GPU, else tiny-blip2-opt)"
        ),
    ] = "",
    family: Annotated[str, typer.Option(help="its family: a module of captioning/families/")] = "blip2_opt",
    views: Annotated[
        Literal["first", "all"] | None,
        typer.Option(help="all: further pictures of an item count in its image features (default: the first alone)"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what is guessed and write nothing")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="write the data of this name anew, and keep the rest of its parameters")
    ] = False,
    list_urls: Annotated[
        bool, typer.Option("--list-urls", help="print a configuration with which curl fetches the pictures")
    ] = False,
) -> None:
    """Start a study about your own shop: find its columns, pack its pictures, and write a parameter file."""
    from lookbook.shops.pictures import list_downloads
    from lookbook.shops.sources import Sources, find_sources, refuse_absent
    from lookbook.workspace.new import choose_all_columns, describe, make_name, plan_study, write_plan

    given = {"items": items, "images": images, "purchases": purchases}
    options = [[f"--{option}", str(path)] for option, path in given.items() if path]
    options += [["--name", name]] * bool(name) + [["--column", text] for text in column or []]
    words = ["lookbook", "init", *([str(folder)] if folder else []), *(word for option in options for word in option)]
    named = read_columns(column or [])
    sources = Sources(items, purchases, images)
    if folder:
        sources = find_sources(folder, sources)
    if list_urls and sources.items:
        shop_items, _ = choose_all_columns(sources, named, words)
        typer.echo("\n".join(list_downloads(shop_items, (folder or sources.items.parent) / "pictures")))
        return
    refuse_absent(sources, given)
    chosen = choose_captioner(captioner, family)
    plan = plan_study(name or make_name(folder or Path(".")), sources, named, words, replace, views)
    typer.echo("\n".join(describe(plan)))
    if plan.purchases is None:
        typer.echo("no orders: the study is about captions alone; recommendations are off")
    if not captioner:
        typer.echo(f"captioner: {chosen[0]}, as this machine has {'a' if chosen == WITH_GPU else 'no'} GPU")
    if chosen == WITHOUT_GPU:
        typer.echo("note: it has seen drawn garments only, so its captions of photographs will be poor")
    if dry_run:
        typer.echo("nothing is written (--dry-run)")
        return
    write_plan(plan, chosen[:2], chosen[2])
    made = [f"{file} {'linked' if file in plan.links else 'written'}" for file in (*plan.links, *plan.writes)]
    typer.echo(f"wrote {plan.study} and {plan.folder} ({', '.join(sorted(made))}, pictures packed)")
    target = "" if plan.purchases else " report"  # without purchases nothing reads features: leave them out
    typer.echo(f"next: cp {plan.study} params.yaml && lookbook doctor && dvc repro{target}")


def read_columns(texts: list[str]) -> dict[str, str]:
    """Read `what=NAME` options.

    Raises:
        UserError: one is not of this form.
    """
    from lookbook.shops.columns import ITEM_COLUMNS, ORDER_COLUMNS

    allowed = [*ITEM_COLUMNS, *ORDER_COLUMNS]
    named = {}
    for text in texts:
        what, sign, name = text.partition("=")
        if what not in allowed or not sign:
            raise UserError(f"--column {text}: must be what=NAME with what one of: {', '.join(allowed)}")
        named[what] = name
    return named


def choose_captioner(captioner: str, family: str) -> tuple[str, str, str]:
    """Return the captioner, its family and the device; a captioner is chosen by the machine if none is named.

    Raises:
        UserError: there is no such family, no such captioner, or its name is none for a captioner.
    """
    import torch

    from pipeline.captioners import check_captioner
    from pipeline.model_folders import MODELS, check_folder
    from pipeline.names import check_name

    check_name("family", family, "captioning/families")
    chosen = WITH_GPU if torch.cuda.is_available() else WITHOUT_GPU
    if not captioner:
        return chosen
    check_captioner(captioner)
    if family != "file":
        check_folder(MODELS / captioner)
    return captioner, family, chosen[2]
