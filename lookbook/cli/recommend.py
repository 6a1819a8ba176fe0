"""lookbook recommend --train FILE --model NAME --out FILE: the best unseen items of every user of anyone's purchases."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError

DEFAULTS = "left out: as in studies/sample.yaml"


@command
def recommend(
    train: Annotated[Path, typer.Option(help="purchases: .tsv (user, item, rating[, timestamp]), .csv or .parquet")],
    model: Annotated[str, typer.Option(help="random, mostpop, userknn, itemknn, bpr or vbpr")],
    out: Annotated[Path, typer.Option(help="lists: user, item, score; .tsv, .csv or .parquet")],
    top: Annotated[int, typer.Option(min=1, help="items a list")] = 12,
    k: Annotated[int | None, typer.Option(min=1, help=f"neighbours of userknn and itemknn; {DEFAULTS}")] = None,
    neighbourhood: Annotated[Literal["elliot", "standard"] | None, typer.Option(help=DEFAULTS)] = None,
    similarity: Annotated[str | None, typer.Option(help=f"of neighbours: cosine or jaccard; {DEFAULTS}")] = None,
    shrink: Annotated[float | None, typer.Option(help=f"of similarities; {DEFAULTS}")] = None,
    features: Annotated[
        Path | None, typer.Option(help="of vbpr: a folder with features.npy and ids.txt, or one ID.npy an item")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of random, bpr and vbpr")] = 42,
    binary: Annotated[bool, typer.Option("--binary", help="take every rating as 1")] = False,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE, any other key of the model's section of rec_fit, such as epochs=8"),
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="where bpr and vbpr learn")] = "cpu",
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Recommend the best unseen items to every user of a file of purchases."""
    from recsys.interchange.reading import read_purchases
    from recsys.interchange.recommend import dataset, lists_of, settings_of
    from recsys.interchange.writing import check_writable, write_lists
    from recsys.ranking.settings import Run

    named = {"similarity": similarity, "shrink": shrink, "neighbourhood": neighbourhood, "k": k}
    changes = {key: value for key, value in named.items() if value is not None} | _pairs(option or [])
    settings = settings_of(model, changes)
    with_time = getattr(settings, "half_life_days", 0) > 0
    if out.resolve() == train.resolve():
        raise UserError(f"{out}: --out is the file of purchases itself; name another")
    data, users = dataset(read_purchases(train, with_time=with_time), binary)
    check_writable(out, users, data.item_ids)
    items, scores = lists_of(data, model, settings, Run(seed, top, device, threads), features)
    rows = write_lists(out, users, data.item_ids, items, scores)
    short = int((items[:, -1] < 0).sum())
    note = f"; {short:,} lists are shorter: not enough unseen items" if short else ""
    typer.echo(
        f"wrote {out}: {rows:,} rows, the {top} best of {len(data.item_ids):,} items for {len(users):,} users by {model}{note}"
    )


def _pairs(given: list[str]) -> dict[str, Any]:
    """`KEY=VALUE` texts as keys and YAML values."""
    from ruamel.yaml import YAML

    pairs = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--set {text}: expected KEY=VALUE, such as epochs=8")
        pairs[key.strip()] = YAML(typ="safe", pure=True).load(value)
    return pairs
