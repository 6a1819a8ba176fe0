"""The stage of imputations: learned from train items alone, pictures kept, a folder for each method."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.files import read_features, write_features
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_parquet
from recsys import impute
from recsys.encoding.stored import write_layout
from tests.helpers.params_files import read_sample, write_values

ROOT = Path(__file__).parents[2]
IDS = [f"{number:04d}" for number in range(40)]
ORIGINAL = np.arange(40) < 36  # the others have no description
SPLIT = np.where(ORIGINAL, np.array((["train"] * 5 + ["validation", "test", "test"]) * 5, dtype=object), None)
ARRIVALS = [item for item, split in zip(IDS, SPLIT, strict=True) if split in ("validation", "test")]
NAMES = ["mean", "zeros", "ridge-shades", "ridge-shapes", "neighbours-shades", "neighbours-shapes"]
WARM = ["warm-zeros", "warm-neighbours", "warm-propagation", "warm-pagerank", "warm-heat"]
N_PICTURES = 2


def write_text(text: str, ids: list[str], rows: np.ndarray) -> None:
    folder = impute.TEXTS / text / "any"
    write_features(folder, ids, rows)
    write_layout(folder, N_PICTURES, None)


def write_purchases(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for name in ("train", "test", "validation"):
        table = pd.DataFrame(
            {"user": rng.integers(0, 12, 90), "item": rng.integers(0, 38, 90), "day": 1}, dtype="int32"
        )
        write_parquet(impute.INTERACTIONS / f"{name}.parquet", table)


def write_params(**changes: object) -> None:
    params = read_sample()
    params |= {
        "image_features": ["shades", "shapes"],
        "imputations": ["mean", "zeros", "ridge", "neighbours"],
        **changes,
    }
    params["rec_impute"] |= {"neighbours": 3}
    write_values(params, "params.yaml")


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Forty items with pictures, words and purchases; returns the columns of pictures and words, (40, 5)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["recsys.impute", "--extractor", "any"])
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(40, 5)).astype(np.float16)
    write_items()
    for name, dim in (("shades", 4), ("shapes", 6)):
        write_features(impute.PICTURES / name, IDS, rows @ rng.normal(size=(5, dim)) + rng.normal(size=(40, dim)))
    write_text("original", [IDS[row] for row in np.flatnonzero(ORIGINAL)], rows[ORIGINAL])
    write_text("unfilled", IDS, rows)
    users = pd.DataFrame({"user": np.arange(12, dtype="int32"), "user_id": [f"u{user}" for user in range(12)]})
    write_parquet(impute.INTERACTIONS / "users.parquet", users)
    items = pd.DataFrame({"item": np.arange(40, dtype="int32"), "item_id": IDS, "original": ORIGINAL})
    write_parquet(impute.INTERACTIONS / "items.parquet", items)
    write_purchases(3)
    write_params()
    return rows


def write_items(words: str = "a shirt") -> None:
    description = [words if kept else None for kept in ORIGINAL]
    table = {"item_id": IDS, "description": description, "original": ORIGINAL, "split": SPLIT}
    write_parquet(impute.ITEMS, pd.DataFrame(table))


def read_bytes() -> dict[str, bytes]:
    folder = impute.FOLDER / "any"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_each_method_has_a_folder_with_every_arrival(rows: np.ndarray) -> None:
    impute.main()
    assert sorted(path.name for path in (impute.FOLDER / "any").iterdir()) == sorted(NAMES)
    for name in NAMES:
        found = read_features(impute.FOLDER / "any" / name)
        assert found.ids == tuple(ARRIVALS)
        pictures = found.take(ARRIVALS)[:, :N_PICTURES]
        np.testing.assert_array_equal(pictures, rows[[IDS.index(item) for item in ARRIVALS], :N_PICTURES])
    words = read_features(impute.FOLDER / "any/mean").take(ARRIVALS)[:, N_PICTURES:]
    assert not read_features(impute.FOLDER / "any/zeros").take(ARRIVALS)[:, N_PICTURES:].any()
    mean = rows[SPLIT == "train", N_PICTURES:].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(words, np.tile(mean, (len(ARRIVALS), 1)), rtol=1e-3)
    about = json.loads((impute.FOLDER / "any/neighbours-shades/imputation.json").read_text())
    assert about == {"items": int((SPLIT == "train").sum()), "neighbours": 3}


@pytest.mark.parametrize("seed", range(5))
def test_no_words_and_no_purchases_of_arrivals_reach_an_imputation(rows: np.ndarray, seed: int) -> None:
    impute.main()
    before = read_bytes()
    rng = np.random.default_rng(seed)
    others = ORIGINAL & (SPLIT != "train")
    changed = rows.copy()
    changed[others, N_PICTURES:] = rng.normal(size=(others.sum(), 3)) * 9
    write_text("original", [IDS[row] for row in np.flatnonzero(ORIGINAL)], changed[ORIGINAL])
    write_items(f"other words {seed}")
    write_purchases(seed + 100)
    impute.main()
    assert read_bytes() == before
    changed[0, N_PICTURES:] += 1  # a train item
    write_text("original", [IDS[row] for row in np.flatnonzero(ORIGINAL)], changed[ORIGINAL])
    impute.main()
    assert read_bytes()["mean/features.npy"] != before["mean/features.npy"]


def test_warm_imputations_fill_the_items_without_description_alone(rows: np.ndarray) -> None:
    write_params(warm_imputations=[name.removeprefix("warm-") for name in WARM], imputations=[])
    impute.main()
    assert sorted(path.name for path in (impute.FOLDER / "any").iterdir()) == sorted(WARM)
    for name in WARM:
        found = read_features(impute.FOLDER / "any" / name)
        assert found.ids == tuple(IDS)
        np.testing.assert_array_equal(found.take(IDS)[ORIGINAL], rows[ORIGINAL])
        np.testing.assert_array_equal(found.take(IDS)[:, :N_PICTURES], rows[:, :N_PICTURES])
        assert (found.take(IDS)[~ORIGINAL, N_PICTURES:] != rows[~ORIGINAL, N_PICTURES:]).all()
        assert found.n_pictures == N_PICTURES  # a fit divides them as it divides the text
        about = json.loads((impute.FOLDER / "any" / name / "imputation.json").read_text())
        assert (about["definition"], about["missing"]) == ("corrected", 4)
    assert about["without_known_neighbour"] >= 2  # nobody bought items 38 and 39
    assert not read_features(impute.FOLDER / "any/warm-zeros").take(IDS)[~ORIGINAL, N_PICTURES:].any()


def test_the_words_of_items_without_description_reach_no_warm_imputation(rows: np.ndarray) -> None:
    write_params(warm_imputations=[name.removeprefix("warm-") for name in WARM])
    impute.main()
    before = read_bytes()
    changed = rows.copy()
    changed[~ORIGINAL, N_PICTURES:] = 7
    write_text("unfilled", IDS, changed)
    impute.main()
    assert read_bytes() == before


def test_nothing_to_impute_is_an_empty_folder(rows: np.ndarray) -> None:
    write_params(imputations=[], warm_imputations=[])
    impute.main()
    assert read_bytes() == {}


def test_arrivals_without_pictures_are_counted_and_named(rows: np.ndarray) -> None:
    left = sorted(set(IDS) - set(ARRIVALS[:6]))
    write_features(impute.PICTURES / "shapes", left, np.ones((len(left), 2)))
    with pytest.raises(UserError, match=f"shapes: 6 of {len(ARRIVALS)} items have no features, first {ARRIVALS[0]}, "):
        impute.main()
    assert not impute.FOLDER.joinpath("any").exists()


def test_no_train_item_is_refused(rows: np.ndarray) -> None:
    table = pd.read_parquet(impute.ITEMS)
    write_parquet(impute.ITEMS, table.assign(split=table["split"].replace("train", "test")))
    with pytest.raises(UserError, match="rec_impute: no item has split train"):
        impute.main()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imputations": ["ridge", "rige"]}, r"imputations\.1: 'rige' is not allowed; .*did you mean ridge\?"),
        ({"warm_imputations": ["page"]}, r"warm_imputations\.0: 'page' is not allowed; .*'pagerank' or 'heat'"),
    ],
)
def test_an_unknown_imputation_is_refused(rows: np.ndarray, changes: dict[str, object], message: str) -> None:
    write_params(**changes)
    with pytest.raises(UserError, match=message):
        impute.main()
