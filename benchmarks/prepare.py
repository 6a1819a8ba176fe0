"""python benchmarks/prepare.py [--images N] [--rows N] [--articles N] [--folder F]: time catalogue_prepare.

Makes raw data of H&M's format and size under F, where a second run finds it, and runs, each in a process of its own:

- images: a zip of JPEGs of 1166 × 1750 pixels and 250 to 300 kB to shards of 512 pixels, as `pack_images` does it and
  as plain PIL would (decode, thumbnail, encode; no draft mode) in as many threads
- purchases: `transactions_train.csv` filtered and written
- articles: `articles.csv` read, filtered and split, without images

Prints seconds, CPU seconds and peak memory. There are 40 different pictures, each stored many times with bytes of its
own.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import interactions
import numpy as np
import pandas as pd
import synthetic
from PIL import Image

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT = 1166, 1750
DIFFERENT = 40  # pictures
SIZE = 512  # longest side after packing
SHARE_OF_PLAIN = 10  # plain PIL is measured on every tenth picture

HEAD = """
import os, resource, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
sys.path[:0] = [os.environ["PROJECT"], os.path.join(os.environ["PROJECT"], "benchmarks")]
from benchmarks.synthetic import peak_mb
def report(what, count, unit, started):
    wall, cpu = time.perf_counter() - started, time.process_time()
    rate = f"{wall:.1f} s ({count / wall:.0f} a second)"
    print(f"{what}: {count:,} {unit} in {rate}, {cpu:.1f} CPU seconds, {peak_mb():.0f} MB", flush=True)
"""
PACK = """
from catalogue.prepared.images import pack_images
from catalogue.readers.files import Zip
archive, out = Zip(Path(sys.argv[1])), Path(sys.argv[2])
names = {Path(name).stem: name for name in archive.stamps}
started = time.perf_counter()
pack_images(out, names, lambda item: archive.read(names[item]), 512)
report("packed", len(names), "images", started)
"""
PLAIN = """
import io
from PIL import Image
from catalogue.readers.files import Zip
archive, every = Zip(Path(sys.argv[1])), int(sys.argv[2])
names = sorted(archive.stamps)[::every]
def shrink(name):
    picture = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
    picture.thumbnail((512, 512), Image.Resampling.LANCZOS)
    picture.save(buffer := io.BytesIO(), "JPEG", quality=90)
    return len(buffer.getvalue())
started = time.perf_counter()
with ThreadPoolExecutor(os.cpu_count()) as pool:
    assert min(pool.map(shrink, names)) > 0
report("plain PIL", len(names), "images", started)
"""
PURCHASES = """
import pandas as pd
from functools import partial
from catalogue.preparation.purchases import write_purchases
from catalogue.readers import Raw, hm
from catalogue.readers.files import Folder
table = Path(sys.argv[1])
items = pd.DataFrame({"item_id": [f"{100_000_000 + n:010d}" for n in range(104_547)], "original": True})
purchases = partial(hm.read_purchases, Folder(table.parent), table.name)
raw = Raw(table.parent, items, {}, lambda item: b"", purchases, lambda kind: True, items, {})
started = time.perf_counter()
figures = write_purchases(Path(sys.argv[2]), raw, items)
report("purchases", figures["purchases_read"], "rows", started)
"""
ARTICLES = """
from catalogue.preparation.filters import filter_articles
from catalogue.preparation.splits import split_items
from catalogue.readers import hm
from pipeline.core.params import load
params = prepare.CataloguePrepare(**load(Path(os.environ["PROJECT"]) / "studies/sample.yaml")["catalogue_prepare"])
started = time.perf_counter()
raw = hm.open_raw(Path(sys.argv[1]))
items, counts = filter_articles(raw, params)
items, figures = split_items(items, params, raw.folder)
report("articles", len(raw.articles), "rows", started)
"""


def write_images(path: Path, n: int) -> None:
    """Write a zip of JPEGs; noise over soft shapes gives the size of a photograph's file."""
    random = np.random.default_rng(0)
    pictures = [_jpeg(random) for _ in range(min(n, DIFFERENT))]
    sizes = [len(data) / 1000 for data in pictures]
    print(f"writing {path}: {n:,} JPEGs of {min(sizes):.0f} to {max(sizes):.0f} kB")
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(n):
            item, data = f"{100_000_000 + number:010d}", pictures[number % len(pictures)]
            comment = b"\xff\xfe\x00\x0c" + item.encode()  # a JPEG comment: the same picture, other bytes
            archive.writestr(f"images/{item[:3]}/{item}.jpg", data[:2] + comment + data[2:])


