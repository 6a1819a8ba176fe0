"""lookbook compare A B: which of two caption files is better, with intervals, p, and the smallest difference they could show."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookbook.cli import command
from lookbook.cli.score import ALL, asked_metrics, corenlp_folder
from pipeline.core.errors import UserError, first_five

if TYPE_CHECKING:
    import pandas as pd

    from captioning.interchange.caption_files import CaptionFile

NAMES = {"meteor": "METEOR", "rouge_l": "ROUGE-L", "cider": "CIDEr", "length_ratio": "words"}
ORDER = (
    *("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider"),
    *("spice", "spice_object", "spice_attribute", "spice_relation", "spice_color", "spice_size", "spice_cardinality"),
    "length_ratio",
)
HEAD = f"{'':18}{'A':>8}{'B':>8}{'A - B':>8}{'95 % interval':>18}{'p':>8}{'Holm':>8}{'win / tie / loss':>20}{'smallest':>10}"


@command
def compare(
    a: Annotated[Path, typer.Argument(help="JSON, CSV or Parquet with id, caption, references[, group]")],
    b: Annotated[Path, typer.Argument(help="the same, with other captions of these items")],
    references: Annotated[
        Path | None, typer.Option(help="where the references are: COCO's annotations, or a file with id and references")
    ] = None,
    metrics: Annotated[str, typer.Option(help="which, separated by commas")] = ALL,
    draws: Annotated[int, typer.Option(min=100, help="of the bootstrap")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="of the bootstrap")] = 42,
    json: Annotated[Path | None, typer.Option(help="write the comparison here, at full precision")] = None,
) -> None:
    """Compare two caption files: a paired bootstrap over items, or over the groups that a column `group` names."""
    from captioning.interchange.caption_files import read_caption_file, read_groups

    asked = asked_metrics(metrics)
    files = read_caption_file(a, references), read_caption_file(b, references)
    common = _common((a, b), files)
    groups = _groups((a, b), common, (read_groups(a), read_groups(b)))
    corenlp = corenlp_folder() if "spice" in asked else None
    left, right = _score(files, common, corenlp, asked)
    rows = _rows(left, right, [groups[str(one)] for one in left.index], draws, seed)
    about = {"items": len(left), "groups": len({groups[str(one)] for one in left.index}), "draws": draws, "seed": seed}
    if json is not None:
        from pipeline.core.outputs import write_json

        by_metric = {row["metric"]: {key: value for key, value in row.items() if key != "metric"} for row in rows}
        write_json(json, {"a": str(a), "b": str(b)} | about | {"metrics": by_metric})
    unpaired = [len(file.captions) - len(common) for file in files]
    typer.echo(_report((a, b), about, unpaired, len(common) - len(left), rows))


def _common(paths: tuple[Path, Path], files: "tuple[CaptionFile, CaptionFile]") -> list[str]:
    """The ids of both, in the order of the first.

    Raises:
        UserError: there are none, or their references differ.
    """
    first, second = files
    common = [one for one in first.captions if one in second.captions]
    if not common:
        examples = f"{next(iter(first.captions))} against {next(iter(second.captions))}"
        raise UserError(
            f"{paths[0]}, {paths[1]}: no id in common (first {examples}); a paired test needs the same items"
        )
    differ = [one for one in common if first.references[one] != second.references[one]]
    if differ:
        raise UserError(
            f"{paths[0]}, {paths[1]}: the references of {len(differ)} of {len(common)} ids differ; first "
            f"{first_five(differ)}; give those to use: --references"
        )
    return common


def _groups(
    paths: tuple[Path, Path], common: Sequence[str], groups: tuple[dict[str, str] | None, dict[str, str] | None]
) -> dict[str, str]:
    """The group of each id: that of the file which has them, else each item is its own.

    Raises:
        UserError: the files disagree.
    """
    first, second = groups
    if first and second:
        differ = [one for one in common if first[one] != second[one]]
        if differ:
            raise UserError(
                f"{paths[0]}, {paths[1]}: the groups of {len(differ)} ids differ; first {first_five(differ)}"
            )
    return first or second or {one: one for one in common}


def _score(
    files: "tuple[CaptionFile, CaptionFile]", common: Sequence[str], corenlp: Path | None, metrics: Sequence[str]
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """The scores and statistics of each item, a row per item, of both files."""
    from captioning.scores.reference_based import score_captions

    sets = {name: {one: file.captions[one] for one in common} for name, file in zip("ab", files, strict=True)}
    items = score_captions(sets, {one: files[0].references[one] for one in common}, corenlp, metrics=metrics).items
    first, second = (
        items[items["set"].eq(name)].pivot(index="item_id", columns="metric", values="value") for name in sets
    )
    return first, second


def _rows(
    left: "pd.DataFrame", right: "pd.DataFrame", groups: list[str], draws: int, seed: int
) -> list[dict[str, Any]]:
    """A row per metric; p is corrected over those that say which is better: all but the length."""
    import numpy as np

    from lookbook.comparison.captions import compare_metrics
    from lookbook.comparison.correction import holm

    rows = sorted(
        compare_metrics(left, right, np.array(groups), draws, seed), key=lambda row: ORDER.index(row["metric"])
    )
    tested = [row for row in rows if row["metric"] != "length_ratio"]
    for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = p
    return rows


def _report(
    paths: tuple[Path, Path], about: dict[str, int], unpaired: list[int], no_words: int, rows: list[dict[str, Any]]
) -> str:
    lines = [f"A: {paths[0]}", f"B: {paths[1]}"]
    lines.append("{items} items in {groups} groups, {draws:,} draws of the groups; x 100".format(**about))
    lines += [
        f"left out: {count} items of {path} that the other lacks"
        for path, count in zip(paths, unpaired, strict=True)
        if count
    ]
    lines += [f"left out: {no_words} items whose references have no word"] if no_words else []
    lines += ["", HEAD, *map(_line, rows), ""]
    lines.append(
        "Holm: p corrected over the metrics. smallest: the true difference that such a test finds in 4 of 5 cases."
    )
    return "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    name = NAMES.get(row["metric"], row["metric"].upper().replace("_", "-"))
    figures = "".join(f"{100 * row[key]:8.2f}" for key in ("mean_a", "mean_b", "difference"))
    interval = f"{100 * row['low']:.2f} to {100 * row['high']:.2f}"
    holm = f"{row['p_holm']:8.4f}" if "p_holm" in row else f"{'':8}"
    wins = f"{row['wins']} / {row['ties']} / {row['losses']}"
    smallest = f"{100 * row['detectable']:10.2f}" if row["detectable"] is not None else f"{'n/a':>10}"
    return f"{name:18}{figures}{interval:>18}{row['p']:8.4f}{holm}{wins:>20}{smallest}"
