"""python -m lookbook.compare: PT against FT captions, catalogues and texts against one another, with intervals and p.

Reads the scores per item and per user, writes metrics/comparison.json (a row per comparison) and
metrics/headline.json (few flat keys, chosen by `captions` and `catalogue`).
"""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from captioning.scores import bleu, meteor
from lookbook import headline, significance
from lookbook.outputs import read_json, read_parquet
from pipeline.errors import UserError
from pipeline.outputs import write_json
from pipeline.params import Section, nearest, read
from pipeline.stage import done, run

ITEMS = Path("data/prepared/items.parquet")
CAPTION_SCORES = Path("data/scores/captions.parquet")
USER_SCORES = Path("data/scores/recommendations.parquet")
CAPTION_METRICS = Path("metrics/captions.json")
REC_METRICS = Path("metrics/recommendations.json")

BLEU, METEOR = list(bleu.STATISTICS), list(meteor.STATISTICS)
STATISTICS = set(BLEU + METEOR)
TEXT_PAIRS = [("augmented", "original"), ("augmented", "unfilled"), ("unfilled", "original")]
MASKED_PAIRS = [("ft", "pt"), ("ft", "none"), ("ft", "reference"), ("reference", "none")]
WHOLE = {"augmented": "all", "unfilled": "all", "original": "original"}  # a text and the catalogue of its rows


class Compare(Section):
    draws: Annotated[int, Field(ge=100)]


class Params(Section):
    captions: Literal["pt", "ft"]
    catalogue: Literal["original", "augmented"]
    writer: str
    seed: Annotated[int, Field(ge=0)]
    captioners: dict[str, Any]
    texts: list[str]
    catalogues: list[str]
    recommenders: list[str]
    image_features: list[str]
    text_features: list[str]
    compare: Compare


def main() -> None:
    params = read(Params)
    if params.captioners and params.writer not in params.captioners:
        allowed = list(params.captioners)
        raise UserError(
            f"params.yaml: writer: {params.writer!r} is not a captioner; allowed: {', '.join(allowed)}{nearest(params.writer, allowed)}"
        )
    comparison: dict[str, Any] = {"draws": params.compare.draws, "interval": significance.LEVEL}
    comparison |= {"captions": compare_captions(params), "catalogues": [], "masked": []}
    if params.catalogues or params.texts:
        users = read_parquet(USER_SCORES)
        cutoff = largest_cutoff(users.columns)
        comparison |= {
            "cutoff": cutoff,
            "catalogues": compare_catalogues(users, cutoff, params),
            "masked": compare_masked(users, cutoff, params),
        }
    for table in ("captions", "catalogues", "masked"):
        significance.correct_rows(comparison[table])
    figures = headline_of(params, comparison.get("cutoff"))
    write_json("metrics/comparison.json", comparison)
    write_json("metrics/headline.json", figures)
    rows = sum(len(comparison[table]) for table in ("captions", "catalogues", "masked"))
    done(
        f"wrote metrics/comparison.json ({rows} comparisons, {params.compare.draws} draws) and metrics/headline.json "
        f"({len(figures)} figures of {params.captions} captions and the {params.catalogue} catalogue)"
    )


# Captions: pt against ft, one captioner after the other


def compare_captions(params: Params) -> list[dict[str, Any]]:
    """A row per captioner and metric: fine-tuned minus pre-trained, groups of items resampled."""
    if not params.captioners:
        return []
    scores = read_parquet(CAPTION_SCORES)
    groups = read_parquet(ITEMS).set_index("item_id")["group"]
    rows = []
    for captioner in params.captioners:
        own = scores[scores["captioner"] == captioner]
        ft, pt = (_wide(own[own["variant"] == variant], captioner, variant) for variant in ("ft", "pt"))
        if not ft.index.equals(pt.index):
            raise UserError(
                f"{CAPTION_SCORES}: {captioner}: the items of pt and ft differ; run `dvc repro caption_score`"
            )
        rows += list(_caption_rows(captioner, ft, pt, groups.reindex(ft.index).to_numpy(), params))
    return rows


def _wide(scores: pd.DataFrame, captioner: str, variant: str) -> pd.DataFrame:
    """A row per item (sorted), a column per metric; NaN where an item has no score."""
    if scores.empty:
        raise UserError(f"{CAPTION_SCORES}: no rows for {captioner}, {variant}; run `dvc repro caption_score`")
    return scores.pivot(index="item_id", columns="metric", values="value").sort_index()


