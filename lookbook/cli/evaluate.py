"""lookbook evaluate --train FILE --test FILE --recs FILE: score lists by Elliot's metrics and the standard ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError

if TYPE_CHECKING:
    from lookbook.comparison.rows import Row
    from recsys.interchange.evaluate import Evaluation

LONGEST = 10_000  # list that is scored
METRICS = ("ndcg", "map_elliot", "map", "recall", "precision", "hit_rate", "coverage")


@command
def evaluate(
    train: Annotated[Path, typer.Option(help="purchases: .tsv (user, item, rating[, timestamp]), .csv or .parquet")],
    test: Annotated[Path, typer.Option(help="test purchases, in the same format")],
    recs: Annotated[Path, typer.Option(help="lists: .tsv (user, item, score), .csv or .parquet")],
    cutoffs: Annotated[str, typer.Option(help="lengths at which lists are cut, separated by commas")] = "5,12",
    json: Annotated[
        Path | None, typer.Option(help="write every figure here, at full precision, and the counts")
    ] = None,
    per_user: Annotated[
        Path | None, typer.Option(help="write every metric of every user here: .parquet or .csv")
    ] = None,
    without_list: Annotated[
        Literal["leave-out", "zero"],
        typer.Option(help="users without a list: leave them out, as Elliot does, or score them 0"),
    ] = "leave-out",
    test_items: Annotated[
        Literal["all", "train"],
        typer.Option(help="test purchases that count: all, or those of items in --train alone, as in WarpRec"),
    ] = "all",
    against: Annotated[
        Path | None, typer.Option(help="other lists for the same users: NDCG minus theirs, with its interval and p")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="a difference that would not matter: do the intervals of --against lie within it?"),
    ] = None,
) -> None:
    """Score lists: NDCG, MAP (Elliot's, and average precision), recall, precision, hit rate and coverage."""
    from pipeline.core.outputs import write_json
    from pipeline.destinations import check_file
    from recsys.interchange.evaluate import evaluate as score
    from recsys.interchange.reading import read_lists, read_purchases
    from recsys.interchange.writing import check_name

    at = parse_cutoffs(cutoffs)
    check_margin(margin, against)
    check_file("--json", json)
    if per_user:
        check_name("--per-user", per_user)
    purchases = read_purchases(train), read_purchases(test)
    result = score(*purchases, read_lists(recs), at, without_list, test_items)
    summary, rows = result.summary(), []
    if against:
        from lookbook.comparison.lists import compare_lists

        rows = compare_lists(result, score(*purchases, read_lists(against), at, without_list, test_items), at, margin)
    if json:
        by_metric = {row["metric"]: {key: value for key, value in row.items() if key != "metric"} for row in rows}
        write_json(json, summary | ({"against": {"file": str(against)} | by_metric} if against else {}))
    if per_user:
        write_per_user(per_user, result)
    typer.echo(f"{recs}: {summary['users']:,} users" + _format_counts(summary, without_list))
    typer.echo(format_table(summary, at))
    if not summary["users_with_a_hit"]:
        typer.echo("no list has an item of its user's test purchases: are --train and --test swapped?")
    if against:
        typer.echo(format_comparison(recs, against, rows, without_list))
    if margin is not None:
        typer.echo(format_margin(margin, rows))


def parse_cutoffs(text: str) -> list[int]:
    """Parse cutoffs.

    >>> parse_cutoffs("12,5")
    [5, 12]

    Raises:
        UserError: a cutoff is not a whole number from 1 to 10,000.
    """
    try:
        cutoffs = sorted({int(part) for part in text.split(",")})
    except ValueError:
        cutoffs = [0]
    if cutoffs[0] < 1 or cutoffs[-1] > LONGEST:
        raise UserError(f"--cutoffs {text}: expected whole numbers from 1 to {LONGEST:,}, such as 5,12")
    return cutoffs


def check_margin(margin: float | None, against: Path | None) -> None:
    """Check that a margin is a number above 0, and that there are lists to compare with.

    Raises:
        UserError: it is not, or there are none.
    """
    if margin is None:
        return
    if not 0 < margin < float("inf"):
        raise UserError(f"--margin {margin}: expected a number above 0, such as 0.0015")
    if against is None:
        raise UserError(f"--margin {margin}: needs --against FILE, the lists that these may stand for")


def format_table(summary: dict[str, float | int], cutoffs: list[int]) -> str:
    """Format the figures: a row per metric, a column per cutoff."""
    lines = ["".join([f"{'':<12}", *(f"{f'@{k}':>10}" for k in cutoffs)])]
    lines += ["".join([f"{name:<12}", *(f"{summary[f'{name}_{k}']:>10.5f}" for k in cutoffs)]) for name in METRICS]
    return "\n".join(lines)


def format_comparison(a: Path, b: Path, rows: "list[Row]", without_list: str) -> str:
    """Format the differences of two files of lists: a row per cutoff."""
    from lookbook.reporting.formatting import format_p

    first = rows[0]
    who = "users with a list in both" if without_list == "leave-out" else "users, of whom those without a list have 0"
    lines = [
        f"\nA: {a}, B: {b}: {first['users']:,} {who}, {first['items']:,} items that they bought",
        f"{'':<12}{'A':>10}{'B':>10}{'A - B':>10}{'95 % interval':>24}{'p':>9}{'Holm':>9}{'smallest':>10}",
    ]
    for row in rows:
        figures = "".join(f"{row[key]:>10.5f}" for key in ("mean_a", "mean_b", "difference"))
        interval = f"{row['low']:.5f} to {row['high']:.5f}"
        smallest = "n/a" if row["detectable"] is None else f"{row['detectable']:.5f}"
        name = row["metric"].replace("_", "@")
        lines.append(
            f"{name:<12}{figures}{interval:>24}{format_p(row['p']):>9}{format_p(row['p_holm']):>9}{smallest:>10}"
        )
    notes = "over users and items; Holm: p corrected over the cutoffs"
    return "\n".join([*lines, f"{notes}; smallest: the true difference that such a test finds in 4 of 5 cases."])


def format_margin(margin: float, rows: "list[Row]") -> str:
    """Say for each cutoff whether A may stand for B: whether the interval lies within plus or minus the margin."""
    answers = {True: "within: A may stand for B", False: "not within: A may not stand for B"}
    return "\n".join(f"{row['metric'].replace('_', '@')} ±{margin:g}: {answers[row['within_margin']]}" for row in rows)


def write_per_user(path: Path, result: "Evaluation") -> None:
    """Write a row for each user that the means cover."""
    import pyarrow as pa
    import pyarrow.csv as csv

    from pipeline.core.outputs import new_file, write_parquet
    from recsys.interchange.reading import find_form

    rows = pa.table({"user": result.users} | {name: pa.array(values) for name, values in result.values.items()})
    if find_form(path) == "parquet":
        write_parquet(path, rows)
        return
    with new_file(path) as partial:
        csv.write_csv(rows, partial, csv.WriteOptions(delimiter="," if find_form(path) == "csv" else "\t"))


def _format_counts(summary: dict[str, float | int], without_list: str) -> str:
    """List what the means leave out, and how many."""
    texts = {
        "users_without_list": "without a list " + ("count as 0" if without_list == "zero" else "left out"),
        "users_not_in_train": "of test not in train left out",
        "users_without_test": "without test items left out",
        "listed_items_not_in_train": "listed items not in train, which coverage does not count",
        "lists_short": "of all lists shorter than the largest cutoff",
        "lists_with_an_item_twice": "of all lists with an item twice, which counts twice",
        "test_pairs_left_out": "test purchases of items not in train left out",
    }
    return "".join(f"; {summary[key]:,} {text}" for key, text in texts.items() if summary[key])
