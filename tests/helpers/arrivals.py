"""Small results of new arrivals in the formats of the stages: rows of comparisons, rankings, metrics, tuning."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

Row = dict[str, Any]


def arrivals_row(a: str, b: str, difference: float = 0.0, margin: float = 0.02, **changes: Any) -> Row:
    """Return a row: its interval reaches `margin` to both sides of the difference; `changes` replace values."""
    low, high = difference - margin, difference + margin
    return {
        "table": "arrivals",
        "recommender": "vbpr-sbert",
        "metric": "ndcg_12",
        "a": a,
        "b": b,
        "mean_a": 0.1 + difference,
        "mean_b": 0.1,
        "difference": difference,
        "low": low,
        "high": high,
        "p": None,
        "p_holm": None,
        "detectable": None,
        "n": 1087,
        "products": 100,
        "hit_items": 54,
        "top10_share": 0.56,
        "runs": 3,
        "draws": 10_000,
        "family": None,
        "claimed": False,
        "equivalent": False,
        "confirmatory": False,
    } | changes


FINDINGS: dict[str, Row] = {  # what a tested comparison can find
    "better": {"difference": 0.039, "margin": 0.028, "p": 0.009, "p_holm": 0.027, "claimed": True},
    "worse": {"difference": -0.039, "margin": 0.028, "p": 0.009, "p_holm": 0.027, "claimed": True},
    "not shown": {"difference": 0.01, "margin": 0.03, "p": 0.3, "p_holm": 0.6},
    "equal": {"difference": 0.001, "margin": 0.003, "p": 0.5, "p_holm": 1.0, "equivalent": True},
}


def row_with_finding(a: str, b: str, finding: str, family: str = "secondary", **changes: Any) -> Row:
    """Return a row of a comparison that was tested and found this."""
    values = FINDINGS[finding] | {"family": family, "confirmatory": True, "detectable": 0.035}
    return arrivals_row(a, b, **(values | changes))


QUALITY = {  # source -> how much of the true vector its vector holds
    "reference": 1.0,
    "second": 0.95,
    "none": 0.0,
    "table": 0.3,
    "nearest": 0.5,
    "shuffled": 0.05,
    "replaced-50": 0.4,
    "pt": 0.3,
    "ft": 0.8,
    "mean": 0.0,
    "ridge-resnet50": 0.6,
    "neighbours-resnet50": 0.55,
}
PICTURES = 0.5
USERS = 40  # with a relevant arrival
WIDTH = 8
RUNS = 3
CUTOFF = 12


def list_qualities(name: str, captioners: Sequence[str], image_features: Sequence[str]) -> dict[str, float]:
    """Return the quality of every source of a recommender with features; captioners differ a little."""
    if name.partition("-")[2] in image_features:
        return {"pictures": PICTURES}
    own = {source: quality for source, quality in QUALITY.items() if source not in ("pt", "ft")}
    for variant in ("pt", "ft"):
        own |= {f"{captioner}-{variant}": QUALITY[variant] - 0.05 * i for i, captioner in enumerate(captioners)}
    return own


def write_arrivals(
    folder: Path, names: Sequence[str], captioners: Sequence[str], image_features: Sequence[str]
) -> None:
    """Write data/arrivals/ranked and metrics/arrivals of a study whose data/prepared/items.parquet is there.

    The purchases of the arrivals are written to data/interactions, every other one as a test purchase.

    Args:
        folder: The study.
        names: Recommenders with features; those on image features have the source `pictures` alone.
        captioners: The captioners of the study.
        image_features: The feature sets that are of pictures.
    """
    items = pd.read_parquet(folder / "data/prepared/items.parquet")
    test = items[items["original"] & (items["split"] == "test")].sort_values("item_id")
    arrivals = pd.DataFrame({"item": test.index.astype("int32"), "item_id": test["item_id"], "product": test["group"]})
    rng = np.random.default_rng(5)
    users, truth = rng.normal(size=(USERS, WIDTH)), rng.normal(size=(len(test), WIDTH))
    relevant = np.zeros((USERS, len(test)), dtype=bool)
    for user, scores in enumerate(users @ truth.T):
        relevant[user, np.argsort(-scores)[:3]] = True
    _write_interactions(folder, items, arrivals["item"].to_numpy(), relevant)
    (folder / "metrics/arrivals").mkdir(parents=True, exist_ok=True)
    for name in names:
        qualities = list_qualities(name, captioners, image_features)
        ranked = folder / "data/arrivals/ranked" / name
        ranked.mkdir(parents=True, exist_ok=True)
        arrivals.to_parquet(ranked / "arrivals.parquet", index=False)
        table = pd.DataFrame({"user": np.arange(USERS, dtype="int32"), "relevant": relevant.sum(axis=1)})
        table.to_parquet(ranked / "users.parquet", index=False)
        sources = _rank_sources(ranked, qualities, users, truth, relevant, arrivals["item"].to_numpy(), rng)
        counts = {"users": USERS, "users_without_history": 2, "purchases": int(relevant.sum()), "hit": 9}
        counts |= {"arrivals": len(test), "products": test["group"].nunique()}
        metrics = {"counts": counts, "sources": sources, "validation": sources}
        (folder / f"metrics/arrivals/{name}.json").write_text(json.dumps(metrics))


def _write_interactions(folder: Path, items: pd.DataFrame, arrivals: np.ndarray, relevant: np.ndarray) -> None:
    """Write the users' purchases of arrivals; a user after the last has no history, and bought them all twice."""
    user, place = np.nonzero(np.vstack([relevant, np.ones((2, len(arrivals)), dtype=bool)]))
    pairs = pd.DataFrame({"user": np.minimum(user, USERS), "item": arrivals[place], "day": 0}).astype("int32")
    (folder / "data/interactions").mkdir(parents=True, exist_ok=True)
    for name, rows in {"train": pairs[::2], "test": pairs[1::2], "validation": pairs[:0]}.items():
        rows.to_parquet(folder / f"data/interactions/{name}.parquet", index=False)
    items[["item_id", "original"]].to_parquet(folder / "data/interactions/items.parquet", index=False)
    users = pd.DataFrame({"user": [f"user {number}" for number in range(USERS + 1)]})
    users.to_parquet(folder / "data/interactions/users.parquet", index=False)


