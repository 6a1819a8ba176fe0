"""Write a small study with every file that the application reads, in the formats of the stages."""

import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from catalogue.prepared.images import pack_images
from tests.helpers.arrivals import USERS, write_arrivals
from tests.helpers.hostile import HOSTILE
from tests.helpers.params_files import read_sample, write_values

ROOT = Path(__file__).parents[2]
ITEMS = 60
CAPTIONERS = ("tiny-blip2-opt", "tiny-llava")
COLOURS = ("red", "blue", "green")
CATEGORIES = ("dress", "shirt", "skirt", "boots")
METRICS = ("cider", "core_precision", "attribute_recall", "bleu_correct_1")
WARM = ("masked-ft", "masked-pt", "original")
RANKED = "vbpr-sbert"


def write_viewed_study(folder: Path, hostile: bool = False) -> Path:
    """Write the study into a new folder, and return it.

    Args:
        folder: Where to.
        hostile: Put texts of `HOSTILE` in descriptions, captions, categories, colours and names.
    """
    folder.mkdir(parents=True)
    words = [text.encode("utf-8", "replace").decode() for text in HOSTILE] if hostile else []
    items = _make_items(words)
    (folder / "data/prepared/images").mkdir(parents=True)
    items.to_parquet(folder / "data/prepared/items.parquet", index=False)
    _write_images(folder, items)
    _write_captions(folder, items, words)
    write_arrivals(folder, [RANKED], CAPTIONERS, [])
    _write_interactions(folder, items, words)
    _write_lists(folder)
    _write_texts(folder, items)
    _write_results(folder)
    return folder


def _make_items(words: Sequence[str]) -> pd.DataFrame:
    number = np.arange(ITEMS)
    colour = np.array(COLOURS)[number % 3]
    category = np.array(CATEGORIES)[number // 2 % 4]
    description = [f"{c} {k} in soft cotton" for c, k in zip(colour, category, strict=True)]
    table = pd.DataFrame(
        {
            "item_id": [f"{n:010}" for n in number],
            "product_code": [f"{n // 2:09}" for n in number],
            "description": description,
            "category": category,
            "colour": colour,
            "original": True,
            "split": np.where(number % 3 == 0, "test", np.where(number % 3 == 1, "train", "validation")),
            "group": number // 2,
            "attributes": None,
        }
    )
    table.loc[[7, 22], ["description", "split"]] = None
    table.loc[[7, 22], "original"] = False
    for place, text in enumerate(words):
        table.loc[3 * place, ["description", "category"]] = text, text[:300]
        table.loc[3 * place, "colour"] = text[:60]
    return table


def _write_images(folder: Path, items: pd.DataFrame) -> None:
    def draw(item: str) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (48, 64), (4 * int(item), 80, 120)).save(buffer, "JPEG")
        return buffer.getvalue()

    pack_images(folder / "data/prepared/images", {item: item for item in items["item_id"]}, draw, 64)


def _write_captions(folder: Path, items: pd.DataFrame, words: Sequence[str]) -> None:
    for name in ("captions", "scores", "attributes"):
        (folder / "data" / name).mkdir(parents=True)
    rng = np.random.default_rng(1)
    chosen = items[(items["split"] == "test") | items["description"].isna()].reset_index(drop=True)
    scores, said = [], []
    for captioner in CAPTIONERS:
        for variant in ("pt", "ft"):
            table, found = _caption(chosen, variant, words)
            table.to_parquet(folder / f"data/captions/{captioner}-{variant}.parquet", index=False)
            for metric in METRICS:
                values = rng.normal(0.5 if variant == "ft" else 0.3, 0.1, len(chosen))
                rows = pd.DataFrame({"item_id": chosen["item_id"], "captioner": captioner, "variant": variant})
                scores.append(rows.assign(metric=metric, value=values)[chosen["split"].eq("test")])
            said.append(found.assign(captioner=captioner, variant=variant))
    pd.concat(scores).to_parquet(folder / "data/scores/captions.parquet", index=False)
    pd.concat(said).to_parquet(folder / "data/scores/caption_words.parquet", index=False)
    described = items[items["description"].notna()]
    attributes = [[*text.split()[:2], "cotton"] for text in described["description"]]
    table = pd.DataFrame({"item_id": described["item_id"], "attributes": attributes})
    table.to_parquet(folder / "data/attributes/items.parquet", index=False)
    vocabulary = sorted({*COLOURS, *CATEGORIES, "cotton", "hood"})
    (folder / "data/attributes/vocabulary.json").write_text(json.dumps(vocabulary))


