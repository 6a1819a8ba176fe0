"""The answer of a study in sentences whose words are chosen by rule from its comparisons.

"Better" and "worse" need a claim: a corrected p below 0.05 and an interval without zero. "Equally well" needs an
interval inside the margin of equivalence. Everything else is "not shown". That captions help is said only where they
beat the best arm without captions of the same recommender.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from lookbook.reporting.formatting import Values, format_interval, format_p_in_sentence, format_value, name_of
from lookbook.reporting.sources import describe_source, split_source
from recsys.scoring.arms import split_name

Finding = Literal["better", "worse", "equal", "not shown"]

NO_ARRIVALS = "This study has no experiment on new arrivals, so it does not say whether captions help recommendations."
ADJECTIVES = {"ft": "fine-tuned", "pt": "pre-trained"}
BEST = "the best {recommender} arm without captions"
FT_AND_PT: dict[Finding, str] = {
    "better": "{a} captions by {captioner} rank new arrivals better than {b} ones.",
    "worse": "{a} captions by {captioner} rank new arrivals worse than {b} ones.",
    "equal": "{a} and {b} captions by {captioner} rank new arrivals equally well.",
    "not shown": "Between {a} and {b} captions by {captioner}, no difference is shown for new arrivals.",
}
ANY_PAIR: dict[Finding, str] = {
    "better": "New arrivals are ranked better with {a} than with {b}.",
    "worse": "New arrivals are ranked worse with {a} than with {b}.",
    "equal": "New arrivals are ranked equally well with {a} and with {b}.",
    "not shown": "Between {a} and {b}, no difference is shown for new arrivals.",
}
FT_AND_NONE: dict[Finding, str] = {
    "better": "Fine-tuned captions rank new arrivals better than no words.",
    "worse": "Fine-tuned captions rank new arrivals worse than no words.",
    "equal": "Fine-tuned captions and no words rank new arrivals equally well.",
    "not shown": "Between fine-tuned captions and no words, no difference is shown.",
}
FT_AND_BEST: dict[Finding, str] = {
    "better": f"Captions help: they rank new arrivals better than {BEST}, which is {{other}}.",
    "worse": f"Captions do not help: {BEST}, which is {{other}}, ranks new arrivals better.",
    "equal": f"Captions do not help: {BEST}, which is {{other}}, ranks new arrivals equally well.",
    "not shown": f"That captions help is not shown: they do not differ clearly from {BEST}, which is {{other}}.",
}
REFERENCE_AND_FT: dict[Finding, str] = {
    "better": "The shop's own descriptions rank new arrivals better than fine-tuned captions.",
    "worse": "The shop's own descriptions rank new arrivals worse than fine-tuned captions.",
    "equal": "The shop's own descriptions and fine-tuned captions rank new arrivals equally well.",
    "not shown": "Between the shop's own descriptions and fine-tuned captions, no difference is shown.",
}


@dataclass(frozen=True)
class Answer:
    """The answer, one thought a sentence.

    Attributes:
        verdict: The sentence that answers the question.
        basis: The figures behind it.
        secondary: A paragraph for each secondary comparison.
        others: The same differences with other recommenders, which are not tested.
        warm: What the same captions do for garments that keep their purchases.
    """

    verdict: str
    basis: list[str] = field(default_factory=list)
    secondary: list[list[str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    warm: list[str] = field(default_factory=list)

    @property
    def paragraphs(self) -> list[str]:
        """What follows the verdict."""
        return [" ".join(sentences) for sentences in (self.basis, *self.secondary, self.others, self.warm) if sentences]


def write_answer(comparison: Values, recommendations: Values, recommender: str) -> Answer:
    """Write the answer; what was compared is read from the comparisons, since params.yaml may have changed since.

    Args:
        comparison: metrics/comparison.json, as `read_comparison` returns it.
        recommendations: metrics/recommendations.json; empty in a study that has none.
        recommender: With its features, of the warm case where no primary comparison names one.
    """
    rows, masked = comparison.get("arrivals", []), comparison.get("masked", [])
    primary = next((row for row in rows if row.get("family") == "primary"), None)
    if primary is None:
        return Answer(NO_ARRIVALS, warm=write_warm(masked, recommendations, recommender))
    secondary = [row for row in rows if row.get("family") == "secondary"]
    return Answer(
        write_verdict(primary),
        [*write_figures(primary), *_write_limits(primary)],
        [[_write_finding(row), *write_figures(row), *_write_limits(row)] for row in secondary],
        write_others(rows, primary, secondary),
        write_warm(masked, recommendations, primary["recommender"]),
    )


def write_verdict(primary: Values) -> str:
    """Write what the primary comparison says of its own two sources.

    >>> write_verdict({"a": "x-pt", "b": "x-ft", "claimed": True, "equivalent": False, "difference": -0.1})
    'Pre-trained captions by x rank new arrivals worse than fine-tuned ones.'
    """
    captioner, a, b = name_pair(primary)
    words = FT_AND_PT if captioner else ANY_PAIR
    return capitalise(words[judge(primary)].format(a=a, b=b, captioner=captioner))


def name_pair(row: Values) -> tuple[str, str, str]:
    """Return the captioner of a fine-tuned and a pre-trained caption, and what tells its two apart.

    Of any other pair: an empty name, and both sources as phrases.

    >>> name_pair({"a": "x-ft", "b": "x-pt"}), name_pair({"a": "x-ft", "b": "none"})
    (('x', 'fine-tuned', 'pre-trained'), ('', 'fine-tuned captions by x', 'no words'))
    """
    (kind_a, captioner), (kind_b, other) = (split_source(row[arm]) for arm in ("a", "b"))
    if kind_a in ADJECTIVES and kind_b in ADJECTIVES and captioner == other:
        return captioner, ADJECTIVES[kind_a], ADJECTIVES[kind_b]
    return "", describe_source(row["a"]), describe_source(row["b"])


def capitalise(text: str) -> str:
    """Begin a sentence with a capital; names further on keep their letters.

    >>> capitalise("pictures by BLIP-2")
    'Pictures by BLIP-2'
    """
    return text[:1].upper() + text[1:]


def judge(row: Values) -> Finding:
    """Return what a tested comparison says of a against b.

    >>> judge({"claimed": True, "equivalent": False, "difference": -0.1})
    'worse'
    >>> judge({"claimed": False, "equivalent": True, "difference": 0.001})
    'equal'
    """
    if row["claimed"]:
        return "better" if row["difference"] > 0 else "worse"
    return "equal" if row["equivalent"] else "not shown"


def write_figures(row: Values) -> list[str]:
    """Write the figures of a tested comparison: means, interval, p, and what they rest on."""
    metric = row["metric"]
    means = " against ".join(format_value(metric, row[key]) for key in ("mean_a", "mean_b"))
    word = "p" if row["family"] == "primary" else "corrected p"
    p = "" if row["p_holm"] is None else f", {word} {format_p_in_sentence(row['p_holm'])}"
    return [
        f"{name_measure(metric)} among the arrivals is {means}: {format_interval(metric, row)}{p} "
        f"({name_of(row['recommender'])}).",
        f"{row['n']:,} users and {row['products']:,} products are compared, and lists hit {row['hit_items']:,} "
        "garments.",
        f"Ten garments carry {100 * row['top10_share']:.0f} % of all changes.",
    ]


def name_measure(metric: str) -> str:
    """Return a metric as text names it.

    >>> name_measure("ndcg_12"), name_measure("ndcg_masked_12")
    ('NDCG@12', 'NDCG@12')
    """
    return f"NDCG@{metric.rpartition('_')[2]}"


def _write_finding(row: Values) -> str:
    """Choose the sentence of a secondary comparison by its two arms."""
    if row["a"] == "reference":
        words = REFERENCE_AND_FT
    elif row["b"] == "none":
        words = FT_AND_NONE
    else:
        words = FT_AND_BEST
    recommender = name_of(split_name(row["recommender"])[0])
    return words[judge(row)].format(other=describe_source(row["b"]), recommender=recommender)


def _write_limits(row: Values) -> list[str]:
    """Say what the test could have shown, and what remains possible where it shows nothing."""
    sentences = []
    if row["detectable"] is not None:
        detectable = format_value(row["metric"], row["detectable"])
        sentences.append(f"The test finds a true difference of {detectable} in four of five such studies.")
    if judge(row) == "not shown":
        largest = format_value(row["metric"], max(abs(row["low"]), abs(row["high"])))
        sentences.append(f"A true difference of up to {largest} remains possible.")
    if row["equivalent"]:
        sentences.append("The interval lies inside the margin within which a difference counts as none.")
    return sentences


def write_others(rows: Sequence[Values], primary: Values, secondary: Sequence[Values]) -> list[str]:
    """Write what the other recommenders on the same words make of the primary pair, and of captions and the best arm.

    Args:
        rows: The table `arrivals` of the comparisons.
        primary: Its row that is the primary comparison.
        secondary: Its rows that are secondary comparisons.
    """
    best = [row for row in secondary if row["a"] != "reference" and row["b"] != "none"]
    phrases = {write_pair(primary): primary}
    phrases |= {f"Fine-tuned captions minus {describe_source(row['b'])}": row for row in best[:1]}
    features = split_name(primary["recommender"])[1]
    sentences = []
    for phrase, pair in phrases.items():
        same = [row for row in rows if all(row[key] == pair[key] for key in ("a", "b", "metric"))]
        others = [
            row
            for row in same
            if split_name(row["recommender"])[1] == features and row["recommender"] != primary["recommender"]
        ]
        figures = [
            f"{format_interval(row['metric'], row)} with {name_of(split_name(row['recommender'])[0])}"
            + ("" if row["low"] > 0 or row["high"] < 0 else " (it holds zero)")
            for row in others
        ]
        if figures:
            sentences.append(f"{phrase}: {', '.join(figures)}.")
    return ["With other recommenders there are intervals and no test.", *sentences] if sentences else []


def write_pair(row: Values) -> str:
    """Name the difference of two sources at the beginning of a sentence.

    >>> write_pair({"a": "x-ft", "b": "x-pt"}), write_pair({"a": "reference", "b": "none"})
    ('Fine-tuned minus pre-trained captions', "The shop's own descriptions minus no words")
    """
    captioner, a, b = name_pair(row)
    return capitalise(f"{a} minus {b}" + (" captions" if captioner else ""))


def write_warm(masked: Sequence[Values], recommendations: Values, recommender: str) -> list[str]:
    """Write the warm case: the same garments, but with their purchases in training. It is not tested.

    Args:
        masked: The table `masked` of the comparisons.
        recommendations: metrics/recommendations.json.
        recommender: The recommender of the primary comparison.
    """
    rows = [row for row in masked if row["metric"].startswith("ndcg_masked")]
    rows = [row for row in rows if (row["recommender"], row["a"], row["b"]) == (recommender, "ft", "pt")]
    if not rows:
        return []
    row = rows[0]
    measure, metric = name_measure(row["metric"]), row["metric"]
    clear = row["low"] > 0 or row["high"] < 0
    sentences = [
        f"Garments that keep their purchases are another case: there, fine-tuned minus pre-trained captions is "
        f"{format_interval(metric, row)} in {measure}, an interval that {'leaves out' if clear else 'holds'} zero.",
    ]
    floor = recommendations.get("original", {}).get("bpr", {}).get(metric)
    if floor is not None:
        means = " and ".join(format_value(metric, row[key]) for key in ("mean_a", "mean_b"))
        sentences.append(
            f"{name_of('bpr')}, which reads neither words nor pictures, has {format_value(metric, floor)} on them; "
            f"the captions have {means}."
        )
    return sentences
