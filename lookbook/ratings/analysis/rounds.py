"""Everything that metrics/ratings.json says of a round."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lookbook.ratings.analysis.agreement import (
    NOMINAL,
    ORDINAL,
    Share,
    estimate_alpha,
    estimate_share,
    find_raw_agreement,
)
from lookbook.ratings.analysis.judgements import Counted, count_judgements
from lookbook.ratings.analysis.preference import describe_preference
from lookbook.ratings.analysis.scores import compare_scores
from lookbook.ratings.analysis.strengths import estimate_strengths
from lookbook.ratings.captions import count_telltales
from lookbook.ratings.design import Captions, Pair, count_planned
from lookbook.ratings.power import find_detectable
from lookbook.ratings.rounds import Round
from lookbook.ratings.tables import BAD, GOOD, LEFT, Answer, Judgement, Look

VALUES = (-1, 0, 1)  # second arm, neither, first arm
ANSWERS = ("told_apart", "role")  # what a rater is asked at the end


class Said(NamedTuple):
    """What people said in a round: the rows of its tables."""

    judgements: Sequence[Judgement]
    answers: Sequence[Answer]
    looks: Sequence[Look]


class Draws(NamedTuple):
    """The number of bootstrap draws, and their seed."""

    n: int
    seed: int


def analyse_round(
    own: Round, pairs: Sequence[Pair], captions: Captions, said: Said, scores: pd.DataFrame, draws: Draws
) -> dict[str, Any]:
    """Analyse a round; one that is not finished, and that nobody looked at, shows its counts alone.

    Args:
        own: The round.
        pairs: Its pairs.
        captions: The captions of each arm.
        said: What people said.
        scores: data/scores/captions.parquet.
        draws: Of every bootstrap.
    """
    counted = count_judgements(own, pairs, captions, said.judgements)
    planned = count_planned(own, pairs)
    finished = len(said.judgements) - counted.changed >= planned
    figures: dict[str, Any] = {
        "a": own.a,
        "b": own.b,
        "planned": planned,
        "judgements": len(said.judgements),
        "changed": counted.changed,
        "skipped": counted.skipped,
        "finished": finished,
        "garments": len(pairs),
        "equal_captions": sum(pair.equal for pair in pairs),
    }
    if not counted.table.empty and (finished or said.looks):
        figures["questions"] = {
            question: analyse_question(own, pairs, counted, question, scores, draws) for question in own.questions
        }
        figures["raters"] = _describe_raters(counted.table, said.answers)
        figures["looks"] = {f"{look.at} {look.rater}": look.decided for look in said.looks}
        items = [pair.item_id for pair in pairs]
        figures["telltales"] = {arm: count_telltales(captions[arm], items, arm) for arm in own.arms}
    return figures


def analyse_question(
    own: Round, pairs: Sequence[Pair], counted: Counted, question: str, scores: pd.DataFrame, draws: Draws
) -> dict[str, Any]:
    """Analyse what was said to one question: preferences, agreement, position, strengths, scores that agree."""
    of_question = counted.table[counted.table["question"] == question]
    table = of_question[of_question["again"] == 0]
    decided = table[table["value"] != 0]
    figures: dict[str, Any] = {"pairs": {}}
    for index, (a, b) in enumerate(own.pairs):
        own_pairs = [pair for pair in pairs if (pair.a, pair.b) == (a, b)]
        described = describe_pair(table[table["pair"] == index], own_pairs, draws)
        if described:
            figures["pairs"][f"{a} over {b}"] = described
    figures |= {"decided": len(decided), "agreement": describe_agreement(of_question, draws)}
    detectable = find_detectable(len(decided))
    if detectable is not None:
        figures["detectable_share"] = detectable
    if len(own.arms) > 2 and not table.empty:
        figures["strengths"] = _estimate_strengths(own, table, draws)
    agreeing = compare_scores(own, decided, scores, draws.n, draws.seed)
    return figures | ({"scores": agreeing} if agreeing else {})


def describe_pair(table: pd.DataFrame, pairs: Sequence[Pair], draws: Draws) -> dict[str, Any]:
    """Describe how often each of two arms is preferred; nothing where nobody has judged them.

    Args:
        table: The judgements of these pairs, without repeats.
        pairs: The pairs of these two arms: those with equal captions count as ties.
        draws: Of the bootstrap.

    Returns:
        The preference over garments, the verdicts, and the preference of each rater.
    """
    if table.empty:
        return {}
    means = table.groupby("item_id").agg(value=("value", "mean"), group=("group", "first"))
    equal = [(0.0, pair.group) for pair in pairs if pair.equal]
    values = np.array([*means["value"], *(value for value, _ in equal)])
    groups = np.array([*means["group"], *(group for _, group in equal)])
    sides = Counter(table["value"])
    verdicts = Counter(table["verdict"])
    counts = {"wins": sides[1], "both_good": verdicts[GOOD], "both_bad": verdicts[BAD], "losses": sides[-1]}
    raters = {str(rater): float(values.mean()) for rater, values in table.groupby("rater")["value"]}
    return describe_preference(values, groups, draws.n, draws.seed) | {
        "verdicts": counts | {"equal_captions": len(equal)},
        "by_rater": raters,
    }


def describe_agreement(table: pd.DataFrame, draws: Draws) -> dict[str, Any]:
    """Describe how far raters agree with each other and with themselves, and whether they prefer a side.

    Args:
        table: The judgements of a question, repeats included.
        draws: Of the bootstrap.

    Returns:
        alpha_nominal, alpha_ordinal, raw: between raters; self: the same verdict on a pair that came again; left: the
        share of the left caption among decided judgements. What cannot be computed is absent.
    """
    first = table[table["again"] == 0]
    counts = first.groupby(["item_id", "value"]).size().unstack(fill_value=0)
    units = counts.reindex(columns=list(VALUES), fill_value=0).to_numpy()
    figures: dict[str, Any] = {
        f"alpha_{level}": estimate_alpha(units, level, draws.n, draws.seed) for level in (NOMINAL, ORDINAL)
    }
    both = first.merge(table[table["again"] == 1], on=["rater", "item_id"], suffixes=("", "_again"))
    same = int((both["value"] == both["value_again"]).sum())
    decided = table[table["value"] != 0]
    left = int((decided["verdict"] == LEFT).sum())
    figures |= {
        "raw": find_raw_agreement(units),
        "self": _describe_share(estimate_share(same, len(both))),
        "left": _describe_share(estimate_share(left, len(decided))),
    }
    return {key: value for key, value in figures.items() if value is not None}


def _estimate_strengths(own: Round, table: pd.DataFrame, draws: Draws) -> dict[str, dict[str, float]]:
    """Estimate the strengths of all arms; the units that are resampled are products."""
    products, product = np.unique(table["group"], return_inverse=True)
    outcomes = np.zeros((len(products), len(own.pairs), 3))
    np.add.at(outcomes, (product, table["pair"].to_numpy(), 1 - table["value"].to_numpy()), 1.0)
    indices = [(own.arms.index(a), own.arms.index(b)) for a, b in own.pairs]
    return estimate_strengths(outcomes.reshape(len(products), -1), indices, own.arms, draws.n, draws.seed)


def _describe_raters(table: pd.DataFrame, answers: Sequence[Answer]) -> dict[str, dict[str, Any]]:
    """Count each rater's judgements, and give what they answered at the end."""
    raters: dict[str, dict[str, Any]] = {
        str(rater): {"judgements": int(count)} for rater, count in table["rater"].value_counts().sort_index().items()
    }
    for answer in answers:
        if answer.rater in raters and answer.question in ANSWERS:
            raters[answer.rater][answer.question] = answer.text
    return raters


def _describe_share(share: Share | None) -> dict[str, float] | None:
    return None if share is None else share._asdict()
