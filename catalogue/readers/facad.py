"""FACAD (Fashion Captioning Dataset): pictures of garments with the shop's words, without purchases.

As published, in a folder:
- `{TRAIN,VAL,TEST}_IMAGES.hdf5`: `images`, uint8 (n, 3, 256, 256);
- `…_CAPTIONS_RAW.json`: a caption for each image, as text, as word ids or as `{"caption": text}` by number;
- `…_ATTRS.json`: a list of attributes for each image, as words or word ids; the lists of the test set do not belong to
  its images, so its attributes come from meta_all_129927.json;
- `…_CATES_FLAT.json`: a category's number for each image;
- `WORDMAP.json` (any WORDMAP*.json): word -> id, needed where there are ids;
- `meta_all_129927.json`: the garments with `id`, `description`, `category`, `categoryid`, `attr`, `images`.

The published test set has 99,981 images and 99,946 captions without keys, so which caption belongs to which image is
not known; `catalogue_prepare.facad_test` decides. `raw` does not use the hdf5 files, and reads meta_all_129927.json
with `images/<id>_<number of the colour>_<number of the view>.jpg`.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from catalogue.readers import NO_COLOUR, Raw
from catalogue.readers.facad_captions import Descriptions
from catalogue.readers.facad_files import (
    META,
    PADDING_WORD,
    REMEDY,
    Garment,
    decode,
    map_categories,
    read_list,
    read_meta,
    read_words,
)
from catalogue.readers.files import Folder, list_images
from catalogue.readers.settings import ReaderSettings
from catalogue.readers.tables import clean_texts
from catalogue.readers.validation import require_folder
from pipeline.core.errors import UserError
from pipeline.core.progress import track

SPLITS = {"TRAIN": "train", "VAL": "validation", "TEST": "test"}
SHAPE = (3, 256, 256)
FACAD_TEST = "catalogue_prepare.facad_test"


def open_raw(folder: Path, settings: ReaderSettings) -> Raw:
    """Read the texts of `folder`; images are read when they are needed.

    Raises:
        UserError: a file is missing or damaged, or the numbers of images, captions, attributes and categories differ.
    """
    require_folder(folder, REMEDY)
    garments = read_meta(folder)
    if settings.facad_test == "raw":
        return _open_raw_edition(folder, garments)
    names = map_categories(folder, garments)
    words = read_words(folder)
    images = {part: _open_images(folder, part) for part in SPLITS}
    parts = [read_part(folder, part, len(images[part]), names, words, settings.facad_test) for part in SPLITS]
    articles = pd.concat(parts, ignore_index=True)
    test = articles["split"] == "test"
    is_unverified = int(test.sum()) != len(images["TEST"])  # there are fewer captions than images
    stamps = {part: _stamp(folder, part) for part in SPLITS}
    articles.loc[test, "attributes"] = match_attributes(articles.loc[test, "description"], garments)
    rows = dict(zip(articles["item_id"], zip(articles["part"], articles["row"], strict=True), strict=True))
    return Raw(
        folder=folder,
        articles=articles.drop(columns=["part", "row"]),
        image_names={item: f"{folder / part}_IMAGES.hdf5: images[{row}]" for item, (part, row) in rows.items()},
        read_image=lambda item: _encode_ppm(images[rows[item][0]], rows[item][1]),
        read_purchases=lambda: iter(()),
        is_fashion=lambda category: True,
        truth=pd.DataFrame({"item_id": pd.Series([], dtype=str)}),
        full_counts={},
        stamps={item: (row, *stamps[part]) for item, (part, row) in rows.items()},
        unverified=int(test.sum()) if is_unverified else 0,
    )


def read_part(
    folder: Path,
    part: str,
    n_images: int,
    names: dict[int, str],
    words: dict[int, str],
    facad_test: Literal["refuse", "first_99946"],
) -> pd.DataFrame:
    """Read a split as a row for each image.

    Args:
        folder: The published files.
        part: TRAIN, VAL or TEST.
        n_images: How many images the split has.
        names: Number -> name of the categories.
        words: Id -> word.
        facad_test: What to do where the test set's counts differ.

    Returns:
        item_id, product_code, description, category, colour, split, attributes, part, row.

    Raises:
        UserError: the counts differ, or a category's number has no name.
    """
    captions, categories = (read_list(folder / f"{part}_{kind}.json") for kind in ("CAPTIONS_RAW", "CATES_FLAT"))
    counts = {"images": n_images, "captions": len(captions), "categories": len(categories)}
    n_items = _count_items(folder, part, counts, facad_test)
    kinds = name_categories(folder / f"{part}_CATES_FLAT.json", categories[:n_items], names)
    texts = [" ".join(decode(folder / f"{part}_CAPTIONS_RAW.json", caption, words)) for caption in captions[:n_items]]
    return pd.DataFrame(
        {
            "item_id": [f"{SPLITS[part]}-{row:07d}" for row in range(n_items)],
            "product_code": texts,  # images of a garment share its caption
            "description": clean_texts(pd.Series(texts, dtype=object)),
            "category": kinds,
            "colour": NO_COLOUR,
            "split": SPLITS[part],
            "attributes": _read_attributes(folder, part, n_items, words),
            "part": part,
            "row": range(n_items),
        }
    )


def name_categories(path: Path, numbers: Sequence[Any], names: dict[int, str]) -> list[str]:
    """Replace the number of each category by its name.

    Raises:
        UserError: a category is not a number, or its number has no name.
    """
    unknown = [number for number in numbers if not isinstance(number, int) or number not in names]
    if unknown:
        raise UserError(
            f"{path}: category {unknown[0]!r} is out of range; {META} has {len(names)} categories; fetch both again"
        )
    return [names[number] for number in numbers]


def _count_items(folder: Path, part: str, counts: dict[str, int], facad_test: str) -> int:
    """Return the number of items: of the test set the smallest count, if `facad_test` is first_99946."""
    if len(set(counts.values())) == 1:
        return counts["images"]
    listed = ", ".join(f"{number:,} {what}" for what, number in counts.items())
    if part != "TEST":
        raise UserError(
            f"{folder}: {part} has {listed}; a file is incomplete or of another edition: fetch the files again"
        )
    if facad_test == "refuse":
        raise UserError(
            f"{folder}: the test set has {listed} without keys, so which caption belongs to which image is not known; "
            f"set {FACAD_TEST}: raw (reads {META} and images/, which have ids) or first_99946 (pairs the first "
            f"{min(counts.values()):,} in their order; unverified, and every table says so)"
        )
    return min(counts.values())


def _read_attributes(folder: Path, part: str, n_items: int, words: dict[int, str]) -> list[list[str]]:
    path = folder / f"{part}_ATTRS.json"
    if part == "TEST":
        return [[] for _ in range(n_items)]  # through the metadata, see match_attributes
    lists = read_list(path)
    if len(lists) != n_items:
        raise UserError(f"{path}: {len(lists):,} lists of attributes for {n_items:,} images; fetch it again")
    return [sorted(set(decode(path, attributes, words))) for attributes in lists]


def match_attributes(captions: pd.Series, garments: Sequence[Garment]) -> pd.Series:
    """Give each caption the attributes of the garment whose description overlaps most with it, or none."""
    index = Descriptions([garment["description"] for garment in garments])
    distinct = captions.dropna().unique()
    progress = track(distinct, "attributes of the test captions", len(distinct))
    best = {caption: index.find_best(caption)[0] for caption in progress}
    matched = {caption: list_attributes(garments[number]) if number >= 0 else [] for caption, number in best.items()}
    return captions.map(lambda caption: matched.get(caption, []))


def list_attributes(garment: Garment) -> list[str]:
    """List the different attributes of a garment, sorted, without padding."""
    return sorted(set(garment["attr"]) - {PADDING_WORD})


def _open_images(folder: Path, part: str) -> h5py.Dataset:
    """Open the images of a split, which stay on disk.

    Raises:
        UserError: there is no such file, no `images` in it, or they have another shape.
    """
    path = folder / f"{part}_IMAGES.hdf5"
    if not path.is_file():
        raise UserError(f"{path}: no such file; {REMEDY}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path}: not a readable HDF5 file ({error}); fetch it again") from None
    if "images" not in file:
        raise UserError(f"{path}: no `images` in it; found {', '.join(file) or 'nothing'}; fetch it again")
    images = file["images"]
    if images.shape[1:] != SHAPE or images.dtype != np.uint8:
        raise UserError(f"{path}: images are {images.dtype} {images.shape[1:]}, expected uint8 {SHAPE}; fetch it again")
    return images


def _encode_ppm(images: h5py.Dataset, row: int) -> bytes:
    """Encode an image of the array as PPM, which loses nothing."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(images[row].transpose(1, 2, 0))).save(buffer, "PPM")
    return buffer.getvalue()