def _rank_sources(
    folder: Path,
    qualities: dict[str, float],
    users: np.ndarray,
    truth: np.ndarray,
    relevant: np.ndarray,
    items: np.ndarray,
    rng: np.random.Generator,
) -> Row:
    """Rank the arrivals by every source, write contributions and factors, and return the figures of the sources."""
    discount = 1 / np.log2(np.arange(2, CUTOFF + 2))
    ideal = np.cumsum(discount)[np.minimum(relevant.sum(axis=1), CUTOFF) - 1]
    rows, factors, figures = [], {}, {}
    vectors = {source: q * truth + (1 - q) * rng.normal(size=truth.shape) for source, q in qualities.items()}
    for run in range(RUNS):
        of_run = (users + rng.normal(0, 0.1, users.shape)).astype(np.float32)
        factors[f"users-{run}"] = of_run
        for source, vector in vectors.items():
            factors[f"items-{source}-{run}"] = vector.astype(np.float32)
            factors[f"bias-{source}-{run}"] = np.zeros(len(items), dtype=np.float32)
            for user, scores in enumerate(of_run @ factors[f"items-{source}-{run}"].T):
                for place, item in enumerate(np.argsort(-scores, kind="stable")[:CUTOFF]):
                    if relevant[user, item]:
                        rows.append((source, run, user, items[item], discount[place] / ideal[user]))
    table = pd.DataFrame(rows, columns=["source", "run", "user", "item", "contribution"])
    table = table.astype({"run": "int32", "user": "int32", "item": "int32"})
    table.astype({"source": "category"}).to_parquet(folder / "contributions.parquet", index=False)
    similar = pd.DataFrame([(s, item, q) for s, q in qualities.items() for item in items])
    similar.columns = ["source", "item", "similarity"]
    similar.astype({"source": "category"}).to_parquet(folder / "similarities.parquet", index=False)
    save_file(factors, folder / "factors.safetensors")
    (folder / "factors.json").write_text(
        json.dumps({"sources": list(qualities), "runs": list(range(RUNS)), "k": CUTOFF})
    )
    for source, quality in qualities.items():
        ndcg = float(table.loc[table["source"] == source, "contribution"].sum() / (USERS * RUNS))
        others = {f"{key}_12": ndcg / 2 for key in ("recall", "hit_rate", "share", "everyone_ndcg")}
        figures[source] = {"ndcg_12": ndcg, "ndcg_12_all": ndcg / 3, "similarity": quality} | others
    return figures


def write_tuning(folder: Path, experiment: str, name: str, settings: list[Row]) -> None:
    """Write metrics/tune/<experiment>/<name>.json: a trial per setting, the first of which is chosen."""
    trials = {
        str(number): values | {"epochs": 7 + number, "ndcg_12": 0.2 / number}
        for number, values in enumerate(settings, 1)
    }
    choice = {key: value for key, value in trials["1"].items() if key != "ndcg_12"} if trials else {}
    path = folder / f"metrics/tune/{experiment}/{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"choice": choice, "trials": trials, "counts": {"users": USERS} if trials else {}}))
