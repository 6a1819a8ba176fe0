"""FACAD (Fashion Captioning Dataset): pictures of garments with the shop's words; no purchases.

As published, in one folder:
- `{TRAIN,VAL,TEST}_IMAGES.hdf5`: `images`, uint8 (n, 3, 256, 256);
- `…_CAPTIONS_RAW.json`: a caption for each image, as text, as word ids or as `{"caption": text}` by number;
- `…_ATTRS.json`: a list of attributes for each image, as words or word ids (those of the test set do not belong to its
  images: they are found through meta_all_129927.json); `…_CATES_FLAT.json`: a category's number for each image;
- `WORDMAP.json` (any WORDMAP*.json): word -> id, needed where ids are;
- `meta_all_129927.json`: the garments with `id`, `description`, `category`, `categoryid`, `attr`, `images`.

The published test set has 99,981 images and 99,946 captions without keys, so which belongs to which is not known:
`catalogue_prepare.facad_test` says what to do. `raw` leaves the hdf5 files aside and reads meta_all_129927.json with
`images/<id>_<number of the colour>_<number of the view>.jpg`.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from catalogue.readers import Raw
from catalogue.readers.facad_captions import Descriptions
from catalogue.readers.files import Folder, images_in
from catalogue.readers.settings import ReaderSettings
from catalogue.readers.validation import require_folder
from pipeline.core.errors import UserError
from pipeline.core.progress import track

SPLITS = {"TRAIN": "train", "VAL": "validation", "TEST": "test"}
META = "meta_all_129927.json"
PADDING_IDS, PADDING_WORD = {0, 15804, 15805, 15806}, "nah"
SHAPE = (3, 256, 256)
REMEDY = "put FACAD's files there (see docs/data.md), or a link to a folder that has them"
FACAD_TEST = "catalogue_prepare.facad_test"


def open_raw(folder: Path, settings: ReaderSettings) -> Raw:
    """The data in `folder`; reads the texts now, images when asked.

    Raises:
        UserError: a file is missing or damaged, or the numbers of images, captions, attributes and categories differ.
    """
    require_folder(folder, REMEDY)
    garments = read_meta(folder)
    if settings.facad_test == "raw":
        return _from_meta(folder, garments)
    names = category_names(folder, garments)
    words = read_words(folder)
    images = {part: _images(folder, part) for part in SPLITS}
    parts = [read_part(folder, part, len(images[part]), names, words, settings.facad_test) for part in SPLITS]
    articles = pd.concat(parts, ignore_index=True)
    test = articles["split"] == "test"
    unknown_pairs = int(test.sum()) != len(images["TEST"])  # else they were as many as the images
    stamps = {part: _stamp(folder, part) for part in SPLITS}
    articles.loc[test, "attributes"] = test_attributes(articles.loc[test, "description"], garments)
    place = dict(zip(articles["item_id"], zip(articles["part"], articles["row"], strict=True), strict=True))
    return Raw(
        folder=folder,
        articles=articles.drop(columns=["part", "row"]),
        image_names={item: f"{folder / part}_IMAGES.hdf5: images[{row}]" for item, (part, row) in place.items()},
        image=lambda item: _picture(images[place[item][0]], place[item][1]),
        purchases=lambda: iter(()),
        is_fashion=lambda category: True,
        truth=pd.DataFrame({"item_id": pd.Series([], dtype=str)}),
        full_counts={},
        stamps={item: [row, *stamps[part]] for item, (part, row) in place.items()},
        unverified=int(test.sum()) if unknown_pairs else 0,
    )


def read_json(path: Path) -> Any:
    """Raises UserError where the file is missing, or cut off."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; {REMEDY}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); is it cut off? Fetch it again") from None


def read_list(path: Path) -> list[Any]:
    """A JSON list, or the values of a mapping by number, in its order."""
    values = read_json(path)
    if not isinstance(values, list | dict):
        raise UserError(f"{path}: expected a list, or a mapping by number; fetch it again")
    return list(values.values()) if isinstance(values, dict) else values


