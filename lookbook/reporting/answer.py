"""What the masked experiment says, in sentences whose words are chosen by rule."""

from lookbook.reporting import formatting
from lookbook.reporting.formatting import Values
from recsys.scoring.arms import list_text_recommenders


def answer(masked: list[Values], writer: str, text_features: list[str]) -> str:
    """The masked result in one sentence, its words chosen by rule.

    It is about fine-tuned against pre-trained captions and the first text feature of the study: chosen before any
    result. "raised" and "lowered" need an interval without zero and a Holm-corrected p below 0.05.
    """
    first = next(iter(list_text_recommenders(text_features)), "")
    rows = [
        row for row in masked if row["confirmatory"] and (row["recommender"], row["a"], row["b"]) == (first, "ft", "pt")
    ]
    if not rows:
        return "This study has no masked experiment, so it does not say whether captions help recommendations."
    row = rows[0]
    low, high = formatting.shown("ndcg_12", row["low"], True), formatting.shown("ndcg_12", row["high"], True)
    basis = f"({formatting.name_of(row['recommender'])}, {row['n']:,} users, corrected p {formatting.probability_said(row['p_holm'])})"
    measure = f"NDCG@{row['metric'].rpartition('_')[2]} on the garments they describe"
    if row["p_holm"] < 0.05 and (row["low"] > 0 or row["high"] < 0):
        verb = "raised" if row["difference"] > 0 else "lowered"
        size = formatting.shown("ndcg_12", abs(row["difference"]))
        return (
            f"Fine-tuned captions by {writer} {verb} {measure} by {size} [{low}, {high}] over pre-trained ones {basis}."
        )
    largest = formatting.shown("ndcg_12", max(abs(row["low"]), abs(row["high"])))
    effect = formatting.shown("ndcg_12", row["difference"], True)
    return (
        f"Between fine-tuned and pre-trained captions by {writer}, no difference in {measure} was shown: "
        f"{effect} [{low}, {high}] {basis}; one of up to {largest} remains possible."
    )


def other_answers(masked: list[Values], text_features: list[str]) -> str:
    """The same difference for the study's other text features, so that none is picked; empty where there is none."""
    found = {row["recommender"]: row for row in masked if row["confirmatory"] and (row["a"], row["b"]) == ("ft", "pt")}
    rows = [found[name] for name in list_text_recommenders(text_features)[1:] if name in found]
    said = [
        f"{formatting.name_of(row['recommender'])} {formatting.interval('ndcg_12', row)}, corrected p {formatting.probability_said(row['p_holm'])}"
        for row in rows
    ]
    return f"The same with the other text features: {'; '.join(said)}." if said else ""
