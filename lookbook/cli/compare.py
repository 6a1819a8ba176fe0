"""lookbook compare A B: test which of two caption files is better; intervals, p, smallest detectable difference."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookbook.cli import command
from lookbook.cli.score import parse_metrics, require_corenlp
from pipeline.core.errors import UserError, first_five

if TYPE_CHECKING:
    import pandas as pd

    from captioning.interchange.caption_files import CaptionFile

NAMES = {"meteor": "METEOR", "rouge_l": "ROUGE-L", "cider": "CIDEr", "length_ratio": "words"}
ONE_RUN = "Items are drawn anew, trainings are not: of two fine-tuned captioners this compares one training run each."
HEAD = (
    f"{'':18}{'A':>8}{'B':>8}{'A - B':>8}{'95 % interval':>18}{'p':>8}{'Holm':>8}{'win / tie / loss':>20}"
    f"{'smallest':>10}"
)


@command
def compare(
    a: Annotated[Path, typer.Argument(help="JSON, CSV or Parquet with id, caption, references[, group]")],
    b: Annotated[Path, typer.Argument(help="a second file, with other captions of the same items")],
    references: Annotated[
        Path | None, typer.Option(help="COCO annotations, or a file with id and references (default: those in A and B)")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="scores separated by commas, such as bleu,cider (default: all)")
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="number of bootstrap samples")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="seed of the bootstrap")] = 42,
    json: Annotated[Path | None, typer.Option(help="write the comparison to this file, at full precision")] = None,
) -> None:
    """Compare two caption files by a paired bootstrap over items, or over the groups in a column `group`."""
    from captioning.interchange.caption_files import read_caption_file, read_groups
    from pipeline.destinations import check_file

    check_file("--json", json)
    names = parse_metrics(metrics)
    files = read_caption_file(a, references), read_caption_file(b, references)
    common = _find_common((a, b), files)
    group_of = _choose_groups((a, b), common, (read_groups(a), read_groups(b)))
    corenlp = require_corenlp() if "spice" in names else None
    left, right = _score(files, common, corenlp, names)
    groups = [group_of[str(item)] for item in left.index]
    rows = _test(left, right, groups, draws, seed)
    about = {"items": len(left), "groups": len(set(groups)), "draws": draws, "seed": seed}
    if json is not None:
        from pipeline.core.outputs import write_json

        by_metric = {row["metric"]: {key: value for key, value in row.items() if key != "metric"} for row in rows}
        write_json(json, {"a": str(a), "b": str(b)} | about | {"metrics": by_metric})
    unpaired = [len(file.captions) - len(common) for file in files]
    typer.echo(_format_report((a, b), about, unpaired, len(common) - len(left), rows))


def _find_common(paths: tuple[Path, Path], files: "tuple[CaptionFile, CaptionFile]") -> list[str]:
    """Return the ids that both files have, in the order of the first.

    Raises:
        UserError: there are none, or their references differ.
    """
    first, second = files
    common = [item for item in first.captions if item in second.captions]
    if not common:
        examples = f"{next(iter(first.captions))} against {next(iter(second.captions))}"
        raise UserError(
            f"{paths[0]}, {paths[1]}: no id in common (first {examples}); a paired test needs the same items"
        )
    differ = [item for item in common if first.references[item] != second.references[item]]
    if differ:
        raise UserError(
            f"{paths[0]}, {paths[1]}: the references of {len(differ)} of {len(common)} ids differ; first "
            f"{first_five(differ)}; name the file to use: --references FILE"
        )
    return common


def _choose_groups(
    paths: tuple[Path, Path], common: Sequence[str], groups: tuple[dict[str, str] | None, dict[str, str] | None]
) -> dict[str, str]:
    """Return id -> group, by the file that has a column `group`; without one, every item is a group of its own.

    Raises:
        UserError: the files disagree.
    """
    first, second = groups
    if first and second:
        differ = [item for item in common if first[item] != second[item]]
        if differ:
            raise UserError(
                f"{paths[0]}, {paths[1]}: the groups of {len(differ)} ids differ; first {first_five(differ)}"
            )
    return first or second or {item: item for item in common}


def _score(
    files: "tuple[CaptionFile, CaptionFile]", common: Sequence[str], corenlp: Path | None, metrics: Sequence[str]
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the scores and statistics of both files, a row per item."""
    from captioning.scores.reference_based import score_captions

    sets = {name: {item: file.captions[item] for item in common} for name, file in zip("ab", files, strict=True)}
    references = {item: files[0].references[item] for item in common}
    items = score_captions(sets, references, corenlp, metrics=metrics).items
    first, second = (
        items[items["set"].eq(name)].pivot(index="item_id", columns="metric", values="value") for name in sets
    )
    return first, second


def _test(
    left: "pd.DataFrame", right: "pd.DataFrame", groups: list[str], draws: int, seed: int
) -> list[dict[str, Any]]:
    """Return a row per metric; p is corrected over all metrics but the length, which is no score."""
    import numpy as np

    from captioning.scores.reference_based import BLEU, MEANS
    from lookbook.comparison.captions import compare_metrics
    from lookbook.comparison.correction import holm

    order = (*BLEU, "meteor", *MEANS, "length_ratio")
    rows = sorted(
        compare_metrics(left, right, np.array(groups), draws, seed), key=lambda row: order.index(row["metric"])
    )
    tested = [row for row in rows if row["metric"] != "length_ratio"]
    for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = p
    return rows


def _format_report(
    paths: tuple[Path, Path], about: dict[str, int], unpaired: list[int], no_words: int, rows: list[dict[str, Any]]
) -> str:
    lines = [f"A: {paths[0]}", f"B: {paths[1]}"]
    lines.append("{items} items in {groups} groups, {draws:,} draws of the groups; x 100".format(**about))
    lines += [
        f"left out: {count} items of {path} that the other file lacks"
        for path, count in zip(paths, unpaired, strict=True)
        if count
    ]
    lines += [f"left out: {no_words} items whose references have no word"] if no_words else []
    lines += ["", HEAD, *map(_format_row, rows), ""]
    lines.append(
        "Holm: p corrected over the metrics. smallest: the true difference that such a test finds in 4 of 5 cases."
    )
    lines.append(ONE_RUN)
    return "\n".join(lines)


def _format_row(row: dict[str, Any]) -> str:
    name = NAMES.get(row["metric"], row["metric"].upper().replace("_", "-"))
    figures = "".join(f"{100 * row[key]:8.2f}" for key in ("mean_a", "mean_b", "difference"))
    interval = f"{100 * row['low']:.2f} to {100 * row['high']:.2f}"
    holm = f"{row['p_holm']:8.4f}" if "p_holm" in row else f"{'':8}"
    wins = f"{row['wins']} / {row['ties']} / {row['losses']}"
    smallest = f"{100 * row['detectable']:10.2f}" if row["detectable"] is not None else f"{'n/a':>10}"
    return f"{name:18}{figures}{interval:>18}{row['p']:8.4f}{holm}{wins:>20}{smallest}"