def read_meta(folder: Path) -> list[dict[str, Any]]:
    """The garments of meta_all_129927.json."""
    path = folder / META
    garments = read_json(path)
    wanted = ("id", "description", "category", "attr", "images")
    if not isinstance(garments, list) or not garments:
        raise UserError(f"{path}: expected a list of garments; fetch it again")
    for place, garment in enumerate(garments):
        missing = [key for key in wanted if not isinstance(garment, dict) or key not in garment]
        if missing:
            raise UserError(f"{path}: garment {place} has no {', '.join(missing)}; fetch it again")
    return garments


def category_names(folder: Path, garments: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Number -> name of the categories."""
    names = {int(garment["categoryid"]): str(garment["category"]) for garment in garments if "categoryid" in garment}
    if not names:
        raise UserError(
            f"{folder / META}: no garment has a categoryid, so the numbers of …_CATES_FLAT.json mean nothing"
        )
    return names


def read_words(folder: Path) -> dict[int, str]:
    """Id -> word, from WORDMAP*.json; empty where there is no such file."""
    paths = sorted(folder.glob("WORDMAP*.json"))
    return {int(number): word for word, number in read_json(paths[0]).items()} if paths else {}


def decode(path: Path, value: Any, words: dict[int, str]) -> list[str]:
    """Words of a text, of a list of words, of a list of ids or of `{"caption": text}`; padding left out."""
    if isinstance(value, dict):
        value = value.get("caption", "")
    tokens = value.split() if isinstance(value, str) else value
    if not isinstance(tokens, list):
        raise UserError(f"{path}: {value!r} is no text, no list of words and no list of word ids; fetch it again")
    found = [token if isinstance(token, str) else words.get(token) for token in tokens if token not in PADDING_IDS]
    if None in found:
        raise UserError(
            f"{path}: word ids that WORDMAP*.json does not have, or there is no WORDMAP*.json in {path.parent}"
        )
    return [word for word in found if word and word != PADDING_WORD]


def read_part(
    folder: Path,
    part: str,
    n_images: int,
    names: dict[int, str],
    words: dict[int, str],
    facad_test: Literal["refuse", "first_99946"],
) -> pd.DataFrame:
    """A row per image: item_id, product_code, description, category, colour, split, attributes, part, row.

    Raises:
        UserError: counts that differ, or a category's number without a name.
    """
    captions, categories = (read_list(folder / f"{part}_{kind}.json") for kind in ("CAPTIONS_RAW", "CATES_FLAT"))
    counts = {"images": n_images, "captions": len(captions), "categories": len(categories)}
    n_items = _agreed(folder, part, counts, facad_test)
    kinds = category_of_each(folder / f"{part}_CATES_FLAT.json", categories[:n_items], names)
    texts = [" ".join(decode(folder / f"{part}_CAPTIONS_RAW.json", caption, words)) for caption in captions[:n_items]]
    return pd.DataFrame(
        {
            "item_id": [f"{SPLITS[part]}-{row:07d}" for row in range(n_items)],
            "product_code": texts,  # images of a garment share its caption
            "description": [text or None for text in texts],
            "category": kinds,
            "colour": "other",
            "split": SPLITS[part],
            "attributes": _attributes(folder, part, n_items, words),
            "part": part,
            "row": range(n_items),
        }
    )


def category_of_each(path: Path, numbers: Sequence[Any], names: dict[int, str]) -> list[str]:
    """Raises UserError where one is no number, or has no name."""
    unknown = [number for number in numbers if not isinstance(number, int) or number not in names]
    if unknown:
        raise UserError(f"{path}: category {unknown[0]!r} is out of range; {META} has {len(names)} categories")
    return [names[number] for number in numbers]


def _agreed(folder: Path, part: str, counts: dict[str, int], facad_test: str) -> int:
    """The number of items; the smallest of the test set's where the study asks for its first ones."""
    if len(set(counts.values())) == 1:
        return counts["images"]
    said = ", ".join(f"{number:,} {what}" for what, number in counts.items())
    if part != "TEST":
        raise UserError(f"{folder}: {part} has {said}; a file is incomplete or of another edition: fetch it again")
    if facad_test == "refuse":
        raise UserError(
            f"{folder}: the test set has {said} without keys, so it is not known which belongs to which. Set "
            f"{FACAD_TEST}: raw (reads {META} and images/, which have ids) or first_99946 (takes the first "
            f"{min(counts.values()):,} as they stand; unverified, and every table says so)"
        )
    return min(counts.values())


def _attributes(folder: Path, part: str, n_items: int, words: dict[int, str]) -> list[list[str]]:
    path = folder / f"{part}_ATTRS.json"
    if part == "TEST":
        return [[] for _ in range(n_items)]  # through the metadata, see test_attributes
    found = read_list(path)
    if len(found) != n_items:
        raise UserError(f"{path}: {len(found):,} lists of attributes for {n_items:,} images; fetch it again")
    return [sorted(set(decode(path, one, words))) for one in found]


def test_attributes(captions: pd.Series, garments: Sequence[dict[str, Any]]) -> pd.Series:
    """The attributes of the garment whose description shares most words with the caption; none where none does."""
    index = Descriptions([str(garment["description"]) for garment in garments])
    distinct = captions.dropna().unique()
    best = {
        caption: index.best(caption)[0] for caption in track(distinct, "attributes of the test captions", len(distinct))
    }
    found = {caption: attributes_of(garments[number]) if number >= 0 else [] for caption, number in best.items()}
    return captions.map(lambda caption: found.get(caption, []))


def attributes_of(garment: dict[str, Any]) -> list[str]:
    return sorted({str(word) for word in garment["attr"]} - {PADDING_WORD})


def _images(folder: Path, part: str) -> Any:
    """The images of a split, on disk.

    Raises:
        UserError: no such file, no `images` in it, or images of another shape.
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


def _picture(images: Any, row: int) -> bytes:
    """An image of the array as a file's bytes (PPM, which loses nothing)."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(images[row].transpose(1, 2, 0))).save(buffer, "PPM")
    return buffer.getvalue()


def _stamp(folder: Path, part: str) -> tuple[int, int]:
    found = (folder / f"{part}_IMAGES.hdf5").stat()
    return found.st_size, found.st_mtime_ns


def _from_meta(folder: Path, garments: Sequence[dict[str, Any]]) -> Raw:
    """Every picture of images/ whose name starts with a garment's id; split by ours, as this edition has none."""
    files = Folder(folder)
    by_id = {str(garment["id"]): garment for garment in garments}
    found = {Path(name).stem: name for name in images_in(files, "images/", (".jpg", ".jpeg", ".png"))}
    items = {item: by_id[item.split("_")[0]] for item in found if item.split("_")[0] in by_id}
    if not items:
        raise UserError(
            f"{folder / 'images'}: no picture whose name starts with the id of a garment, such as 12345_0_0.jpg"
        )
    chosen = list(items.values())
    articles = pd.DataFrame(
        {
            "item_id": list(items),
            "product_code": [str(garment["id"]) for garment in chosen],
            "description": [" ".join(str(garment["description"]).split()) or None for garment in chosen],
            "category": [str(garment["category"]) for garment in chosen],
            "colour": "other",
            "attributes": [attributes_of(garment) for garment in chosen],
        }
    )
    return Raw(
        folder=folder,
        articles=articles,
        image_names={item: files.where(found[item]) for item in items},
        image=lambda item: files.read(found[item]),
        purchases=lambda: iter(()),
        is_fashion=lambda category: True,
        truth=pd.DataFrame({"item_id": pd.Series([], dtype=str)}),
        full_counts={},
        stamps={item: files.stamps[found[item]] for item in items},
    )
