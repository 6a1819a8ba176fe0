"""lookbook ratings new | export | import: rounds of blind ratings, and what people said as CSV files for git."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError

if TYPE_CHECKING:
    from lookbook.ratings.store import Store

app = typer.Typer(no_args_is_help=True, help="Blind ratings: make rounds, export what people said, merge files.")
FOLDER = Path("ratings")


@app.command("new")
@command
def new(
    name: Annotated[str, typer.Argument(help="name of the round: small letters, digits, hyphens")],
    a: Annotated[str | None, typer.Option(help="first arm (default: the writer's fine-tuned captions)")] = None,
    b: Annotated[str | None, typer.Option(help="second arm (default: the writer's pre-trained captions)")] = None,
    other: Annotated[list[str] | None, typer.Option(help="a further arm, repeatable")] = None,
    question: Annotated[
        list[str] | None, typer.Option(help="better, right, complete or reads-well, repeatable (default: better)")
    ] = None,
    items: Annotated[int, typer.Option(help="garments to draw", min=1)] = 100,
    raters: Annotated[int, typer.Option(help="how many raters are planned", min=1)] = 1,
    overlap: Annotated[str, typer.Option(help="pairs that every rater judges: all, or a number")] = "all",
    seed: Annotated[int, typer.Option(help="of what is drawn", min=0)] = 42,
) -> None:
    """Write a round to ratings/rounds/, and say what so many judgements can show."""
    import pydantic

    from lookbook.ratings.power import find_detectable, list_power
    from lookbook.ratings.rounds import ROUNDS, Round, read_round, write_round
    from pipeline.core.params import PARAMS, load

    params = load(PARAMS)
    values = {
        "a": a or f"{params['writer']}-ft",
        "b": b or f"{params['writer']}-pt",
        "others": other or [],
        "questions": question or ["better"],
        "items": items,
        "raters": raters,
        "overlap": int(overlap) if overlap.isdecimal() else overlap,
        "seed": seed,
    }
    try:
        own = Round.model_validate(values)
    except pydantic.ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['input']!r}: {one['msg']}" for one in error.errors()]
        raise UserError("; ".join(problems)) from None
    path = write_round(ROUNDS, name, own)
    try:
        read_round(path, list(params["captioners"]))
    except UserError:
        path.unlink()  # arms that the study does not have
        raise
    share = find_detectable(items)
    needed = ", ".join(f"{key}: {count}" for key, count in list_power().items())
    typer.echo(f"wrote {path}: commit it, then rate with `lookbook app`, page Rate")
    typer.echo(f"decided judgements needed to see that a share of them prefers one arm (80 % power): {needed}")
    if share is not None:
        typer.echo(f"{items} garments without ties can show {share:.0%} against {1 - share:.0%}")


@app.command("export")
@command
def export() -> None:
    """Write ratings/*.csv from ratings/ratings.sqlite: whole, sorted, for git; `dvc repro rate` reads them."""
    from lookbook.ratings.exchange import export_ratings

    counts = export_ratings(_open_store(), FOLDER)
    typer.echo("wrote " + ", ".join(f"{FOLDER / file} ({count} rows)" for file, count in counts.items()))


@app.command("import")
@command
def import_(
    file: Annotated[Path, typer.Argument(help="judgements.csv, notes.csv, answers.csv or looks.csv of another place")],
) -> None:
    """Take another laboratory's file into the store and ratings/*.csv; refuses what differs under the same key."""
    from lookbook.ratings.exchange import export_ratings, import_ratings

    store = _open_store()
    export_ratings(store, FOLDER)  # what is in git joins the store first, so that conflicts with it are seen
    count = import_ratings(store, file)
    export_ratings(store, FOLDER)
    typer.echo(f"{file}: {count} new rows in {store.path} and {FOLDER}/*.csv")


def _open_store() -> "Store":
    from lookbook.ratings.store import PATH, create_store
    from pipeline.core.params import PARAMS, load

    store, sentence = create_store(PATH, str(load(PARAMS)["dataset"]))
    if sentence:
        typer.echo(sentence, err=True)
    return store
