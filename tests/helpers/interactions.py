"""A small study on disk: purchases split in time, features that tell the parity which users buy by, texts."""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from catalogue.descriptions.variants import SOURCE_OF
from features.files import write_features
from pipeline.core.outputs import write_json
from recsys import interactions
from recsys.tuning.choices import choice_path

N_USERS, N_ITEMS = 50, 48
SPLITS = ("train", "train", "validation", "test")
PLAIN = ("random", "mostpop", "userknn", "itemknn", "bpr")
GRAPHS = ("freedom", "bm3", "mgcn", "lattice")
CONTENT = ("vbpr", "contentknn", *GRAPHS)
PARAMS = Path(__file__).parents[2] / "studies" / "sample.yaml"


DrawItems = Callable[[np.random.Generator, np.ndarray], list[int]]  # of those that a user may buy


def draw_eleven(random: np.random.Generator, own: np.ndarray) -> list[int]:
    """Draw 11 items, each with the same chance."""
    return random.choice(own, 11, replace=False).tolist()


def draw_unevenly(random: np.random.Generator, own: np.ndarray) -> list[int]:
    """Draw 8 to half of the items, the first of them far more often, so that few similarities are equal."""
    chance = 1 / np.arange(4, 4 + len(own))
    return random.choice(own, random.integers(8, len(own) // 2), replace=False, p=chance / chance.sum()).tolist()


def _purchases(random: np.random.Generator, item_ids: list[str], draw: DrawItems) -> pd.DataFrame:
    """Draw purchases of items of the user's own parity, then one more: a repeat, or item 0 or 1, which are cold."""
    rows = []
    for user in range(N_USERS):
        items = draw(random, np.arange(2 + user % 2, N_ITEMS, 2))
        items.append(items[0] if user % 3 else user % 2)
        rows += [(f"user {user:02}", item_ids[item], day) for day, item in enumerate(items)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "day"]).astype({"day": "int32"})


@functools.cache
def _short_params() -> str:
    yaml, text = YAML(), io.StringIO()
    params = yaml.load(PARAMS)
    for name in ("bpr", "vbpr", *GRAPHS):
        params["rec_fit"][name] |= {"batch_size": 256, "epochs": 3}
    yaml.dump(params, text)
    return text.getvalue()


def small_study(folder: Path, monkeypatch: pytest.MonkeyPatch, draw: DrawItems = draw_eleven) -> None:
    """Writes data/prepared, data/interactions, image features `parity`, texts and text features `words`; goes there.

    Of the items in `original` half are of captioning's train split, a quarter each of validation and test; two of each
    product. Nothing was chosen by tuning.
    """
    monkeypatch.chdir(folder)
    (folder / "params.yaml").write_text(_short_params())
    random = np.random.default_rng(0)
    ids = [f"{number:010}" for number in range(100, 100 + N_ITEMS)]
    original = np.arange(N_ITEMS) % 4 < 2  # both parities
    prepared = folder / "data" / "prepared"
    prepared.mkdir(parents=True)
    items = pd.DataFrame({"item_id": ids, "original": original, "product_code": [item[:9] for item in ids]})
    items["category"] = [("Shirt", "Dress", "Socks")[number % 3] for number in range(N_ITEMS)]
    items["split"] = [(SPLITS[number // 4 % 4] if chosen else None) for number, chosen in enumerate(original)]
    items["group"] = np.arange(N_ITEMS) // 2
    items.to_parquet(prepared / "items.parquet")
    _purchases(random, ids, draw).to_parquet(prepared / "purchases.parquet")
    features = random.normal(0, 0.3, (N_ITEMS, 6)) + (np.arange(N_ITEMS) % 2)[:, None]
    write_features("data/features/image/parity", ids, features)
    write_features("data/features/text/augmented/words", ids, features)
    for text in ("masked-ft", "masked-none"):
        own = [item for item, chosen in zip(ids, original, strict=True) if chosen]
        masked = np.arange(len(own)) % 5 == 0
        Path("data/texts").mkdir(exist_ok=True)
        source = np.where(masked, SOURCE_OF[text], "own")
        pd.DataFrame({"item_id": own, "masked": masked, "source": source}).to_parquet(f"data/texts/{text}.parquet")
        write_features(
            f"data/features/text/{text}/words", own, features[original] * ~(masked[:, None] & (text == "masked-none"))
        )
    written = pd.DataFrame({"item_id": ids, "masked": False, "source": np.where(original, "own", "ft")})
    written.to_parquet("data/texts/augmented.parquet")
    write_features("data/features/text/original/words", np.array(ids)[original].tolist(), features[original])
    for name in (*PLAIN, *(f"{recommender}-{name}" for recommender in CONTENT for name in ("parity", "words"))):
        write_choice("warm", name)
        write_choice("arrivals", name)
    interactions.main()


def write_choice(experiment: str, name: str, **choice: Any) -> None:
    """Write what `recsys.tune` would have chosen; without values those of `rec_fit` hold."""
    write_json(choice_path(Path("metrics/tune"), experiment, name), {"choice": choice, "trials": {}, "counts": {}})
