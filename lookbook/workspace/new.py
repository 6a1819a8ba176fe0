"""Create a study about a shop of your own: choose its columns, and write its data and a parameter file."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from ruamel.yaml import YAML

from catalogue.readers import READERS, shop
from catalogue.readers.settings import DATASET_NAME, Columns
from lookbook.shops import items as shop_items
from lookbook.shops import orders
from lookbook.shops.columns import REQUIRED, Choice, suggest_column
from lookbook.shops.items import Items, build_items, choose_item_columns
from lookbook.shops.layouts import PLAIN
from lookbook.shops.orders import Purchases, build_purchases, choose_orders
from lookbook.shops.pictures import Pictures, find_pictures, fold
from lookbook.shops.sources import Sources
from lookbook.shops.tables import EXAMPLES, Table, read_table
from pipeline.core.errors import UserError, first_five
from pipeline.core.outputs import new_file, new_folder
from pipeline.core.params import REFERENCE, load, suggest

RAW = Path("data/raw")
STUDIES = Path("studies")
# In the folder of a data set; DVC writes the last.
WRITTEN = (shop.ITEMS, shop.PURCHASES, shop.IMAGES_ZIP, ".gitignore")
SECOND = "second"  # the source that only the sample has: another description of the same garment
NEED_PURCHASES = (  # axes
    "catalogues",
    "texts",
    "recommenders",
    "content_recommenders",
    "image_features",
    "text_features",
    "warm_content_recommenders",
    "warm_image_features",
    "warm_text_features",
)


@dataclass(frozen=True)
class Plan:
    """What `lookbook init` will write.

    Attributes:
        name: Of the data set.
        items: The items.
        purchases: How orders are read; None: the study is about captions alone.
        pictures: All pictures.
        links: Tables that the reader reads as they are: file of data/raw/<name> -> the user's file.
        writes: Tables that it does not: file of data/raw/<name> -> its rows.
        columns: The columns of those files.
        notes: What the user should know.
        views: Which pictures of an item count.
    """

    name: str
    items: Items
    purchases: Purchases | None
    pictures: Pictures
    links: dict[str, Path]
    writes: dict[str, pd.DataFrame]
    columns: Columns
    notes: list[str]
    views: Literal["first", "all"] = "first"

    @property
    def folder(self) -> Path:
        """Where the data goes."""
        return RAW / self.name

    @property
    def study(self) -> Path:
        """Where the parameters go."""
        return STUDIES / f"{self.name}.yaml"


def make_name(folder: Path) -> str:
    """Make the name of a data set from a folder's.

    >>> make_name(Path("exports/My Shop (2024)"))
    'my-shop-2024'
    """
    return re.sub(r"[^a-z0-9_]+", "-", folder.resolve().name.lower()).strip("-_")


def plan_study(
    name: str,
    sources: Sources,
    named: Mapping[str, str],
    command: Sequence[str],
    again: bool = False,
    views: Literal["first", "all"] | None = None,
) -> Plan:
    """Read a shop's tables and pictures, and plan what becomes of them. Nothing is written.

    Args:
        name: Of the data set.
        sources: The shop's files.
        named: what -> name of the column, where the user names it; the others are guessed.
        command: The words of the user's command, for messages.
        again: Whether data and study of this name may exist.
        views: Which pictures of an item count; None: as in the study of this name, or the first.

    Raises:
        UserError: the name is taken or not allowed, a file lies where the data of this name goes, a column cannot be
            found, or the files do not fit together.
    """
    _check_name(name)
    pictures = Pictures(_require(sources.images))
    _refuse_own_folder(RAW / name, sources, pictures)
    _refuse_taken(name, again)
    study = STUDIES / f"{name}.yaml"
    settings = load(study if study.exists() else REFERENCE)["catalogue_prepare"]
    views = views or settings["images"]
    items, sample = choose_all_columns(sources, named, command)
    found, notes = find_pictures(items, pictures, views == "all")
    links: dict[str, Path] = {}
    writes: dict[str, pd.DataFrame] = {}
    columns: dict[str, str] = {}
    if _is_plain(items, found, pictures):
        links[shop.ITEMS] = items.table.path
        columns |= items.choice.columns
    else:
        frame = items.frame.assign(image=found)
        writes[shop.ITEMS] = frame
        columns |= {what: name for what, name in shop_items.COLUMNS.items() if frame[name].notna().any()}
    notes = [*items.notes, *notes, *_note_rare_categories(items, found, settings["min_items_per_type"])]
    if sample:
        orders.refuse_strangers(sample, items)
        plain, more = orders.survey(sample, items)
        notes += more
        if plain:
            links[shop.PURCHASES] = sample.table.path
            columns |= sample.choice.columns
        else:
            whole = replace(sample, table=read_table(sample.table.path))
            writes[shop.PURCHASES], more = build_purchases(whole, items)
            notes += more
            columns |= orders.COLUMNS
    notes += [f"{path.name} is neither products nor orders: not read" for path in sources.unread]
    defaults = orders.COLUMNS | dict.fromkeys(shop_items.COLUMNS, "")
    return Plan(name, items, sample, pictures, links, writes, Columns(**defaults | columns), notes, views)


def _note_rare_categories(items: Items, found: pd.Series, least: int) -> list[str]:
    """Count the items that `catalogue_prepare` will leave out of the catalogue `original` for their category."""
    shown = items.frame["description"].notna() & found.notna()
    categories = items.frame.loc[shown, "category"].fillna("")
    rare = int((categories.map(categories.value_counts()) < least).sum())
    return [
        f"{rare:,} of {len(categories):,} items with text and picture are of categories with fewer than {least} "
        "of them: left out (catalogue_prepare.min_items_per_type)"
    ] * bool(rare)


def _require(path: Path | None) -> Path:
    if path is None:
        raise ValueError("sources are checked by refuse_absent")
    return path


def _check_name(name: str) -> None:
    if not re.fullmatch(DATASET_NAME, name) or name in READERS:
        raise UserError(
            f"--name {name}: must be lower-case letters, digits, - and _, and none of: {', '.join(READERS)}"
        )


def _refuse_own_folder(folder: Path, sources: Sources, pictures: Pictures) -> None:
    """Refuse files that lie in the folder that becomes the data set: replacing it would delete them."""
    if not folder.exists() or folder.is_symlink():
        return
    paths = [path for path in (sources.items, sources.purchases, *sources.unread, sources.images) if path]
    if pictures.path.is_dir():
        paths += [pictures.path / name for name in pictures.names]
    target = os.path.realpath(folder)
    own = [path for path in paths if os.path.commonpath([target, os.path.realpath(path)]) == target]
    if own:
        raise UserError(
            f"{own[0]}: lies in {folder}, which would be replaced by the data of this name; move it elsewhere first, "
            "or choose another --name"
        )


def _refuse_taken(name: str, again: bool) -> None:
    if (RAW / name).is_symlink():
        raise UserError(f"{RAW / name}: a link; choose another --name, or remove it")
    for path in (RAW / name, STUDIES / f"{name}.yaml"):
        if path.exists() and not again:
            raise UserError(f"{path}: exists already; choose another --name, or write its data anew with --replace")
    others = [path.name for path in (RAW / name).glob("*") if path.name not in WRITTEN]
    if others:
        raise UserError(
            f"{RAW / name}: holds {first_five(others)}, which --replace would delete; move it elsewhere first, or "
            "choose another --name"
        )


def choose_all_columns(
    sources: Sources, named: Mapping[str, str], command: Sequence[str]
) -> tuple[Items, Purchases | None]:
    """Choose the columns of both tables; all that is missing is said at once.

    Raises:
        UserError: a column is missing or does not exist.
    """
    table = read_table(_require(sources.items))
    layout, choice = choose_item_columns(table, named)
    chosen: list[tuple[Table, Choice]] = [(table, choice)]
    items = None if choice.missing or choice.unknown else build_items(table, layout, choice)
    purchases = None
    if sources.purchases:
        known = items or Items(table, layout, choice, pd.DataFrame(), {}, [])
        purchases = choose_orders(sources.purchases, named, known)
        chosen.append((purchases.table, purchases.choice))
    if items is None or any(choice.missing or choice.unknown for _, choice in chosen):
        raise UserError(_explain_missing(chosen, command))
    return items, purchases


def _explain_missing(chosen: list[tuple[Table, Choice]], command: Sequence[str]) -> str:
    """Say every column that is missing or does not exist, what the tables have, and the command that names them."""
    lines: list[str] = []
    words = list(command)
    for table, choice in chosen:
        for what, name in choice.unknown.items():
            lines.append(f"--column {what}={name}: no such column{suggest(name, table.columns)}")
        if choice.missing:
            lines.append(f"which column is {', '.join(REQUIRED[what] for what in choice.missing)}?")
        if choice.missing or choice.unknown:
            lines.append(f"{table.path} has: {', '.join(table.columns)}")
        taken = [column for column in choice.columns.values() if column]
        for what in [*choice.missing, *choice.unknown]:
            column = suggest_column(table, what, taken)
            taken.append(column)
            words += ["--column", f"{what}={column}"]
    return "\n".join([*lines, f"name them, for example: {shlex.join(words)}"])


def _is_plain(items: Items, found: pd.Series, pictures: Pictures) -> bool:
    """Whether the reader for any shop reads this table as it is, with the same pictures."""
    table, column = items.table, items.choice.columns["image"]
    if items.layout is not PLAIN or table.delimiter != "," or not table.as_read or len(items.frame) < len(table.rows):
        return False
    if column:
        expected = items.frame["image"].str.removeprefix(shop.IMAGES)
    else:
        stems = Counter(fold(Path(name).stem) for name in pictures.names)
        by_stem = {Path(name).stem: name for name in pictures.names if stems[fold(Path(name).stem)] == 1}
        expected = items.frame["item_id"].map(by_stem)
    return bool((expected.fillna("") == found.fillna("")).all())


def write_plan(plan: Plan, captioner: tuple[str, str], device: str) -> None:
    """Write data/raw/<name>/ and studies/<name>.yaml; of a study that exists, only the names of columns change.

    Tables are linked where the reader reads them as they are. The pictures are packed into one zip: a link to a folder
    hides its files from DVC, and a hundred thousand files would slow down each of its commands.

    Args:
        plan: What to write.
        captioner: Name and family of the model that will describe the items.
        device: Where the models run.
    """
    with new_folder(plan.folder) as partial:
        plan.pictures.pack(partial / shop.IMAGES_ZIP)
        for name, source in plan.links.items():
            (partial / name).symlink_to(os.path.relpath(source.resolve(), partial.resolve()))
        for name, frame in plan.writes.items():
            frame.to_csv(partial / name, index=False, lineterminator="\n")
    write_study(plan, captioner, device)


def write_study(plan: Plan, captioner: tuple[str, str], device: str) -> None:
    """Write the sample's parameters and comments, for this shop; without purchases no recommendations."""
    yaml = YAML()
    yaml.preserve_quotes = True
    old = plan.study if plan.study.exists() else REFERENCE
    params: Any = yaml.load(old.read_text(encoding="utf-8"))
    params["catalogue_prepare"]["columns"].update(plan.columns.model_dump())
    params["catalogue_prepare"]["images"] = plan.views
    if old is REFERENCE:
        model, family = captioner
        params["dataset"], params["writer"], params["device"] = plan.name, model, device
        params["captioners"] = {model: {"family": family}}
        if SECOND in params["sources"]:
            params["sources"].remove(SECOND)
        for axis in NEED_PURCHASES if plan.purchases is None else ():
            params[axis] = []
    with new_file(plan.study) as partial, open(partial, "w", encoding="utf-8") as file:
        yaml.dump(params, file)


