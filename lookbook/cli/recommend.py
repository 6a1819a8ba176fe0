"""lookbook recommend --train FILE --model NAME --out FILE: list the best unseen items of every user in FILE."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError

DEFAULT = "(default: as in studies/sample.yaml)"


@command
def recommend(
    train: Annotated[Path, typer.Option(help="purchases: .tsv (user, item, rating[, timestamp]), .csv or .parquet")],
    model: Annotated[
        str, typer.Option(help="recommender: a file of recsys/recommenders/, such as mostpop, itemknn or vbpr")
    ],
    out: Annotated[Path, typer.Option(help="lists: user, item, score; .tsv, .csv or .parquet")],
    top: Annotated[int, typer.Option(min=1, help="items per list")] = 12,
    k: Annotated[int | None, typer.Option(min=1, help=f"number of neighbours of userknn and itemknn {DEFAULT}")] = None,
    neighbourhood: Annotated[
        Literal["elliot", "standard"] | None, typer.Option(help=f"how userknn and itemknn count neighbours {DEFAULT}")
    ] = None,
    similarity: Annotated[
        str | None, typer.Option(help=f"similarity of userknn and itemknn: cosine or jaccard {DEFAULT}")
    ] = None,
    shrink: Annotated[float | None, typer.Option(help=f"shrinkage of similarities {DEFAULT}")] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            help="features of the items: a folder with features.npy and ids.txt, or one ID.npy per item; where rows "
            'hold a picture and words, columns.json beside them, {"pictures": N}: N columns are the picture\'s'
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of first values, negatives, neighbours, --users")] = 42,
    some: Annotated[
        int | None,
        typer.Option("--users", min=1, help="users, drawn by the seed, who get a list (default: all)"),
    ] = None,
    binary: Annotated[bool, typer.Option("--binary", help="read every rating as 1")] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="KEY=VALUE for any other key of the model's section of rec_fit, such as epochs=8; repeatable"
        ),
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="where recommenders that learn train")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads")] = 1,
) -> None:
    """Recommend the best unseen items to every user in a file of purchases."""
    from recsys.interchange.reading import read_purchases
    from recsys.interchange.recommend import build_dataset, build_settings, draw_users, make_lists
    from recsys.interchange.writing import check_name, check_writable, write_lists
    from recsys.ranking.settings import Run

    named = {"similarity": similarity, "shrink": shrink, "neighbourhood": neighbourhood, "k": k}
    changes = {key: value for key, value in named.items() if value is not None} | _parse_pairs(option or [])
    settings = build_settings(model, changes)
    with_time = getattr(settings, "half_life_days", 0) > 0
    check_name("--out", out)
    if device == "cuda":
        _check_gpu()
    if out.resolve() == train.resolve():
        raise UserError(f"--out {out}: is the --train file itself; name another file")
    data, users = build_dataset(read_purchases(train, with_time=with_time), binary)
    check_writable(out, users, data.item_ids)
    drawn = None if some is None else draw_users(len(users), some, seed)
    items, scores = make_lists(data, model, settings, Run(seed, top, device, threads), features, drawn)
    users = users if drawn is None else users.take(drawn)
    rows = write_lists(out, users, data.item_ids, items, scores)
    short = int((items[:, -1] < 0).sum())
    note = f"; {short:,} lists are shorter: not enough unseen items" if short else ""
    typer.echo(
        f"wrote {out}: {rows:,} rows, the {top} best of {len(data.item_ids):,} items for {len(users):,} users "
        f"by {model}{note}"
    )


def _check_gpu() -> None:
    """Refuse `--device cuda` before anything is read where there is no GPU."""
    import torch

    if not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch finds no GPU on this machine; leave it out, or say --device cpu")


def _parse_pairs(texts: list[str]) -> dict[str, Any]:
    """Parse `KEY=VALUE` texts into keys and YAML values."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--set {text}: expected KEY=VALUE, such as epochs=8")
        try:
            pairs[key.strip()] = YAML(typ="safe", pure=True).load(value)
        except (YAMLError, ValueError) as error:  # ValueError: no such day
            reason = str(getattr(error, "problem", None) or error).splitlines()[0]
            raise UserError(
                f"--set {text}: {value!r} is no YAML value ({reason}); expected KEY=VALUE, such as epochs=8"
            ) from None
    return pairs