def _caption(chosen: pd.DataFrame, variant: str, words: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Caption garments: fine-tuned ones name category and a hood, which no description names."""
    rows, found = [], []
    for place, (item, category) in enumerate(zip(chosen["item_id"], chosen["category"], strict=True)):
        kind = category if category in CATEGORIES else "dress"
        text = f"a {kind} with a hood" if variant == "ft" else f"a picture of a {kind}"
        spans = [(kind, text.index(kind), text.index(kind) + len(kind))]
        if variant == "ft":
            spans.append(("hood", text.index("hood"), text.index("hood") + 4))
        if words and variant == "ft" and place < len(words):
            text, spans = words[place], []
        rows.append({"item_id": item, "caption": text, "tokens": len(text) % 50, "finished": place != 1})
        keys = ("attribute", "start", "end")
        attributes = [dict(zip(keys, span, strict=True)) for span in spans]
        found.append({"item_id": item, "attributes": attributes, "predicted_category": "dress"})
    return pd.DataFrame(rows), pd.DataFrame(found).assign(predicted_category_zero_shot="shirt")


def _write_interactions(folder: Path, items: pd.DataFrame, words: Sequence[str]) -> None:
    """Write users, items and purchases again, those of items that are no arrivals among them."""
    data = folder / "data/interactions"
    names = [f"customer {number}" for number in range(USERS + 1)]
    names[: len(words)] = words
    pd.DataFrame({"user": np.arange(USERS + 1, dtype="int32"), "user_id": names}).to_parquet(data / "users.parquet")
    numbered = items[["item_id", "original"]].assign(item=np.arange(ITEMS, dtype="int32"))
    numbered.to_parquet(data / "items.parquet", index=False)
    rng = np.random.default_rng(2)
    own = pd.DataFrame({"user": np.repeat(np.arange(USERS), 5), "item": rng.integers(0, ITEMS, 5 * USERS)})
    own["day"] = rng.integers(18_000, 18_700, len(own))
    for name in ("train", "test"):
        table = pd.concat([pd.read_parquet(data / f"{name}.parquet"), own.iloc[:: 2 if name == "train" else 3]])
        table.astype("int32").to_parquet(data / f"{name}.parquet", index=False)


def _write_lists(folder: Path) -> None:
    rng = np.random.default_rng(3)
    scores = []
    for arm in WARM:
        rows = []
        for run in range(2):
            for user in range(USERS):
                items = rng.permutation(ITEMS)[:12]
                rows += [("original", run, user, item, rank + 1, 1.0 - rank / 20) for rank, item in enumerate(items)]
                scores.append((arm, RANKED, run, user, rng.uniform(), rng.uniform()))
        columns = ["candidates", "run", "user", "item", "rank", "score"]
        types = {"run": "int32", "user": "int32", "item": "int32", "rank": "int32", "candidates": "category"}
        (folder / "data/recommendations" / arm).mkdir(parents=True)
        table = pd.DataFrame(rows, columns=columns).astype(types)
        table.to_parquet(folder / f"data/recommendations/{arm}/{RANKED}.parquet", index=False)
    columns = ["arm", "recommender", "run", "user", "ndcg_12", "ndcg_masked_12"]
    users = pd.DataFrame(scores, columns=columns).astype({"run": "int32", "user": "int32"})
    users.to_parquet(folder / "data/scores/recommendations.parquet", index=False)
    parts = {"cold_users": users[users["user"] % 3 == 0], "warm_users": users[users["user"] % 3 > 0]}
    slices = pd.concat([part.assign(slice=name) for name, part in parts.items()])
    columns = ["arm", "recommender", "slice", "run", "user", "ndcg_12"]
    slices[columns].to_parquet(folder / "data/scores/recommendation_slices.parquet", index=False)


def _write_texts(folder: Path, items: pd.DataFrame) -> None:
    for name in ("texts", "sources"):
        (folder / "data" / name).mkdir()
    original = items[items["original"]]
    for arm in WARM:
        table = pd.DataFrame({"item_id": original["item_id"], "text": original["description"] + f" by {arm}"})
        table["source"] = np.where(original["split"] == "test", arm.removeprefix("masked-"), "own")
        table["masked"] = original["split"] == "test"
        table.to_parquet(folder / f"data/texts/{arm}.parquet", index=False)
    test = original[original["split"] == "test"]
    for source in ("reference", "none", *(f"{name}-{variant}" for name in CAPTIONERS for variant in ("pt", "ft"))):
        text = "" if source == "none" else test["description"] + f" by {source}"
        table = pd.DataFrame({"item_id": test["item_id"], "text": text})
        table.to_parquet(folder / f"data/sources/{source}.parquet", index=False)


def _write_results(folder: Path) -> None:
    """Copy the results that are in git, and write params.yaml with the axes of this study."""
    for name in ("comparison", "captions", "recommendations", "catalogue", "headline", "chosen"):
        shutil.copy(ROOT / f"metrics/{name}.json", folder / "metrics")
    for name in ("dvc.yaml", "dvc.lock"):
        shutil.copy(ROOT / name, folder)
    params = read_sample()
    params["captioners"] = {name: {"family": "llava"} for name in CAPTIONERS}
    params |= {"texts": list(WARM), "catalogues": ["original"], "recommenders": [], "content_recommenders": ["vbpr"]}
    write_values(params, folder / "params.yaml")
    (folder / "reports/tables").mkdir(parents=True)
    (folder / "reports/index.html").write_text("<!doctype html><title>Report</title><h1>Report</h1>")
    (folder / "reports/tables/captions.csv").write_text("captioner,variant,cider\ntiny-llava,ft,=1+1\n")
