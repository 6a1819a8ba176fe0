"""Pages of garments: filtered, sorted, a page at a time; only what a page shows is read for its garments.

Of the catalogue a few short columns stay in memory, and the last few selections, until a file that they were made from
changes. Descriptions and captions stay on disk and are read by polars for the garments of a page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import polars as pl

from lookbook.views.scores import read_differences, read_scores
from lookbook.views.selections import Selection
from lookbook.views.study import (
    ATTRIBUTES,
    CAPTION_WORDS,
    ITEMS,
    SCORES,
    VOCABULARY,
    Study,
    captions,
    require_stage,
)
from lookbook.views.words import compare_attributes, read_references, read_words

PAGE_ITEMS = 24
LIGHT = ("item_id", "product_code", "category", "colour", "original", "split", "group")
FACETS = ("split", "category", "colour")


@lru_cache(maxsize=2)
def _read_light(path: Path, version: int) -> pl.DataFrame:  # a new version is a new key
    stored = pl.read_parquet_schema(path)
    columns = [name for name in LIGHT if name in stored]
    table = pl.scan_parquet(path).select(*columns, described=pl.col("description").is_not_null()).with_row_index("row")
    frame = table.collect()
    short = [name for name in ("category", "colour", "split") if name in columns]
    return frame.with_columns(pl.col(name).cast(pl.String).fill_null("").cast(pl.Categorical) for name in short)


def read_catalogue(study: Study) -> pl.DataFrame:
    """Read the short columns of every garment, with `row`, its row in items.parquet, and `described`.

    Raises:
        UserError: The catalogue is not there.
    """
    path = require_stage(study, ITEMS)
    return _read_light(path, path.stat().st_mtime_ns)


def list_values(study: Study, column: str) -> list[str]:
    """List the values of a short column, sorted."""
    return sorted(value for value in read_catalogue(study)[column].cast(pl.String).unique().to_list() if value)


@dataclass(frozen=True)
class _Files:
    """The files of a study as they are now: what was selected from them is kept until one changes.

    Attributes:
        root: The study's folder.
        versions: When each file was written, in nanoseconds; 0 where it is not there.
    """

    root: Path
    versions: tuple[int, ...]
    study: Study = field(compare=False)


def _examine(study: Study, selection: Selection) -> _Files:
    paths = (ITEMS, SCORES, CAPTION_WORDS, ATTRIBUTES, VOCABULARY, captions(selection.captioner, selection.variant))
    full = [study.root / path for path in paths]
    return _Files(study.root, tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in full), study)


def select(study: Study, selection: Selection) -> pl.DataFrame:
    """Return the short columns of the garments of a selection, sorted, with `value` where it sorts by one.

    Raises:
        UserError: A file that the selection needs is not there.
    """
    return _select(_examine(study, selection), selection)


@lru_cache(maxsize=4)
def _select(files: _Files, selection: Selection) -> pl.DataFrame:
    rows = _keep_facets(_keep_others(files, _drop_facets(selection)), selection, FACETS)
    values = _read_order(files, _keep_order(selection))
    if values is None:
        return rows
    joined = rows.with_columns(value=values.gather(rows["row"]))
    return joined.sort("value", descending=selection.descending, nulls_last=True, maintain_order=True)  # rows ascend


def count_facets(study: Study, selection: Selection) -> dict[str, dict[str, int]]:
    """Count the garments of each value of a facet among those that all other filters leave, largest first."""
    others = _keep_others(_examine(study, selection), _drop_facets(selection))
    counts = {}
    for facet in FACETS:
        rows = _keep_facets(others, selection, [name for name in FACETS if name != facet])
        table = rows.group_by(facet).len().with_columns(pl.col(facet).cast(pl.String))
        ordered = table.sort("len", facet, descending=[True, False])
        counts[facet] = {str(value): count for value, count in ordered.iter_rows() if value}
    return counts


def _drop_facets(selection: Selection) -> Selection:
    """Return the selection without its facets and its order: what pages of one search share."""
    return replace(selection, split="", category="", colour="", sort="number", metric="", descending=True)


def _keep_order(selection: Selection) -> Selection:
    """Return what the selection sorts by, without its filters: what one order of several selections shares."""
    kept = {name: getattr(selection, name) for name in ("captioner", "variant", "sort", "metric")}
    return Selection(**kept)


def _keep_facets(rows: pl.DataFrame, selection: Selection, facets: Sequence[str]) -> pl.DataFrame:
    for column in facets:
        value = getattr(selection, column)
        if value:
            rows = rows.filter(pl.col(column) == value)
    return rows


@lru_cache(maxsize=4)
def _keep_others(files: _Files, selection: Selection) -> pl.DataFrame:
    """Keep the garments that all filters but the facets leave."""
    study = files.study
    rows = read_catalogue(study)
    if selection.described:
        rows = rows.filter(pl.col("described") == (selection.described == "yes"))
    if selection.items is not None:
        rows = rows.filter(pl.col("item_id").is_in(list(selection.items)))
    if selection.text:
        rows = rows.filter(_find_text(files, selection).gather(rows["row"]))
    if selection.captioner and (selection.unfinished or selection.missed or selection.invented):
        rows = rows.filter(pl.col("item_id").is_in(_find_captions(study, selection)))
    if selection.captioner and selection.wrong_category:
        rows = _keep_wrong(study, rows, selection)
    return rows


def _find_text(files: _Files, selection: Selection) -> pl.Series:
    """Find the garments whose description, or caption of the chosen set, has the words; case does not matter.

    Returns:
        Of each row of the catalogue, whether it is one.
    """
    found = _search(files.root / ITEMS, "description", selection.text)
    own = captions(selection.captioner, selection.variant)
    if selection.captioner and files.study.has(own):
        said = _find_places(files, own).filter(_search(files.root / own, "caption", selection.text))
        found = found.scatter(said.drop_nulls(), True)
    return found


def _search(path: Path, column: str, words: str) -> pl.Series:
    """Tell of each row of a file whether its text has the words."""
    text = pl.col(column).str
    if words.isascii():  # quicker than lower case
        has = text.contains_any([words], ascii_case_insensitive=True)
    else:
        has = text.to_lowercase().str.contains(words.lower(), literal=True)
    return pl.scan_parquet(path).select(has.fill_null(False)).collect().to_series()


@lru_cache(maxsize=4)
def _find_places(files: _Files, path: Path) -> pl.Series:
    """Find the row of the catalogue of each row of a file with item_id; null where it has none."""
    ids = pl.scan_parquet(files.root / path).select(pl.col("item_id").cast(pl.String)).collect()
    return ids.join(
        read_catalogue(files.study).select("item_id", "row"), on="item_id", how="left", maintain_order="left"
    )["row"]


def _find_captions(study: Study, selection: Selection) -> list[str]:
    """Find the garments whose caption is not finished, misses an attribute, or invents one: all that are asked for."""
    path = require_stage(study, captions(selection.captioner, selection.variant))
    table = pl.scan_parquet(path).select("item_id", "finished")
    rows = table.filter(~pl.col("finished")).collect() if selection.unfinished else table.collect()
    items = rows["item_id"].to_list()
    if not (selection.missed or selection.invented):
        return items
    words = read_words(study, selection.captioner, selection.variant, items)
    if words is None:
        return items
    references = read_references(study)
    found = []
    for item, attributes in words.select("item_id", "attributes").iter_rows():
        said = compare_attributes(attributes, references.get(item, ()))
        missed = not selection.missed or selection.missed in said.missed
        if item in references and missed and (not selection.invented or selection.invented in said.invented):
            found.append(item)
    return found


def _keep_wrong(study: Study, rows: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    words = read_words(study, selection.captioner, selection.variant)
    if words is None:
        return rows
    predicted = words.select("item_id", pl.col("predicted_category").cast(pl.String))
    joined = rows.join(predicted, on="item_id", maintain_order="left")
    wrong = joined.filter(pl.col("predicted_category") != pl.col("category").cast(pl.String))
    return wrong.drop("predicted_category")


@lru_cache(maxsize=4)
def _read_order(files: _Files, selection: Selection) -> pl.Series | None:
    """Read what the selection sorts by, of each row of the catalogue; None where there is nothing to sort by."""
    if selection.sort == "number" or not selection.captioner:
        return None
    values = _read_sort_values(files.study, selection)
    if values is None:
        return None
    return read_catalogue(files.study).join(values, on="item_id", how="left", maintain_order="left")["value"]


def _read_sort_values(study: Study, selection: Selection) -> pl.DataFrame | None:
    """Return item_id and value of what the selection sorts by; None where there is nothing to sort by."""
    captioner, metric = selection.captioner, selection.metric
    if selection.sort == "length":
        path = require_stage(study, captions(captioner, selection.variant))
        return pl.read_parquet(path, columns=["item_id", "tokens"]).rename({"tokens": "value"})
    if not metric or not study.has(SCORES):
        return None
    if selection.sort == "score":
        return read_scores(study, [(captioner, selection.variant)], [metric]).get(
            (captioner, selection.variant, metric)
        )
    table = read_differences(study, (captioner, "ft"), (captioner, "pt"), metric)
    value = pl.col("difference")
    if selection.sort == "surprise":
        value = value.abs() / (table["difference"].std() or math.inf)
    return table.select("item_id", value=value)


def count_pages(n: int) -> int:
    """Return how many pages so many garments fill; at least one."""
    return max(1, -(-n // PAGE_ITEMS))


def take_page(rows: pl.DataFrame, page: int) -> pl.DataFrame:
    """Return the rows of a page, from 1; a page beyond the last is the last."""
    page = min(max(1, page), count_pages(len(rows)))
    return rows.slice((page - 1) * PAGE_ITEMS, PAGE_ITEMS)


def find_neighbours(rows: pl.DataFrame, item_id: str) -> tuple[str | None, str | None]:
    """Return the garments before and after one in a selection; None at its ends, or where it is not in it."""
    items = rows["item_id"]
    place = items.index_of(item_id)
    if place is None:
        return None, None
    before = items[place - 1] if place else None
    return before, items[place + 1] if place + 1 < len(items) else None
