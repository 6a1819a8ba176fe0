"""python benchmarks/report.py [--items 10000]: the report of a study that has run here, with its garments repeated.

Repeats catalogue, pictures, captions, scores and attributes of the finished study until it has so many garments, in a
folder of its own, and writes the report there. Prints seconds, CPU seconds, peak memory of the process, and the size of
each page, which must be at most 15 MB. Recommendations stay as they are: the report reads their means alone.
"""

import argparse
import contextlib
import resource
import shutil
import sys
import tempfile
from pathlib import Path

import polars as pl
from clock import Clock

sys.path.insert(0, str(Path(__file__).parents[1]))

from lookbook import report

ROOT = Path(__file__).parents[1]
ITEMS, MEGABYTES = 10_000, 15
COPIED = ("params.yaml", "dvc.yaml", "dvc.lock", "pyproject.toml", "metrics", "data/samples", "data/costs", ".dvc")
REPEATED = ("data/prepared", "data/captions", "data/scores", "data/attributes")


def repeat_items(source: Path, target: Path, times: int) -> None:
    """Write a table again, with each garment so many times under ids of its own; another table as it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix != ".parquet" or "item_id" not in pl.read_parquet_schema(source):
        shutil.copy(source, target)
        return
    table = pl.read_parquet(source)
    column = pl.col("item_id").cast(pl.String)
    copies = [table.with_columns((column + f"-{copy:03}").alias("item_id")) for copy in range(times)]
    pl.concat(copies).write_parquet(target, row_group_size=len(table))


def write_study(folder: Path, items: int) -> int:
    """Write the larger study, and return the number of its garments."""
    own = pl.scan_parquet(ROOT / "data/prepared/items.parquet").select(pl.len()).collect().item()
    times = -(-items // own)
    for name in COPIED:
        path = ROOT / name
        if path.is_dir():
            ignored = shutil.ignore_patterns("cache", "tmp")
            shutil.copytree(path, folder / name, ignore=ignored)
        elif path.exists():
            shutil.copy(path, folder / name)
    for name in REPEATED:
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file():
                repeat_items(path, folder / path.relative_to(ROOT), times)
    return int(own * times)


def main() -> None:
    """Write the study and its report, and print what it took."""
    parser = argparse.ArgumentParser(description="Time the report of many garments.")
    parser.add_argument("--items", type=int, default=ITEMS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "study"
        folder.mkdir()
        items = write_study(folder, arguments.items)
        with contextlib.chdir(folder):
            clock = Clock()
            report.main()
            wall, cpu = clock.since(clock.start)
        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted((folder / "reports").glob("*.html"))}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{items:,} garments: {wall:.1f} s, {cpu:.1f} CPU s, {peak:.0f} MB in memory")
    for name, size in sizes.items():
        print(f"{name}: {size:.2f} MB (at most {MEGABYTES})")
    sys.exit(max(sizes.values()) > MEGABYTES)


if __name__ == "__main__":
    main()
