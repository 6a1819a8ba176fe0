"""Tables of what people say of the captions: preferences, agreement, scores that agree with them, rounds and raters."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from lookbook.reporting.formatting import CAPTION_COLUMNS, Table, Values, format_p, format_value

HIDDEN = "hidden until the round is finished"
NONE_COUNTS = "no judgement counts: captions have changed, or pairs were skipped"
TELLTALES = {"names_model": "name a model", "fixed_prompt": 'begin as "a picture of"'}


NET = "Net preference [95 %]"
OF_PAIRS = {  # column of the CSV -> heading
    **{"judgements": "Judgements", "planned": "Judgements", "p": "p", "items": "Garments", "detectable": "Smallest"},
    **dict.fromkeys(("preference", "low", "high"), NET),
    **dict.fromkeys(("sign_test_wins", "sign_test_ties", "sign_test_losses"), "Win / tie / loss"),
    "sign_test_p": "p of signs",
}
OF_AGREEMENT = {  # beginning of columns of the CSV -> heading
    "decided": "Decided",
    "alpha_nominal": "α nominal [95 %]",
    "alpha_ordinal": "α ordinal [95 %]",
    "raw": "Raw",
    "self": "Self [95 %]",
    "left": "Left [95 %]",
    "detectable": "Smallest",
}
SAME = "Same caption [95 %]"
OF_SCORES = dict.fromkeys(("share", "low", "high"), SAME) | {"judgements": "Judgements", "equal": "Equal score"}
STRENGTH = "Strength [95 %]"
OF_ROUNDS = {
    "planned": "Planned",
    "judgements": "Judgements",
    "skipped": "Skipped",
    "changed": "Changed",
    "garments": "Garments",
    "equal_captions": "Equal captions",
}


class Answered(NamedTuple):
    """What raters answered to a question of a round."""

    round: str
    question: str
    figures: Values


def list_answered(ratings: Values) -> list[Answered]:
    """List the questions whose results are shown: of finished rounds, and of those that somebody looked at.

    Args:
        ratings: metrics/ratings.json.
    """
    return [
        Answered(name, question, answers)
        for name, figures in ratings.get("rounds", {}).items()
        for question, answers in figures.get("questions", {}).items()
    ]


def list_rating_tables(ratings: Values) -> list[Table]:
    """List the tables of all rounds that have rows; none where nobody has rated.

    Args:
        ratings: metrics/ratings.json.
    """
    rounds, answered = ratings.get("rounds", {}), list_answered(ratings)
    tables = (
        preferences_table(rounds),
        agreement_table(answered),
        scores_table(answered),
        strengths_table(answered),
        rounds_table(rounds),
        raters_table(rounds),
    )
    return [table for table in tables if table.rows]


def preferences_table(rounds: Values) -> Table:
    """Return a row per pair of arms and question; a running round that nobody looked at has its counts alone."""
    rows, records = [], []
    for name, figures in rounds.items():
        judgements = f"{figures['judgements']:,} of {figures['planned']:,}"
        state = {"round": name, "judgements": figures["judgements"], "planned": figures["planned"]}
        if "questions" not in figures:
            reason = NONE_COUNTS if figures["finished"] else HIDDEN
            rows.append([name, "", f"{figures['a']} over {figures['b']}", judgements, reason, *[""] * 5])
            records.append(state | {"a": figures["a"], "b": figures["b"]})
        for question, answers in figures.get("questions", {}).items():
            for arms, pair in answers["pairs"].items():
                rows.append([name, question, arms, judgements, *_format_pair(pair)])
                records.append(state | {"question": question} | _flatten(arms, pair))
    header = ["Round", "Question", "First over second", "Judgements", NET, "p", "Garments"]
    return Table(
        "ratings",
        "What people prefer",
        [*header, "Win / tie / loss", "p of signs", "Smallest"],
        rows,
        3,
        pd.DataFrame(records),
        [
            "Net preference: garments whose first caption is preferred less those whose second is, in percent; ties "
            "are 0, the raters of a garment are averaged, garments whose captions are equal are ties. Its interval "
            "and p resample products. Win / tie / loss count garments; p of signs is that of the exact sign test "
            "over them, ties left out. Neither p is corrected for several rounds. Smallest: the true preference that "
            "such a test finds in 4 of 5 cases.",
            "Raters saw no names, and sides were random.",
        ],
        heading_of=OF_PAIRS,
    )


def _format_pair(pair: Values) -> list[str]:
    preference, low, high = (_percent(pair[key]) for key in ("preference", "low", "high"))
    signs = pair["sign_test"]
    return [
        f"{preference} [{low}, {high}]",
        format_p(pair["p"]),
        f"{pair['items']:,}",
        f"{signs['wins']:,} / {signs['ties']:,} / {signs['losses']:,}",
        format_p(signs["p"]),
        format_value("preference", pair.get("detectable")),
    ]


def _flatten(arms: str, pair: Values) -> Values:
    """Return the figures of a pair as a row: those of raters are in a table of their own."""
    a, _, b = arms.partition(" over ")
    plain = {key: value for key, value in pair.items() if not isinstance(value, dict)}
    signs = {f"sign_test_{key}": value for key, value in pair["sign_test"].items()}
    return {"a": a, "b": b} | plain | signs | {f"verdicts_{key}": n for key, n in pair["verdicts"].items()}


def agreement_table(answered: list[Answered]) -> Table:
    """Return how far raters agree with each other and with themselves, a row per question."""
    rows, records = [], []
    for name, question, figures in answered:
        agreement = figures["agreement"]
        rows.append(
            [
                *(name, question, f"{figures['decided']:,}"),
                *(_format_alpha(agreement.get(key)) for key in ("alpha_nominal", "alpha_ordinal")),
                format_value("agreement", agreement.get("raw")),
                *(_format_share(agreement.get(key)) for key in ("self", "left")),
                format_value("share", figures.get("detectable_share")),
            ]
        )
        flat = {
            f"{key}_{part}": number
            for key, value in agreement.items()
            for part, number in (value.items() if isinstance(value, Mapping) else [("share", value)])
        }
        head = {"round": name, "question": question, "decided": figures["decided"]}
        records.append(head | flat | {"detectable_share": figures.get("detectable_share")})
    frame = pd.DataFrame(records)
    beginnings = {column: start for start in OF_AGREEMENT for column in frame.columns if column.startswith(start)}
    return Table(
        "ratings-agreement",
        "How far raters agree",
        ["Round", "Question", *OF_AGREEMENT.values()],
        rows,
        2,
        frame,
        [
            "α: Krippendorff's, over the garments that several raters judged; of a question of taste a low α is a "
            "finding. Raw: share of pairs of raters who agree. Self: the same verdict on a pair that came again with "
            "its sides swapped. Left: the left caption among decided judgements. In percent, but for α. Smallest: the "
            "share of decided judgements for one arm that an exact sign test finds in 4 of 5 cases.",
        ],
        heading_of={column: OF_AGREEMENT[start] for column, start in beginnings.items()},
    )


def scores_table(answered: list[Answered]) -> Table:
    """Return the share of decided judgements in which each caption score prefers the same caption."""
    rows, records = [], []
    for name, question, figures in answered:
        for metric, row in sorted(figures.get("scores", {}).items(), key=lambda entry: -entry[1]["share"]):
            counts = [f"{row['judgements']:,}", f"{row['equal']:,}"]
            rows.append([name, question, CAPTION_COLUMNS.get(metric, metric), _format_share(row), *counts])
            records.append({"round": name, "question": question, "metric": metric} | row)
    return Table(
        "ratings-scores",
        "Which caption score agrees with people",
        ["Round", "Question", "Score", SAME, "Judgements", "Equal score"],
        rows,
        3,
        pd.DataFrame(records),
        [
            "Of decided judgements, the share in percent in which the score prefers the caption that the rater "
            "prefers; chance is 50, and an equal score agrees by half. 95 % intervals: products resampled. Not tested."
        ],
        heading_of=OF_SCORES,
    )


def strengths_table(answered: list[Answered]) -> Table:
    """Return the strengths of the arms of rounds with three and more."""
    rows, records = [], []
    for name, question, figures in answered:
        for arm, row in figures.get("strengths", {}).items():
            strength, low, high = (f"{row[key]:+.2f}".replace("-", "−") for key in ("strength", "low", "high"))
            rows.append([name, question, arm, f"{strength} [{low}, {high}]"])
            records.append({"round": name, "question": question, "arm": arm} | row)
    return Table(
        "ratings-strengths",
        "Strengths of several arms",
        ["Round", "Question", "Captions", STRENGTH],
        rows,
        3,
        pd.DataFrame(records),
        [
            "Log strengths of Bradley and Terry's model with Davidson's ties, mean 0: of two arms that differ by 0.69 "
            "the stronger is preferred twice as often. 95 % intervals: products resampled."
        ],
        heading_of=dict.fromkeys(("strength", "low", "high"), STRENGTH),
    )


def rounds_table(rounds: Values) -> Table:
    """Return how far every round is, and what in it is left out."""
    states = {name: "finished" if figures["finished"] else "running" for name, figures in rounds.items()}
    rows = [[name, states[name], *(f"{figures[key]:,}" for key in OF_ROUNDS)] for name, figures in rounds.items()]
    records = [
        {"round": name, "state": states[name]} | {key: figures[key] for key in OF_ROUNDS}
        for name, figures in rounds.items()
    ]
    looks = [
        f"{name}: somebody looked at the results after {decided} judgements, {when.partition(' ')[0]}."
        for name, figures in rounds.items()
        for when, decided in figures.get("looks", {}).items()
    ]
    return Table(
        "ratings-rounds",
        "Rounds of ratings",
        ["Round", "State", *OF_ROUNDS.values()],
        rows,
        2,
        pd.DataFrame(records),
        [
            "Changed: judgements of captions that have changed, or that the round has no longer; they are left out. "
            "A round is finished when as many count as were planned. Equal captions count as ties and are not shown.",
            *looks,
            *_describe_telltales(rounds),
        ],
        heading_of=OF_ROUNDS,
    )


def _describe_telltales(rounds: Values) -> list[str]:
    """Say how many captions tell a rater who wrote them."""
    return [
        f"{name}: {count} captions of {arm} {TELLTALES[kind]}, so that a rater may know who wrote them."
        for name, figures in rounds.items()
        for arm, counts in figures.get("telltales", {}).items()
        for kind, count in counts.items()
        if count
    ]


def raters_table(rounds: Values) -> Table:
    """Return what each rater did, preferred, and answered at the end, where results are shown."""
    rows, records = [], []
    for name, figures in rounds.items():
        for rater, said in figures.get("raters", {}).items():
            own = {
                f"{question}: {arms}": pair["by_rater"][rater]
                for question, answers in figures["questions"].items()
                for arms, pair in answers["pairs"].items()
                if rater in pair["by_rater"]
            }
            shown = "; ".join(f"{key} {_percent(value)}" for key, value in own.items())
            answers_of_rater = [str(said.get(key, "")) for key in ("told_apart", "role")]
            rows.append([name, rater, shown, *answers_of_rater, f"{said['judgements']:,}"])
            records.append({"round": name, "rater": rater} | said | own)
    return Table(
        "ratings-raters",
        "Raters",
        ["Round", "Rater", "Net preference", "Could tell", "Role", "Judgements"],
        rows,
        5,
        pd.DataFrame(records),
        ["Could tell: the answer to whether one could tell which caption was which. Preferences in percent."],
        heading_of={"judgements": "Judgements"},
    )


def _percent(value: float) -> str:
    return format_value("preference", value, True)


def _format_share(row: Any) -> str:
    if row is None:
        return "n/a"
    share, low, high = (format_value("share", row[key]) for key in ("share", "low", "high"))
    return f"{share} [{low}, {high}]"


def _format_alpha(row: Any) -> str:
    if row is None:
        return "n/a"
    return f"{row['alpha']:.2f} [{row['low']:.2f}, {row['high']:.2f}]".replace("-", "−")