def describe(plan: Plan) -> Iterator[str]:
    """Yield lines that show which column is what, with examples, and what is left out."""
    tables: list[tuple[str, Table, str, Choice]] = [
        ("products", plan.items.table, plan.items.layout.name, plan.items.choice)
    ]
    if plan.purchases:
        tables.append(("orders", plan.purchases.table, plan.purchases.layout.name, plan.purchases.choice))
    for content, table, program, choice in tables:
        yield f"{content}: {table.path} ({program}, separated by {table.delimiter!r})"
        derived = _describe_colour(plan.items) if content == "products" else ""
        yield from _describe_choice(table, choice, derived)
    yield f"pictures: {plan.pictures.path} ({len(plan.pictures.names):,})"
    yield from (f"note: {note}" for note in plan.notes)


def _describe_colour(items: Items) -> str:
    """Say from where the colours come, if the program that exported the items has no column of them."""
    colours = list(items.frame["colour"].dropna().unique()[:EXAMPLES])
    return f"{items.layout.colour_from}  guessed: {' | '.join(colours)}" if items.layout.colour_from and colours else ""


def _describe_choice(table: Table, choice: Choice, colour: str) -> Iterator[str]:
    width = max(map(len, table.columns))
    for what, column in choice.columns.items():
        how = "named" if what in choice.named else "guessed"
        examples = " | ".join(table.examples(column)) if column else ""
        without = colour if what == "colour" and colour else "no such column"
        yield f"  {what:<12} {column:<{width}}  {how}: {examples}" if column else f"  {what:<12} {without}"
    rest = {column: table.examples(column) for column in table.columns if column not in choice.columns.values()}
    yield from (f"  left out     {column:<{width}}  {' | '.join(values)}" for column, values in rest.items() if values)
    empty = [column for column, values in rest.items() if not values]
    if empty:
        yield f"  empty        {', '.join(empty)}"
