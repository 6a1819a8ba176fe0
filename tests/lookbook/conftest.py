"""A small study's outputs in the formats of the stages: 60 items, 40 users, 2 captioners."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lookbook import compare
from tests.helpers.arrivals import write_arrivals, write_tuning
from tests.helpers.params_files import read_sample, write_values

ROOT = Path(__file__).parents[2]
CAPTIONERS = ["tiny-blip2-opt", "tiny-llava"]
MEANS = {
    "rouge_l": 0.4,
    "cider": 1.5,
    "spice": 0.3,
    "attribute_precision": 0.6,
    "attribute_recall": 0.5,
    "core_precision": 0.7,
    "accuracy": 0.5,
}
CATALOGUES = ["original", "all"]
RECOMMENDERS = ["random", "mostpop", "userknn", "itemknn", "bpr"]
IMAGE_FEATURES = ["resnet50"]
TEXT_FEATURES = ["sbert", "clip"]
ARRIVAL_FEATURES = [*TEXT_FEATURES, *IMAGE_FEATURES]
TEXTS = ["original", "augmented", "augmented-pt", "unfilled"]
TEXTS += ["masked-reference", "masked-ft", "masked-pt", "masked-none"]
SEVERAL_RUNS = ("random", "bpr", "vbpr")  # three runs each, the others have one


def study_params(**changes: Any) -> dict[str, Any]:
    params = read_sample()
    params["compare"] |= {"draws": 2000, "swaps": 400}
    axes = {"captioners": {name: {"family": "llava"} for name in CAPTIONERS}, "catalogues": CATALOGUES, "texts": TEXTS}
    axes |= {
        "recommenders": RECOMMENDERS,
        "content_recommenders": ["vbpr"],
        "image_features": IMAGE_FEATURES,
        "text_features": TEXT_FEATURES,
        "warm_content_recommenders": ["vbpr"],
        "warm_image_features": IMAGE_FEATURES,
        "warm_text_features": TEXT_FEATURES,
        "arrival_features": ARRIVAL_FEATURES,
    }
    return params | axes | changes


def _write_params(folder: Path, **changes: Any) -> None:
    write_values(study_params(**changes), folder / "params.yaml")


@pytest.fixture
def write_params() -> Callable[..., None]:
    """Return a function that writes the study's params.yaml: `write_params(folder, captions="pt")`."""
    return _write_params