def _jpeg(random: np.random.Generator) -> bytes:
    soft = Image.fromarray(random.integers(0, 255, (24, 16, 3), dtype=np.uint8)).resize(
        (WIDTH, HEIGHT), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(soft, dtype=np.int16) + random.normal(0, 4.2, (HEIGHT, WIDTH, 1)).astype(np.int16)
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def write_articles(folder: Path, n: int) -> None:
    """Write articles.csv with all of H&M's columns, and a zip of empty images."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    ids = [f"{100_000_000 + 3 * number:010d}" for number in range(n)]
    text = "soft cotton jersey with a round neckline long sleeves and ribbing around cuffs hem dress top"
    words = np.array(text.split())
    texts = [" ".join(words[random.integers(0, len(words), 25)]) for _ in range(n // 2)]
    filler = [
        *("product_type_no", "product_group_name", "graphical_appearance_no", "graphical_appearance_name"),
        *("colour_group_code", "perceived_colour_value_id", "perceived_colour_value_name"),
        *("perceived_colour_master_id", "perceived_colour_master_name", "department_no", "department_name"),
        *("index_code", "index_name", "index_group_no", "index_group_name", "section_no", "section_name"),
        *("garment_group_no", "garment_group_name"),
    ]
    columns = {
        "article_id": ids,
        "product_code": [item[:7] for item in ids],
        "prod_name": "Strap top",
        "product_type_name": [f"Dress {kind}" for kind in random.integers(0, 131, n)],
        "colour_group_name": random.choice(["Black", "Dark Blue", "Light Pink", "Off White"], n),
        "detail_desc": [texts[number // 2 % len(texts)] for number in range(n)],
    } | dict.fromkeys(filler, "Ladieswear")
    pd.DataFrame(columns).to_csv(folder / "articles.csv", index=False)
    (folder / "transactions_train.csv").write_text("t_dat,customer_id,article_id,price,sales_channel_id\n")
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for item in ids:
            archive.writestr(f"images/{item[:3]}/{item}.jpg", b"")


def measure(code: str, *arguments: object) -> None:
    """Run the code in a process of its own, which prints its figures."""
    environment = os.environ | {"PROJECT": str(ROOT)}
    subprocess.run([sys.executable, "-c", HEAD + code, *map(str, arguments)], env=environment, check=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=interactions.ROWS)
    parser.add_argument("--articles", type=int, default=105_542)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "lookbook-benchmark-prepare")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    images, table = (
        arguments.folder / f"images-{arguments.images}.zip",
        arguments.folder / f"transactions-{arguments.rows}.csv",
    )
    articles = arguments.folder / f"articles-{arguments.articles}"
    for path, make in (
        (images, lambda: write_images(images, arguments.images)),
        (table, lambda: synthetic.call_apart(interactions.write_transactions, table, arguments.rows)),
        (articles, lambda: write_articles(articles, arguments.articles)),
    ):
        if not path.exists():
            make()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as out:
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d %H:%M')}")
        measure(PACK, images, out)
        measure(PLAIN, images, SHARE_OF_PLAIN)
        measure(PURCHASES, table, Path(out) / "purchases.parquet")
        measure(ARTICLES, articles)


if __name__ == "__main__":
    main()
