"""python benchmarks/app.py: time the application: its start, and a page of 24 of 100,000 garments.

Prints CPU seconds and memory, which a busy machine changes little, and exits with 1 where a limit is passed:
the server's first answer within 1.2 CPU seconds; a page, filtered and sorted by FT − PT of CIDEr out of 10 million
rows of scores, within 0.15 CPU seconds and 350 MB; torch is never imported.
"""

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import psutil
from ruamel.yaml import YAML

from pipeline.core.params import REFERENCE, load

ROOT = Path(__file__).parents[1]
ITEMS = 100_000
METRICS = 25
CAPTIONER = "tiny-llava"
START, PAGE, MEGABYTES = 1.2, 0.15, 350.0  # CPU seconds, CPU seconds, MB
WORDS = ("garment", "soft", "cotton", "long", "sleeves")  # of every description: each is a new selection


def write_study(folder: Path, n_items: int) -> None:
    """Write a catalogue, captions of one captioner, and scores: n_items × 2 variants × (METRICS × 2) rows."""
    for name in ("prepared", "captions", "scores"):
        (folder / "data" / name).mkdir(parents=True)
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        YAML().dump(load(REFERENCE) | {"captioners": {CAPTIONER: {"family": "llava"}}, "writer": CAPTIONER}, file)
    rng, number = np.random.default_rng(0), np.arange(n_items)
    ids = pl.Series("item_id", [f"{n:010}" for n in number])
    items = pl.DataFrame(
        {
            "item_id": ids,
            "product_code": ids.str.slice(0, 9),
            "description": pl.Series(number).cast(pl.String) + " is a garment in soft cotton with long sleeves" * 2,
            "category": pl.Series(rng.integers(0, 60, n_items)).cast(pl.String),
            "colour": pl.Series(rng.integers(0, 50, n_items)).cast(pl.String),
            "original": True,
            "split": pl.Series(np.array(["train", "test"])[number % 2]),
            "group": number,
        }
    )
    items.write_parquet(folder / "data/prepared/items.parquet")
    scores = []
    for variant in ("pt", "ft"):
        captions = pl.DataFrame({"item_id": ids, "caption": items["description"], "tokens": 12, "finished": True})
        captions.write_parquet(folder / f"data/captions/{CAPTIONER}-{variant}.parquet")
        names = ["cider", "core_precision", *(f"metric_{n}" for n in range(2 * METRICS - 2))]
        for start in range(0, n_items, 10_000):  # by garment, then by metric, as caption_score writes them
            part = ids.slice(start, 10_000).to_frame().join(pl.DataFrame({"metric": names}), how="cross")
            part = part.with_columns(captioner=pl.lit(CAPTIONER), variant=pl.lit(variant))
            scores.append(part.with_columns(value=pl.Series(rng.normal(size=len(part)))))
    order = ["item_id", "captioner", "variant", "metric", "value"]
    pl.concat(scores).select(order).write_parquet(folder / "data/scores/captions.parquet")


def time_start(study: Path) -> float:
    """Return the CPU seconds of the server and its children until its first answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lookbook.cli.main", "app", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=study, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).close()
                    break
                except OSError:
                    time.sleep(0.05)
            times = psutil.Process(server.pid).cpu_times()
            return times.user + times.system
        finally:
            server.terminate()


def time_pages(study: Path) -> tuple[float, float, int]:
    """Return the CPU seconds of the first page of a new selection and of the page after it, medians, and its size."""
    from lookbook.views.cards import read_cards
    from lookbook.views.items import count_facets, select, take_page
    from lookbook.views.selections import Selection
    from lookbook.views.study import open_study

    opened = open_study(study)
    sets, seconds, n_rows = [(CAPTIONER, "pt"), (CAPTIONER, "ft")], [], 0
    for text in WORDS:
        selection = Selection(split="test", text=text, captioner=CAPTIONER, sort="difference", metric="cider")
        for page in (1, 2):
            start = time.process_time()
            rows = select(opened, selection)
            count_facets(opened, selection)
            n_rows = len(rows)
            read_cards(opened, take_page(rows, page), sets, ["cider", "core_precision"])
            seconds.append(time.process_time() - start)
    return float(np.median(seconds[::2])), float(np.median(seconds[1::2])), n_rows


def main() -> None:
    """Write the study in a process of its own, then time the start and a page."""
    parser = argparse.ArgumentParser(description="Time the application.")
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--study", type=Path, help="a folder that an earlier run has written")
    parser.add_argument("--only-write", type=Path)
    arguments = parser.parse_args()
    if arguments.only_write:
        write_study(arguments.only_write, arguments.items)
        return
    with tempfile.TemporaryDirectory() as folder:
        study = arguments.study or Path(folder) / "study"
        if not study.exists():
            words = [sys.executable, __file__, "--items", str(arguments.items), "--only-write", str(study)]
            subprocess.run(words, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
        start = time_start(study)
        page, after, n_rows = time_pages(study)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"server's first answer: {start:.2f} CPU s (at most {START})")
    print(f"a page of 24 of {n_rows:,} of {arguments.items:,}: {page:.3f} CPU s (at most {PAGE}), {megabytes:.0f} MB")
    print(f"the page after it: {after:.3f} CPU s")
    sys.exit(start > START or page > PAGE or megabytes > MEGABYTES or "torch" in sys.modules)


if __name__ == "__main__":
    main()