@pytest.fixture
def read_json() -> Callable[[Path | str], Any]:
    return lambda path: json.loads(Path(path).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def built_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(1)
    for name in (
        "data/prepared/images",
        "data/scores",
        "data/captions",
        "metrics/train",
        "metrics/curves",
        "data/samples",
        "data/attributes",
    ):
        (folder / name).mkdir(parents=True)
    items = _items()
    items.to_parquet(folder / "data/prepared/items.parquet", index=False)
    _write_images(folder, items)
    test = items.loc[items["split"] == "test", "item_id"].tolist()
    _write_captions(folder, test, rng)
    _write_recommendations(folder, rng)
    names = [f"vbpr-{features}" for features in ARRIVAL_FEATURES]
    write_arrivals(folder, names, CAPTIONERS, IMAGE_FEATURES)
    for name in names:
        write_tuning(folder, "arrivals", name, [{"learning_rate": 0.02}, {"learning_rate": 0.005}])
    counts = {
        "articles": 60,
        "splits": {"train": 40, "test": 20},
        "leakage": {"grouped": {"shared_product_code": 0}, "random": {"shared_product_code": 7}},
    }
    (folder / "metrics/catalogue.json").write_text(json.dumps(counts))
    (folder / "metrics/ratings.json").write_text("{}")
    _write_params(folder)
    return folder


@pytest.fixture(scope="session")
def compared_study(built_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compare a copy of the study once."""
    return run_in_copy(built_study, tmp_path_factory.mktemp("compared"), compare.main)


@pytest.fixture
def study(built_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the study; it is the working directory."""
    folder = run_in_copy(built_study, tmp_path)
    monkeypatch.chdir(folder)
    return folder


def run_in_copy(source: Path, folder: Path, stage: Callable[[], None] = lambda: None) -> Path:
    """Copy a study to a subfolder, run a stage in the copy, and return it."""
    copy = folder / "study"
    shutil.copytree(source, copy)
    with contextlib.chdir(copy):
        stage()
    return copy


def _items() -> pd.DataFrame:
    ids = [f"{number:010}" for number in range(60)]
    return pd.DataFrame(
        {
            "item_id": ids,
            "product_code": [item[:9] for item in ids],
            "description": [f"garment {item} <b>&" for item in ids],  # to be escaped in HTML
            "category": [["shirt", "dress", "socks"][number % 3] for number in range(60)],
            "colour": "black",
            "original": True,
            "split": ["test" if number % 3 == number // 20 else "train" for number in range(60)],
            "group": [number // 4 for number in range(60)],
        }
    )


def _write_images(folder: Path, items: pd.DataFrame) -> None:
    rows = []
    for number, item in enumerate(items["item_id"]):
        buffer = io.BytesIO()
        Image.new("RGB", (48, 64), (4 * number, 80, 120)).save(buffer, "JPEG")
        rows.append({"item_id": item, "jpeg": buffer.getvalue(), "width": 48, "height": 64})
    for shard in range(2):
        pd.DataFrame(rows[30 * shard : 30 * shard + 30]).to_parquet(
            folder / f"data/prepared/images/{shard:05}.parquet", index=False
        )


def _write_captions(folder: Path, test: list[str], rng: np.random.Generator) -> None:
    rows: list[dict[str, Any]] = []
    metrics: dict[str, Any] = {}
    for captioner in [*CAPTIONERS, "ceiling"]:
        variants = ["ceiling"] if captioner == "ceiling" else ["pt", "ft", "floor"]
        scored = {variant: _scores_of(variant, test, rng) for variant in variants}
        for variant, table in scored.items():
            long = table.rename_axis("item_id").reset_index().melt("item_id", var_name="metric")
            rows += (long.dropna().assign(captioner=captioner, variant=variant)).to_dict("records")
        means = {variant: _means(table) for variant, table in scored.items()}
        metrics |= means if captioner == "ceiling" else {captioner: means}
        if captioner == "ceiling":
            continue
        for variant in ("pt", "ft"):
            captions = pd.DataFrame(
                {"item_id": test, "caption": f"a garment by {captioner} {variant}", "tokens": 5, "finished": True}
            )
            captions.to_parquet(folder / f"data/captions/{captioner}-{variant}.parquet", index=False)
        record = {"loss": 1.0, "validation_loss": 1.2, "steps": 100, "seconds": 30.5, "kwh": 0.001, "kg_co2": 0.0004}
        (folder / f"metrics/train/{captioner}.json").write_text(json.dumps(record))
        (folder / f"metrics/curves/{captioner}.csv").write_text(
            "step,kind,value\n10,loss,3.0\n10,lr,0.001\n20,loss,2.0\n20,validation_loss,2.2\n20,lr,0.0005\n30,loss,1.5\n"
        )
        samples = [
            f"{item},{epoch},{captioner} after {epoch},the shop's <b>&"
            for item in ("0000000001", "0000000002")
            for epoch in (1, 2)
        ]
        (folder / f"data/samples/{captioner}.csv").write_text(
            "\n".join(["item_id,epoch,caption,reference", *samples]) + "\n"
        )
    columns = ["item_id", "captioner", "variant", "metric", "value"]
    pd.DataFrame(rows)[columns].to_parquet(folder / "data/scores/captions.parquet", index=False)
    reference = {"accuracy": 0.8, "accuracy_zero_shot": 0.6}
    (folder / "metrics/captions.json").write_text(json.dumps(metrics | {"reference": reference, "skipped": []}))
    _write_attributes_and_confusions(folder)
    _write_words(folder, test)


def _write_words(folder: Path, test: list[str]) -> None:
    """Say that captions name a garment, which is true, and `tiny`, which is not; every garment is a dress, too."""
    spans = [{"attribute": "garment", "start": 2, "end": 9}, {"attribute": "tiny", "start": 13, "end": 17}]
    words = [
        {"item_id": item, "captioner": captioner, "variant": variant, "attributes": spans}
        for captioner in CAPTIONERS
        for variant in ("pt", "ft")
        for item in test
    ]
    table = pd.DataFrame(words).assign(predicted_category="dress", predicted_category_zero_shot="dress")
    table.to_parquet(folder / "data/scores/caption_words.parquet", index=False)
    own = pd.DataFrame({"item_id": test, "attributes": [["garment", "dress", "rare"]] * len(test)})
    own.to_parquet(folder / "data/attributes/items.parquet", index=False)
    (folder / "data/attributes/vocabulary.json").write_text(json.dumps(["dress", "garment", "tiny"]))


def _write_attributes_and_confusions(folder: Path) -> None:
    sets = [(captioner, variant) for captioner in CAPTIONERS for variant in ("pt", "ft", "floor")]
    attributes = [
        {"captioner": captioner, "variant": variant, "attribute": attribute, "reference": 9, "right": right}
        for captioner, variant in sets
        for attribute, right in (("black", 9), ("dress", 5), ("cotton", 3))
    ]
    table = pd.DataFrame(attributes).assign(missed=lambda table: table["reference"] - table["right"], invented=1)
    table = table.assign(precision=table["right"] / (table["right"] + 1), recall=table["right"] / table["reference"])
    table.to_parquet(folder / "data/scores/attributes.parquet", index=False)
    confusions = [
        (*labels, true, predicted, 3)
        for labels in [*sets, ("reference", "reference")]
        for true in ("shirt", "dress")
        for predicted in ("dress", "socks")
    ]
    columns = ["captioner", "variant", "true_category", "predicted_category", "items"]
    pd.DataFrame(confusions, columns=columns).to_parquet(folder / "data/scores/confusions.parquet", index=False)


def _scores_of(variant: str, test: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """Draw scores and sufficient statistics; those of fine-tuned captions are higher."""
    skill = {"pt": 0.3, "ft": 0.8, "floor": 0.2, "ceiling": 0.9}[variant]
    n = len(test)
    scores = {
        metric: np.clip(rng.normal(skill * mean, 0.1, n), 0, 1 if metric != "cider" else 10)
        for metric, mean in MEANS.items()
    }
    scores["attribute_precision"][0] = np.nan  # its reference has no attribute
    length = rng.integers(8, 15, n)
    for order in range(1, 5):
        guess = length - order + 1
        scores[f"bleu_guess_{order}"] = guess
        scores[f"bleu_correct_{order}"] = rng.binomial(guess, skill**order)
        scores[f"bleu_{order}"] = scores[f"bleu_correct_{order}"] / guess
    scores |= {"bleu_length": length, "bleu_reference_length": rng.integers(8, 15, n)}
    for index, value in enumerate(_meteor_statistics(length, skill, rng)):
        scores[f"meteor_statistic_{index:02}"] = value
    scores["meteor"] = rng.uniform(0, skill, n)
    return pd.DataFrame(scores, index=test)


def _meteor_statistics(length: np.ndarray, skill: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw test length, reference length, matches by module (content, function words), chunks, matched words."""
    matched = rng.binomial(length, skill)
    content = matched // 2
    zero = np.zeros_like(length)
    return [
        *(length, length, length // 2, length // 2),
        *(content, content, matched - content, matched - content),
        *([zero] * 12),
        *(np.maximum(1, matched // 3), matched, matched),
    ]


def _means(table: pd.DataFrame) -> dict[str, float]:
    shown = [*MEANS, "bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor"]
    return table[shown].mean().to_dict() | {"length_ratio": 1.02, "finished_share": 1.0, "items": len(table)}


def _write_recommendations(folder: Path, rng: np.random.Generator) -> None:
    plain = [*RECOMMENDERS, *(f"vbpr-{name}" for name in IMAGE_FEATURES)]
    arms = [(catalogue, name) for catalogue in CATALOGUES for name in plain]
    arms += [(text, f"vbpr-{name}") for text in TEXTS for name in TEXT_FEATURES]
    tables = []
    taste = rng.uniform(0, 0.4, 40)
    for arm, recommender in arms:
        gain = {"masked-ft": 0.2, "masked-reference": 0.25}.get(arm, 0.0)
        for run in range(3 if recommender.startswith(SEVERAL_RUNS) else 1):
            ndcg = np.clip(taste + gain + rng.normal(0, 0.02, 40), 0, 1)
            table = pd.DataFrame(
                {"arm": arm, "recommender": recommender, "run": run, "user": np.arange(40, dtype=np.int32)}
            )
            table = table.assign(ndcg_5=ndcg * 0.8, ndcg_12=ndcg, map_elliot_5=ndcg * 0.5, map_elliot_12=ndcg * 0.4)
            table = table.assign(
                ndcg_5_common=ndcg * 0.6,
                ndcg_12_common=ndcg * 0.7,
                map_elliot_5_common=ndcg * 0.3,
                map_elliot_12_common=ndcg * 0.2,
            )
            tables.append(table.assign(ndcg_masked_12=np.where(np.arange(40) < 25, ndcg, np.nan)))
    users = pd.concat(tables, ignore_index=True).astype({"arm": "category", "recommender": "category"})
    users.to_parquet(folder / "data/scores/recommendations.parquet", index=False)
    slices = _slices(users)
    slices.to_parquet(folder / "data/scores/recommendation_slices.parquet", index=False)
    metrics_of_users = ("ndcg_12", "ndcg_12_common", "ndcg_masked_12")
    hits = [_hits(users.assign(metric=name), ["arm", "recommender", "metric"], name) for name in metrics_of_users]
    pd.concat(hits).to_parquet(folder / "data/scores/recommendation_hits.parquet", index=False)
    parts = [(name, range(60)) for name in (*metrics_of_users, *slices["slice"].unique())]
    items = [(catalogue, part, item) for catalogue in CATALOGUES for part, members in parts for item in members]
    items = pd.DataFrame(items, columns=["catalogue", "part", "item"]).astype({"item": "int32"})
    items.to_parquet(folder / "data/scores/recommendation_items.parquet", index=False)
    slice_hits = _hits(slices, ["arm", "recommender", "slice"], "ndcg_12")
    slice_hits.to_parquet(folder / "data/scores/recommendation_slice_hits.parquet", index=False)
    means = users.groupby(["arm", "recommender"], observed=True).mean().drop(columns=["run", "user"])
    metrics: dict[str, Any] = {}
    for (arm, recommender), row in means.iterrows():
        metrics.setdefault(arm, {})[recommender] = row.to_dict() | {"users": 40, "runs": 3}
    (folder / "metrics/recommendations.json").write_text(json.dumps(metrics))


def _hits(scores: pd.DataFrame, labels: list[str], metric: str) -> pd.DataFrame:
    """Make every NDCG of two hits: on an item that the user likes, and on one that everyone does."""
    scores = scores[scores[metric] > 0]
    own = scores[[*labels, "run", "user"]].assign(item=scores["user"] % 59 + 1, contribution=0.75 * scores[metric])
    common = own.assign(item=0, contribution=0.25 * scores[metric])
    return pd.concat([own, common]).astype(dict.fromkeys(labels, str) | dict.fromkeys(["run", "item"], "int32"))


def _slices(users: pd.DataFrame) -> pd.DataFrame:
    """Cut three parts of the users; texts that a captioner wrote are in the catalogue of all articles only."""
    parts = {
        "cold_users": users[users["user"] < 20],
        "warm_users": users[users["user"] >= 20],
        "buyers:0": users[users["user"] < 5],
        "buyers:1-2": users[users["user"] >= 5],
        "written": users[users["arm"].isin(["all", "augmented", "unfilled"]) & (users["user"] < 30)],
    }
    columns = ["arm", "recommender", "slice", "run", "user", "ndcg_12"]
    return pd.concat([part.assign(slice=name) for name, part in parts.items()])[columns]