def _caption_rows(
    captioner: str, ft: pd.DataFrame, pt: pd.DataFrame, groups: np.ndarray, params: Params
) -> Iterator[dict[str, Any]]:
    metrics = [metric for metric in ft.columns.intersection(pt.columns) if metric not in STATISTICS]
    a, b = ft[metrics].to_numpy(), pt[metrics].to_numpy()
    estimates = significance.paired_means(a, b, groups, params.compare.draws, params.seed)
    corpus = _corpus_estimates(ft, pt, groups, params)
    core = "core_precision" if "core_precision" in metrics else "attribute_precision"
    for j, metric in enumerate(metrics):
        both = np.isfinite(a[:, j]) & np.isfinite(b[:, j])
        if not both.any():
            continue
        means = float(a[both, j].mean()), float(b[both, j].mean())
        mean_a, mean_b, estimate = corpus.get(metric, (*means, estimates[j]))
        row = {
            "table": "captions",
            "captioner": captioner,
            "metric": metric,
            "a": "ft",
            "b": "pt",
            "mean_a": mean_a,
            "mean_b": mean_b,
        }
        yield (
            row
            | estimate._asdict()
            | _counts(a[:, j], b[:, j], len(np.unique(groups[both])))
            | {"confirmatory": metric in ("cider", core)}
        )


def _corpus_estimates(
    ft: pd.DataFrame, pt: pd.DataFrame, groups: np.ndarray, params: Params
) -> dict[str, tuple[float, float, significance.Estimate]]:
    """BLEU-1..4, METEOR and the length ratio of the whole corpus in every draw, from the sums of their statistics."""
    metrics: dict[str, tuple[list[str], significance.CorpusMetric]] = {
        "meteor": (METEOR, meteor.meteor_from_statistics),
        "length_ratio": (BLEU[-2:], lambda sums: sums[:, 0] / sums[:, 1]),
    }
    for place, order in enumerate(bleu.ORDERS):
        metrics[f"bleu_{order}"] = BLEU, partial(_bleu, place)
    found = {}
    for name, (columns, metric) in metrics.items():
        a, b = ft[columns].to_numpy(), pt[columns].to_numpy()
        found[name] = significance.paired_corpus(a, b, groups, metric, params.compare.draws, params.seed)
    return found


def _bleu(place: int, sums: np.ndarray) -> np.ndarray:
    return bleu.bleu_from_statistics(sums)[..., place]


# Recommendations: one recommender in two arms, users and runs resampled


def largest_cutoff(columns: Iterable[str]) -> int:
    """12 where the scores have ndcg_5 and ndcg_12."""
    return max(int(name.removeprefix("ndcg_")) for name in columns if re.fullmatch(r"ndcg_\d+", name))


def compare_catalogues(users: pd.DataFrame, cutoff: int, params: Params) -> list[dict[str, Any]]:
    """Augmented, original and unfilled against one another: a row per recommender and pair.

    On the candidates and purchases in common; catalogues scored each alone must not be tested pairwise.
    """
    metric = f"ndcg_{cutoff}_common"
    pairs, rows = [], []
    for recommender in [*params.recommenders, *(f"vbpr-{name}" for name in params.image_features)]:
        for a, b in TEXT_PAIRS[:2]:  # without texts, unfilled is augmented: their third comparison would be the first
            if {WHOLE[a], WHOLE[b]} <= set(params.catalogues):
                rows.append(_pair("catalogues", recommender, metric, a, b))
                pairs.append((WHOLE[a], WHOLE[b]))
    for name in params.text_features:
        for a, b in TEXT_PAIRS:
            if {a, b} <= set(params.texts):
                rows.append(_pair("catalogues", f"vbpr-{name}", metric, a, b))
                pairs.append((a, b))
    return _compare_users(users, rows, pairs, params)


