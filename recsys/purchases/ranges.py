"""Purchases split in ranges of users, which the nodes of a cluster make; files have the bytes of one process.

Two rounds: parts of the input are cut into ranges of users, by their ids, in file order; then each range is split as
all users are at once. Ranges are those of the sorted ids, one after another, so that a user's number is the one among
all. What depends on other users (`sampling`, `split: date`) is done by one process instead.
"""

import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.checkpoints import is_whole, load_part, part_path, refuse_lost_part, save
from pipeline.cluster import Write, make_files
from pipeline.core.outputs import new_folder, write_json, write_parquet
from pipeline.machine import Where
from recsys.purchases.dataset import CATALOGUES, PUBLISHED
from recsys.purchases.division import Tally, divide_rows, refuse_empty, tabulate, tabulate_users
from recsys.purchases.reading import choose_known, number_by_id, read_items, refuse_unknown_items
from recsys.purchases.row_groups import open_tables
from recsys.purchases.settings import RecInteractions
from recsys.purchases.splits import Purchases

GROUPS = 4  # row groups of the input in a part of the first round
RANGE_ROWS = 4_000_000  # purchases of a range of users, about
SAMPLED = 16  # row groups whose users say where ranges begin
PARTS = ("train", "test", "validation")
KINDS = {"I32": np.int32, "I64": np.int64, "U8": np.uint8}  # of safetensors, that files of the first round have
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
            arrays = {name: values[order] for name, values in columns.items()} | _pack_names(names)
            ends = {"ends": number[order], "user_ends": sought}
            arrays |= {name: _find_ends(numbers, len(bounds) + 1) for name, numbers in ends.items()}
            checks = [_check(arrays, _cut(arrays, range_)) for range_ in range(len(bounds) + 1)]
            save(path, arrays | {"checks": np.array(checks, dtype=np.uint32)}, {})

    return write


def _find_ends(numbers: np.ndarray, n_ranges: int) -> np.ndarray:
    """Return a 0 and where each range ends, of the ascending numbers of the ranges that rows or users are in."""
    return np.concatenate([[0], np.searchsorted(numbers, np.arange(n_ranges), side="right")])


def _cut(arrays: Mapping[str, Any], number: int) -> dict[str, slice]:
    """Return the slice of each array of a file of the first round that belongs to a range."""
    rows = slice(*arrays["ends"][number : number + 2].tolist())
    users = slice(*arrays["user_ends"][number : number + 2].tolist())
    name_ends = slice(users.start, users.stop + 1)
    ends = arrays["name_ends"][name_ends]
    names = slice(int(ends[0]), int(ends[-1]))
    return {"user": rows, "item": rows, "day": rows, "name_ends": name_ends, "names": names}


def _check(arrays: Mapping[str, Any], slices: Mapping[str, slice]) -> int:
    """Return the CRC-32 of these slices of the arrays."""
    check = 0
    for name, part in slices.items():
        check = zlib.crc32(np.ascontiguousarray(arrays[name][part]).data, check)
    return check


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
        arrays, first = _read_slices(file, number)
        ids.append(pl.Series(_unpack_names(arrays), dtype=pl.String).gather(arrays["user"] - first))
        items.append(arrays["item"])
        days.append(arrays["day"])
    user, names = number_by_id(pl.concat(ids).cast(pl.Categorical(pl.Categories.random())))
    return Purchases(user, np.concatenate(items), np.concatenate(days)), names


def _read_slices(file: Path, number: int) -> tuple[Arrays, int]:
    """Read what a file of the first round has of a range, and no more; return it, and the number of its first user.

    Raises:
        UserError: the file was removed, or this part of it damaged, since it was made.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as stored:
            lazy = {name: stored.get_slice(name) for name in stored.keys()}  # noqa: SIM118 - not a mapping
            slices = _cut(lazy, number)
            arrays = {name: _take(lazy[name], part) for name, part in slices.items()}
            is_whole = _check(arrays, dict.fromkeys(slices, slice(None))) == lazy["checks"][number : number + 1][0]
    except (SafetensorError, OSError, LookupError, ValueError, TypeError):
        is_whole = False
    if not is_whole:
        refuse_lost_part(file)
    arrays["name_ends"] = arrays["name_ends"] - slices["names"].start
    return arrays, slices["name_ends"].start


def _take(stored: Any, part: slice) -> np.ndarray:
    """Read a slice of an array of a safetensors file, which refuses an empty one at the array's end."""
    return stored[part] if part.stop > part.start else np.zeros(0, KINDS[stored.get_dtype()])


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
    """Pack texts into bytes and where each ends, after a 0."""
    encoded = [name.encode() for name in names]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return {"names": np.frombuffer(b"".join(encoded), np.uint8), "name_ends": ends}


def _unpack_names(arrays: Arrays) -> np.ndarray:
    """Return the texts that `_pack_names` packed: (n,) object."""
    data, ends = arrays["names"].tobytes(), arrays["name_ends"].tolist()
    return np.array([data[start:end].decode() for start, end in pairwise(ends)], dtype=object)
