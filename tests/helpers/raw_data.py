"""Writes small raw data in the exact formats as they are published, from the sample's raw folder."""

import json
import shutil
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sample import shop
from tests.helpers.params_files import read_sample, write_values

ROOT = Path(__file__).parents[2]
SMALL_SAMPLE = {"seed": 1, "articles": 150, "customers": 40, "purchases": 400}
SIDE = 256
PADDING = (0, 15804, 15805, 15806)
KAGGLE = "h-and-m-personalized-fashion-recommendations.zip"
META = "meta_all_129927.json"


def write_sample(folder: Path, **sizes: int) -> Path:
    """Draw a small sample in `folder` and return its raw folder."""
    params = read_sample()
    params["sample_shop"] = SMALL_SAMPLE | sizes
    write_values(params, folder / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shop.main()
    return folder / "data/raw/sample"


def read_articles(sample: Path) -> pd.DataFrame:
    """Read the articles that have a description and an image, with `image`: its bytes."""
    table = pd.read_csv(sample / "articles.csv", dtype=str)
    with zipfile.ZipFile(sample / "images.zip") as archive:
        names = {Path(name).stem: name for name in archive.namelist()}
        table = table[table["detail_desc"].notna() & table["article_id"].isin(names)].reset_index(drop=True)
        return table.assign(image=[archive.read(names[item]) for item in table["article_id"]])


def write_hm_folder(sample: Path, folder: Path) -> None:
    """Write Kaggle's download, unpacked: three tables and images/0XX/0XXXXXXXXX.jpg."""
    folder.mkdir(parents=True)
    for name in ("articles.csv", "customers.csv", "transactions_train.csv"):
        shutil.copy(sample / name, folder)
    with zipfile.ZipFile(sample / "images.zip") as archive:
        archive.extractall(folder)


def write_hm_zip(sample: Path, folder: Path) -> None:
    """Write Kaggle's zip as it is downloaded."""
    unpacked = folder.with_name(folder.name + "-unpacked")
    write_hm_folder(sample, unpacked)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / KAGGLE, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(unpacked.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(unpacked))
    shutil.rmtree(unpacked)


def write_shop(sample: Path, folder: Path, purchases: bool = True) -> None:
    """Write a shop's own tables and pictures: catalogue.csv, orders.csv, pictures/<sku>.png."""
    table = read_articles(sample)
    (folder / "pictures").mkdir(parents=True)
    for sku, image in zip(table["article_id"], table["image"], strict=True):
        Image.open(BytesIO(image)).save(folder / "pictures" / f"SKU-{sku}.png")
    columns = {"title": table["detail_desc"], "type": table["product_type_name"], "style": table["product_code"]}
    pd.DataFrame({"sku": "SKU-" + table["article_id"]} | columns).to_csv(folder / "catalogue.csv", index=False)
    if purchases:
        bought = pd.read_csv(sample / "transactions_train.csv", dtype=str)
        columns = {"customer": bought["customer_id"], "sku": "SKU-" + bought["article_id"], "date": bought["t_dat"]}
        pd.DataFrame(columns).to_csv(folder / "orders.csv", index=False)


def build_garments(sample: Path) -> list[dict[str, Any]]:
    """Build FACAD's metadata: a garment for each article."""
    table = read_articles(sample)
    categories = sorted(table["product_type_name"].unique())
    words = set(" ".join(table["colour_group_name"]).lower().split()) | {name.lower() for name in categories}
    return [
        {
            "id": 20_000 + number,
            "description": article.detail_desc,
            "category": article.product_type_name.lower(),
            "categoryid": categories.index(article.product_type_name),
            "attr": sorted(words & set(article.detail_desc.lower().replace(".", "").split())) or ["nah"],
            "images": [{"color": article.colour_group_name, "0": "https://shop.example/0.jpg"}],
        }
        for number, article in enumerate(table.itertuples())
    ]


def read_pixels(sample: Path) -> np.ndarray:
    """Read the images of the articles: uint8, (n_articles, 3, 256, 256)."""
    images = (Image.open(BytesIO(image)).convert("RGB") for image in read_articles(sample)["image"])
    return np.stack([np.asarray(image.resize((SIDE, SIDE))).transpose(2, 0, 1) for image in images])


def divide(n: int) -> dict[str, range]:
    """Divide garments among FACAD's splits: 70 % train, 10 % validation, 20 % test."""
    return {
        "TRAIN": range(n * 7 // 10),
        "VAL": range(n * 7 // 10, n * 8 // 10),
        "TEST": range(n * 8 // 10, n),
    }


def write_facad(sample: Path, folder: Path, missing_captions: int = 2, ids: bool = False) -> None:
    """Write hdf5 and JSON as published, each garment in two views; the test set lacks captions at its end.

    Args:
        sample: The raw folder of the sample.
        folder: Where the files go.
        missing_captions: How many captions the test set lacks.
        ids: Write word ids with padding, and WORDMAP.json, instead of words.
    """
    garments, pixels = build_garments(sample), read_pixels(sample)
    folder.mkdir(parents=True)
    captions = [garment["description"].lower().split() for garment in garments]
    attributes = [garment["attr"] for garment in garments]
    vocabulary = sorted({word for words in captions + attributes for word in words} - {"nah"})
    wordmap = {word: number for number, word in enumerate(vocabulary, 1)}
    if ids:
        _write(folder / "WORDMAP.json", wordmap | {"<pad>": 0, "<unk>": 15804, "<start>": 15805, "<end>": 15806})
    for part, members in divide(len(garments)).items():
        twice = np.repeat(members, 2)  # the two views of a garment are neighbours
        with h5py.File(folder / f"{part}_IMAGES.hdf5", "w") as file:
            file.create_dataset("images", data=pixels[twice])
        captioned = twice[: len(twice) - missing_captions] if part == "TEST" else twice
        if ids:
            coded = [[15805, *(wordmap[word] for word in captions[row]), 15806, 0, 0] for row in captioned]
            _write(folder / f"{part}_CAPTIONS_RAW.json", coded)
            _write(folder / f"{part}_ATTRS.json", [[wordmap.get(word, 0) for word in attributes[row]] for row in twice])
        else:
            texts = {str(number): {"caption": " ".join(captions[row])} for number, row in enumerate(captioned)}
            _write(folder / f"{part}_CAPTIONS_RAW.json", texts)
            _write(folder / f"{part}_ATTRS.json", [attributes[row] for row in twice])
        _write(folder / f"{part}_CATES_FLAT.json", [garments[row]["categoryid"] for row in twice])
    _write(folder / META, garments)


def write_facad_raw(sample: Path, folder: Path) -> None:
    """Write the raw edition: the metadata, and images/<id>_<colour>_<view>.jpg."""
    (folder / "images").mkdir(parents=True)
    garments = build_garments(sample)
    for garment, image in zip(garments, read_articles(sample)["image"], strict=True):
        for view in range(2):
            (folder / "images" / f"{garment['id']}_0_{view}.jpg").write_bytes(image)
    _write(folder / META, garments)


def _write(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values), encoding="utf-8")
