"""The result of the masked experiment in sentences whose words are chosen by rule."""

from lookbook.reporting import formatting
from lookbook.reporting.formatting import Values


def write_answer(masked: list[Values], writer: str, texted: list[str]) -> str:
    """Write the masked result in one sentence.

    It compares fine-tuned with pre-trained captions for the first of these recommenders, which is chosen before any
    result. "raised" and "lowered" need an interval without zero and a Holm-corrected p below 0.05.

    Args:
        masked: The table `masked` of metrics/comparison.json.
        writer: The captioner whose captions the recommenders read.
        texted: The study's recommenders that read texts, with their features.
    """
    first = next(iter(texted), "")
    rows = [
        row for row in masked if row["confirmatory"] and (row["recommender"], row["a"], row["b"]) == (first, "ft", "pt")
    ]
    if not rows:
        return "This study has no masked experiment, so it does not say whether captions help recommendations."
    row = rows[0]
    low, high = (formatting.format_value("ndcg_12", row[key], True) for key in ("low", "high"))
    p = formatting.format_p_in_sentence(row["p_holm"])
    basis = f"({formatting.name_of(row['recommender'])}, {row['n']:,} users, corrected p {p})"
    measure = f"NDCG@{row['metric'].rpartition('_')[2]} on the garments they describe"
    if row["p_holm"] < 0.05 and (row["low"] > 0 or row["high"] < 0):
        verb = "raised" if row["difference"] > 0 else "lowered"
        size = formatting.format_value("ndcg_12", abs(row["difference"]))
        return (
            f"Fine-tuned captions by {writer} {verb} {measure} by {size} [{low}, {high}] over pre-trained ones {basis}."
        )
    largest = formatting.format_value("ndcg_12", max(abs(row["low"]), abs(row["high"])))
    effect = formatting.format_value("ndcg_12", row["difference"], True)
    return (
        f"Between fine-tuned and pre-trained captions by {writer}, no difference in {measure} was shown: "
        f"{effect} [{low}, {high}] {basis}; one of up to {largest} remains possible."
    )


def write_other_answers(masked: list[Values], texted: list[str]) -> str:
    """Write the result for all other recommenders that read texts, so that none is picked; empty where there is none.

    See `write_answer` for the arguments.
    """
    row_of = {row["recommender"]: row for row in masked if row["confirmatory"] and (row["a"], row["b"]) == ("ft", "pt")}
    rows = [row_of[name] for name in texted[1:] if name in row_of]
    results = [
        f"{formatting.name_of(row['recommender'])} {formatting.format_interval('ndcg_12', row)}, "
        f"corrected p {formatting.format_p_in_sentence(row['p_holm'])}"
        for row in rows
    ]
    return f"The same with the other recommenders that read texts: {'; '.join(results)}." if results else ""
