"""python -m catalogue.prepare: check, filter, split and pack a raw catalogue into data/prepared/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints

from catalogue.preparation.filters import check_counts, filter_articles
from catalogue.preparation.packing import name_pictures, pack_on_cluster
from catalogue.preparation.purchases import find_first_sales, write_purchases
from catalogue.preparation.splits import LAUNCH, split_items
from catalogue.preparation.tables import build_items, build_truth
from catalogue.prepared.images import pack_images
from catalogue.readers import Raw, load_reader
from catalogue.readers.settings import DATASET_NAME, CataloguePrepare
from pipeline.checkpoints import checkpoint_folder, key_folder, write_hashes
from pipeline.core.errors import first_five
from pipeline.core.outputs import new_folder, write_json, write_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import Machine

RAW = Path("data/raw")
PREPARED = Path("data/prepared")
METRICS = Path("metrics/catalogue.json")
CODE = [Path(__file__).parent / "prepared" / name for name in ("images.py", "jpeg.py")]
STUDY_MIN_ITEMS_PER_TYPE = 7  # at which the counts of the full data sets are known


class Params(Section):
    """What this stage reads of params.yaml."""

    dataset: Annotated[str, StringConstraints(pattern=DATASET_NAME)]
    machine: Machine
    catalogue_prepare: CataloguePrepare


def main() -> None:
    """Write items, truth, purchases and images, and count what each filter leaves."""
    params = read(Params)
    section = params.catalogue_prepare
    raw = load_reader(params.dataset).open_raw(RAW / params.dataset, section)
    items, counts = filter_articles(raw, section)
    if section.split == LAUNCH:
        items["first_sale"] = items["product_code"].map(find_first_sales(raw))
    items, splits = split_items(items, section, raw.folder)
    counts_are_known = section.min_items_per_type == STUDY_MIN_ITEMS_PER_TYPE
    if counts_are_known:
        check_counts(raw.folder, counts | splits, raw.full_counts)
    names = name_pictures(raw, items)
    with checkpoint_folder(_work_folder(raw, names, section)) as work, new_folder(PREPARED) as folder:
        write_parquet(folder / "items.parquet", build_items(items))
        write_parquet(folder / "truth.parquet", build_truth(raw, items, section))
        purchases = write_purchases(folder / "purchases.parquet", raw, items)
        if counts_are_known and purchases["purchases_read"] == raw.full_purchases.get("purchases_read"):
            check_counts(raw.folder, purchases, raw.full_purchases)
        (folder / "images").mkdir()
        if params.machine.cluster != "none":
            pack_on_cluster(work, list(names), params.machine.where(), params.dataset, RAW / params.dataset, section)
        pack_images(folder / "images", names, raw.read_image, section.image_size, work)  # last: it empties `work`
        write_hashes(folder / "images")
    counts |= splits | purchases
    write_json(METRICS, counts)
    print_summary(_summarise(counts, raw))


def _work_folder(raw: Raw, names: Mapping[str, str], section: CataloguePrepare) -> Path:
    """Name the folder of packed images until all are there; its key changes with the images, their order and size."""
    images = [(name, raw.stamps.get(name)) for name in names]
    return key_folder("catalogue_prepare", [section.image_size, images], CODE, ["pillow", "pyarrow"])


def _summarise(counts: dict[str, Any], raw: Raw) -> str:
    """Write the stage's last line."""
    split, attributes, part = counts["split"], "", ""
    if "attributes" in counts:
        attributes = f", {counts['attributes']} attributes of their own"
    if raw.full_purchases and counts["purchases_read"] != raw.full_purchases["purchases_read"]:
        part = f"; a part: the full data has {raw.full_purchases['purchases_read']:,}"
    without_user = f", {counts['purchases_without_user']} without a user" if "purchases_without_user" in counts else ""
    return (
        f"wrote {PREPARED}: {counts['catalogue_all']} items, {counts['catalogue_original']} of them in the original "
        f"catalogue ({counts['fashion_types']} categories{attributes}; train {split['train']}, "
        f"validation {split['validation']}, test {split['test']}{_describe_launches(counts)}; "
        f"{split['leaked_product_code']} test items share a product code and {split['leaked_description']} a "
        f"description with train), {counts['purchases']} purchases of {counts['users']} users "
        f"({counts['purchases_of_unknown_articles']} of unknown articles{without_user} "
        f"left out{part}){_describe_pictures(raw)}"
    )


def _describe_launches(counts: dict[str, Any]) -> str:
    """Say from which day products are new, and how many were never sold, where the split is by launch."""
    if "launches" not in counts:
        return ""
    launches = counts["launches"]
    return (
        f"; validation was first sold from {launches['validation_from']}, test from {launches['test_from']}, and "
        f"{launches['never_sold']} items of {launches['never_sold_groups']} products were never sold and are trained on"
    )


def _describe_pictures(raw: Raw) -> str:
    """Count the articles without a picture and the pictures without an article, with the first five of each."""
    without = [item for item in raw.articles["item_id"] if item not in raw.image_names]
    parts = [f"; {len(without)} articles without a picture, first {first_five(without)}"] if without else []
    if raw.unmatched:
        parts.append(f"; {len(raw.unmatched)} pictures of no article, first {first_five(raw.unmatched)}")
    return "".join(parts)


if __name__ == "__main__":
    run(main)