def compare_masked(users: pd.DataFrame, cutoff: int, params: Params) -> list[dict[str, Any]]:
    """The masked texts against one another, on the users who meet a masked item: a row per metric, feature and pair."""
    masked = f"ndcg_masked_{cutoff}"
    meets = users[users[masked].notna()]
    rows = [
        _pair("masked", f"vbpr-{name}", metric, a, b)
        for metric in (masked, f"ndcg_{cutoff}")
        for name in params.text_features
        for a, b in MASKED_PAIRS
        if {f"masked-{a}", f"masked-{b}"} <= set(params.texts)
    ]
    return _compare_users(meets, rows, [(f"masked-{row['a']}", f"masked-{row['b']}") for row in rows], params)


def _pair(table: str, recommender: str, metric: str, a: str, b: str) -> dict[str, Any]:
    confirmatory = table == "catalogues" or metric.startswith("ndcg_masked")
    return {"table": table, "recommender": recommender, "metric": metric, "a": a, "b": b, "confirmatory": confirmatory}


def _compare_users(
    users: pd.DataFrame, rows: list[dict[str, Any]], pairs: list[tuple[str, str]], params: Params
) -> list[dict[str, Any]]:
    """Fills the rows. Comparisons over the same users share one set of draws."""
    by_arm = dict(list(users.groupby(["arm", "recommender"], sort=False, observed=True)))
    same_users: dict[bytes, list[tuple[int, np.ndarray]]] = {}
    for place, (row, (arm_a, arm_b)) in enumerate(zip(rows, pairs, strict=True)):
        a = _by_user(by_arm, arm_a, row["recommender"], row["metric"])
        b = _by_user(by_arm, arm_b, row["recommender"], row["metric"])
        left, right = _paired(a, b)
        if not len(left):
            raise UserError(
                f"{USER_SCORES}: {row['recommender']}: {arm_a} and {arm_b} have no user in common; run `dvc repro rec_score`"
            )
        means_a, means_b = left.mean(axis=1), right.mean(axis=1)
        row |= {
            "mean_a": float(means_a.mean()),
            "mean_b": float(means_b.mean()),
            "runs": max(left.shape[1], right.shape[1]),
        }
        row |= _counts(means_a, means_b, len(left)) | {"same_by_construction": arm_a == arm_b}
        same_users.setdefault(a.index.intersection(b.index).to_numpy().tobytes(), []).append((place, left - right))
    for members in same_users.values():
        estimates = significance.paired_users_and_runs(
            [difference for _, difference in members], params.compare.draws, params.seed
        )
        for (place, _), estimate in zip(members, estimates, strict=True):
            rows[place] |= estimate._asdict()
    return rows


def _by_user(by_arm: dict[Any, pd.DataFrame], arm: str, recommender: str, metric: str) -> pd.DataFrame:
    """A row per user that has the metric (sorted), a column per run."""
    if (arm, recommender) not in by_arm:
        raise UserError(f"{USER_SCORES}: no rows for {recommender} on {arm}; run `dvc repro rec_score`")
    scores = by_arm[arm, recommender]
    return scores.pivot(index="user", columns="run", values=metric).dropna().sort_index()


def _paired(a: pd.DataFrame, b: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(users, runs) of both arms on their common users and runs; one run alone stands against every run of the other."""
    common = a.index.intersection(b.index)
    if a.shape[1] > 1 and b.shape[1] > 1:
        runs = a.columns.intersection(b.columns)
        a, b = a[runs], b[runs]
    return a.loc[common].to_numpy(), b.loc[common].to_numpy()


def _counts(a: np.ndarray, b: np.ndarray, groups: int) -> dict[str, int]:
    wins, ties, losses = significance.wins_ties_losses(a, b)
    return {"n": wins + ties + losses, "groups": groups, "wins": wins, "ties": ties, "losses": losses}


def headline_of(params: Params, cutoff: int | None) -> dict[str, float]:
    """The figures of the chosen `captions` and `catalogue`; `cutoff` is null in a study without recommendations."""
    figures: dict[str, float] = {}
    if params.captioners:
        figures |= headline.caption_figures(read_json(CAPTION_METRICS), params.writer, params.captions)
    if cutoff is not None:
        arms = [(WHOLE[params.catalogue], name) for name in params.recommenders]
        texted = [f"vbpr-{name}" for name in params.text_features]
        arms += [(params.catalogue, name) for name in texted]
        arms += [(f"masked-{params.captions}", name) for name in texted]
        figures |= headline.ranking_figures(read_json(REC_METRICS), arms, cutoff)
    return figures


if __name__ == "__main__":
    run(main)