def _stamp(folder: Path, part: str) -> tuple[int, int]:
    status = (folder / f"{part}_IMAGES.hdf5").stat()
    return status.st_size, status.st_mtime_ns


def _open_raw_edition(folder: Path, garments: Sequence[Garment]) -> Raw:
    """Read the garments of every picture of images/ whose name starts with a garment's id; there is no split."""
    files = Folder(folder)
    by_id = {str(garment["id"]): garment for garment in garments}
    images = list(list_images(files, "images/", (".jpg", ".jpeg", ".png")))
    names = {Path(name).stem: name for name in images}
    items = {item: by_id[item.split("_")[0]] for item in names if item.split("_")[0] in by_id}
    if not items:
        raise UserError(
            f"{folder / 'images'}: no picture whose name starts with the id of a garment of {META}, such as "
            "12345_0_0.jpg; unpack FACAD's images there"
        )
    shown = list(items.values())
    articles = pd.DataFrame(
        {
            "item_id": list(items),
            "product_code": [str(garment["id"]) for garment in shown],
            "description": [garment["description"] or None for garment in shown],
            "category": [garment["category"] for garment in shown],
            "colour": NO_COLOUR,
            "attributes": [list_attributes(garment) for garment in shown],
        }
    )
    return Raw(
        folder=folder,
        articles=articles,
        image_names={item: files.locate(names[item]) for item in items},
        read_image=lambda item: files.read(names[item]),
        read_purchases=lambda: iter(()),
        is_fashion=lambda category: True,
        truth=pd.DataFrame({"item_id": pd.Series([], dtype=str)}),
        full_counts={},
        stamps={item: files.stamps[names[item]] for item in items},
        unmatched=[files.locate(name) for name in sorted(set(images) - {names[item] for item in items})],
    )
