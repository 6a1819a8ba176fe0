"""Purchases split in ranges of users, which the nodes of a cluster make; files have the bytes of one process.

Two rounds: parts of the input are cut into ranges of users, by their ids, in file order; then each range is split as
all users are at once. Ranges are those of the sorted ids, one after another, so that a user's number is the one among
all. What depends on other users (`sampling`, `split: date`) is done by one process instead.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.checkpoints import is_whole, load_part, part_path, save
from pipeline.cluster import Write, make_files
from pipeline.core.outputs import new_folder, write_json, write_parquet
from pipeline.machine import Where
from recsys.purchases.dataset import CATALOGUES, PUBLISHED
from recsys.purchases.division import Tally, divide_rows, refuse_empty
from recsys.purchases.reading import choose_known, number_by_id, read_items, refuse_unknown_items
from recsys.purchases.row_groups import open_tables
from recsys.purchases.settings import RecInteractions
from recsys.purchases.splits import Purchases
from recsys.purchases.writing import tabulate, tabulate_users

GROUPS = 4  # row groups of the input in a part of the first round
RANGE_ROWS = 4_000_000  # purchases of a range of users, about
SAMPLED = 16  # row groups whose users say where ranges begin
PARTS = ("train", "test", "validation")
Arrays = dict[str, np.ndarray]


def can_share(params: RecInteractions, purchases: Path) -> bool:
    """Check that there are purchases, and that the split of each user depends on that user alone."""
    alone = params.sampling == "full" and params.split == "per_user"
    return alone and pq.read_metadata(purchases).num_rows > 0


def write_in_ranges(
    folder: Path, items: Path, purchases: Path, params: RecInteractions, work: Path, where: Where
) -> tuple[dict[str, Any], int]:
    """Divide the purchases on a cluster, and write what `write_interactions` does.

    Args:
        folder: where to.
        items: data/prepared/items.parquet.
        purchases: data/prepared/purchases.parquet.
        params: how to divide.
        work: the folder of parts; its name depends on all that the split does.
        where: the cluster.

    Returns:
        The counts, and how many purchases of articles without an image are left out.

    Raises:
        UserError: no purchase is of an article with an image, or none is left for train or for test; and as
            `pipeline.cluster.make_files`.
    """
    bounds, metadata = find_bounds(purchases), pq.read_metadata(purchases)
    starts = range(0, metadata.num_row_groups, GROUPS)
    rows = {part_path(work / "rows", f"{first:08d}"): (first, first + GROUPS) for first in starts}
    cut = make_files(rows, open_rows, items, purchases, bounds, where=where, is_whole=is_whole)
    ranges = {part_path(work / "ranges", f"{number:08d}"): number for number in range(len(bounds) + 1)}
    files = make_files(ranges, open_split, cut, items, params, where=where, is_whole=is_whole)
    known, totals = read_items(items), Totals(read_items(items), params)
    with new_folder(folder) as partial:
        write_parquet(partial / "items.parquet", known.to_arrow(compat_level=pl.CompatLevel.oldest()))
        with open_tables(partial) as add:
            for file in files:
                arrays, _ = load_part(file)
                names, first = _unpack_names(arrays), totals.n_users
                add("users", tabulate_users(names, first))
                totals.add(arrays, len(names))
                for name in _list_parts(params):
                    part = _get_part(arrays, name)
                    add(name, tabulate(Purchases(part.user + np.int32(first), part.item, part.day)))
        if not totals.n_purchases:
            refuse_unknown_items(known, purchases, metadata.num_rows)
        counts = totals.counts()
        write_json(partial / "counts.json", counts)
    return counts, metadata.num_rows - totals.n_purchases


def find_bounds(purchases: Path) -> list[str]:
    """Return the first user id of every range but the first, ascending, by the users of some row groups."""
    with pq.ParquetFile(purchases) as file:
        n_ranges, n_groups = -(-file.metadata.num_rows // RANGE_ROWS), file.metadata.num_row_groups
        chosen = range(0, n_groups, -(-n_groups // SAMPLED)) if n_ranges > 1 else []
        tables = [file.read_row_group(group, ["user_id"]) for group in chosen]
    if not tables:
        return []
    users = pl.Series("user_id", pa.concat_tables(tables)["user_id"]).cast(pl.String).sort()
    first = users.gather([number * len(users) // n_ranges for number in range(1, n_ranges)])
    return first.unique().sort().to_list()


def open_rows(items: Path, purchases: Path, bounds: Sequence[str]) -> Write:
    """Return what cuts row groups of the input into ranges of users, each in file order."""
    known, starts = read_items(items), pl.Series("user_id", bounds, dtype=pl.String)

    def write(parts: Mapping[Path, tuple[int, int]]) -> None:
        for path, (first, stop) in parts.items():
            with pq.ParquetFile(purchases) as file:
                groups = range(first, min(stop, file.metadata.num_row_groups))
                rows = pl.DataFrame(file.read_row_groups(list(groups), ["user_id", "item_id", "day"]))
            table = choose_known(rows.lazy(), known).collect()
            user, names = number_by_id(table["user_id"])
            sought = starts.search_sorted(pl.Series(names, dtype=pl.String), side="right").to_numpy()
            number = sought[user]
            order = np.argsort(number, kind="stable")
            columns = {"user": user, "item": table["item"].to_numpy(), "day": table["day"].to_numpy()}
            arrays = {name: values[order] for name, values in columns.items()}
            ends = np.searchsorted(number[order], np.arange(len(bounds) + 1), side="right")
            save(path, arrays | {"ends": ends} | _pack_names(names), {})

    return write


def open_split(files: Sequence[Path], items: Path, params: RecInteractions) -> Write:
    """Return what splits ranges of users, of the files of the first round."""
    original = read_items(items)["original"].to_numpy()

    def write(parts: Mapping[Path, int]) -> None:
        for path, number in parts.items():
            purchases, names = _read_range(files, number)
            arrays = _pack_names(names) | {"sizes": np.array([len(purchases), original[purchases.item].sum()])}
            divided = {"": divide_rows(purchases, params)}
            if params.evaluation == "published":
                own = {name: _restrict(purchases, original, name) for name in CATALOGUES}
                divided |= {f"{PUBLISHED}/{name}/": divide_rows(part, params) for name, part in own.items()}
            for folder, split in divided.items():
                for name, part in split.items():
                    arrays |= {f"{folder}{name}.{column}": values for column, values in vars(part).items()}
            save(path, arrays, {})

    return write


class Totals:
    """What ranges of users add up to."""

    def __init__(self, items: pl.DataFrame, params: RecInteractions) -> None:
        self.params, self.original = params, items["original"].to_numpy()
        self.n_users = self.n_purchases = self.n_original = 0
        self.split = Tally(len(items))  # of all catalogues together
        self.tallies = {name: Tally(len(items)) for name in CATALOGUES}

    def add(self, arrays: Arrays, n_users: int) -> None:
        """Add a range that `open_split` wrote."""
        self.n_users += n_users
        self.n_purchases += int(arrays["sizes"][0])
        self.n_original += int(arrays["sizes"][1])
        self.split.add({name: _get_part(arrays, name) for name in PARTS}, n_users)
        for catalogue, tally in self.tallies.items():
            folder = f"{PUBLISHED}/{catalogue}/" if self.params.evaluation == "published" else ""
            parts = {name: _get_part(arrays, folder + name) for name in PARTS}
            tally.add({name: _restrict(part, self.original, catalogue) for name, part in parts.items()}, n_users)

    def counts(self) -> dict[str, Any]:
        """Return the counts, as `write_interactions` does.

        Raises:
            UserError: no purchase is left for train or for test.
        """
        divided = {"split": (self.n_purchases, self.split)}
        if self.params.evaluation == "published":
            sizes = {"original": self.n_original, "all": self.n_purchases}
            divided |= {name: (sizes[name], self.tallies[name]) for name in CATALOGUES}
        for n_before, tally in divided.values():
            if n_before:
                refuse_empty({name: tally.added[f"{name}_purchases"] for name in PARTS}, self.params)
        counts = {name: tally.counts() for name, tally in self.tallies.items()}
        return {"evaluation": self.params.evaluation, "users": self.n_users} | counts


def _read_range(files: Sequence[Path], number: int) -> tuple[Purchases, np.ndarray]:
    """Read the purchases of a range in file order, its users numbered by their sorted ids, and those ids."""
    ids, items, days = [], [], []
    for file in files:
        arrays, _ = load_part(file)
        rows = slice(arrays["ends"][number - 1] if number else 0, arrays["ends"][number])
        ids.append(pl.Series(_unpack_names(arrays), dtype=pl.String).gather(arrays["user"][rows]))
        items.append(arrays["item"][rows])
        days.append(arrays["day"][rows])
    user, names = number_by_id(pl.concat(ids).cast(pl.Categorical(pl.Categories.random())))
    return Purchases(user, np.concatenate(items), np.concatenate(days)), names


def _restrict(purchases: Purchases, original: np.ndarray, catalogue: str) -> Purchases:
    """Return the purchases of a catalogue's items."""
    return purchases.where(original[purchases.item]) if catalogue == "original" else purchases


def _list_parts(params: RecInteractions) -> list[str]:
    """List the files of purchases below data/interactions, without their ending."""
    own = [f"{PUBLISHED}/{name}/" for name in CATALOGUES] if params.evaluation == "published" else []
    return [folder + name for folder in ("", *own) for name in PARTS]


def _get_part(arrays: Arrays, name: str) -> Purchases:
    return Purchases(*(arrays[f"{name}.{column}"] for column in ("user", "item", "day")))


def _pack_names(names: np.ndarray) -> Arrays:
    """Pack texts into bytes and where each ends."""
    encoded = [name.encode() for name in names]
    ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
    return {"names": np.frombuffer(b"".join(encoded), np.uint8), "name_ends": ends}


def _unpack_names(arrays: Arrays) -> np.ndarray:
    """Return the texts that `_pack_names` packed: (n,) object."""
    data, ends = arrays["names"].tobytes(), arrays["name_ends"].tolist()
    names = [data[start:end].decode() for start, end in zip([0, *ends[:-1]], ends, strict=True)] if ends else []
    return np.array(names, dtype=object)
