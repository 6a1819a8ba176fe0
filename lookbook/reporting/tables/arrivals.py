"""Tables of the arrivals: every source of their words, the tested comparisons, and the ranking among all items."""

from collections.abc import Iterable, Sequence

import pandas as pd

from lookbook.reporting.answer import judge, name_measure
from lookbook.reporting.formatting import ONE_RUN, Table, Values, format_interval, format_p, format_value, name_of
from lookbook.reporting.ranked import PICTURES, Ranked, find_metric
from lookbook.reporting.sources import describe_source, is_ranked, label_source, sort_sources
from recsys.scoring.arms import build_name, split_name

CANNOT = "cannot rank arrivals"
ELSEWHERE = "Pictures alone are compared with words in the table of the features of the primary comparison."


def arrivals_table(ranked: Ranked, features: str, name: str) -> Table:
    """Return a row per source of the arrivals' words, for the recommenders on one text feature set.

    Args:
        ranked: The results.
        features: The text feature set.
        name: The name of the table's files.
    """
    first, *others = (build_name(recommender, features) for recommender in ranked.recommenders)
    metric = find_metric(ranked.metrics[first])
    baselines = {"PT": f"{ranked.writer}-pt", "no words": "none"}
    body: list[list[str]] = []
    frame: list[Values] = []
    for recommender, source in _list_arms(ranked, features):
        own = split_name(recommender)[1]
        arms = [build_name(other, own) for other in ranked.recommenders]
        values = [ranked.read_source(arm, source) for arm in arms]
        found = {word: ranked.find_row(recommender, source, other, first) for word, other in baselines.items()}
        intervals = [format_interval(metric, row) if row else "" for row in found.values()]
        scores = [format_value(metric, figures.get(metric)) for figures in values]
        similarity = values[0].get("similarity")
        label = label_source(source) + (f", {own}" if source == PICTURES else "")
        body.append([label, *scores, "" if similarity is None else format_value("similarity", similarity), *intervals])
        frame.append(
            {"source": source, "features": own}
            | {split_name(arm)[0]: figures.get(metric) for arm, figures in zip(arms, values, strict=True)}
            | {"similarity": similarity}
            | {f"{key}_{word}": row[key] for word, row in found.items() if row for key in ("difference", "low", "high")}
        )
    body.append(["no content (BPR-MF, kNN)", CANNOT, *[""] * (len(body[0]) - 2)])
    header = ["Words of the arrivals", *map(name_of, (first, *others)), "Similarity"]
    header += [f"− {word} [95 %]" for word in baselines]
    notes, compared = _write_notes(ranked, first), [n for n, row in enumerate(frame) if is_ranked(row["source"])]
    with_difference = {row["source"] for row in frame if "difference_no words" in row}
    if with_difference and PICTURES in {row["source"] for row in frame} - with_difference:
        notes.insert(-1, ELSEWHERE)
    heading_of = dict(zip([*ranked.recommenders, "similarity"], header[1:], strict=False))
    heading_of |= {f"{key}_{word}": f"− {word} [95 %]" for word in baselines for key in ("difference", "low", "high")}
    return Table(
        *(name, f"New arrivals, {features}", header, body, 1, pd.DataFrame(frame), notes, compared),
        heading_of=heading_of,
    )


def _list_arms(ranked: Ranked, features: str) -> list[tuple[str, str]]:
    """List (recommender with features, source): the sources of the text feature set, and the pictures among them."""
    name = build_name(ranked.recommenders[0], features)
    pictures = [build_name(ranked.recommenders[0], image) for image in ranked.image_features]
    arms = [(name, source) for source in ranked.metrics[name]["sources"] if source != PICTURES]
    arms += [(picture, PICTURES) for picture in pictures if picture in ranked.metrics]
    order = {source: place for place, source in enumerate(sort_sources(source for _, source in arms))}
    return sorted(arms, key=lambda arm: order[arm[1]])


def _write_notes(ranked: Ranked, recommender: str) -> list[str]:
    metrics = ranked.metrics[recommender]
    counts, measure = metrics["counts"], name_measure(find_metric(metrics))
    return [
        f"{measure} among the arrivals: the captioning test garments, none of whose purchases is in training. Every "
        "source is put into the same fitted model, so only the arrivals' words differ. Pictures alone are put into a "
        "model that was fitted on pictures.",
        f"{counts['users']:,} users with a purchase in training and of an arrival; {counts['arrivals']:,} arrivals of "
        f"{counts['products']:,} products; {counts['purchases']:,} purchases of them. "
        f"{counts['users_without_history']:,} users without a purchase in training are left out.",
        f"Differences are {name_of(recommender)}'s. Intervals: 95 %, over products, users and repeated runs; the "
        "products weigh most. Similarity: mean cosine between the vector of the words and that of the shop's own "
        "description, after centring.",
        "No words: the vector is put in place without a caption. Without a method, all arrivals have the same vector, "
        "and every user gets the first of the file. BPR-MF and kNN know purchases alone, and an arrival has none.",
        ONE_RUN,
    ]


OF_TESTS = {  # column of metrics/comparison.json -> heading
    **dict.fromkeys(("difference", "low", "high"), "Difference [95 %]"),
    **{"p": "p", "p_holm": "Corrected p", "detectable": "Smallest", "n": "Users", "products": "Products"},
    **{"hit_items": "Hit", "top10_share": "Top ten", "claimed": "Finding", "equivalent": "Finding"},
}


def findings_table(ranked: Ranked) -> Table | None:
    """Return the tested comparisons with what they rest on; None where there is none."""
    rows = ranked.list_tested()
    if not rows:
        return None
    body = [
        [
            f"{row['family']}: {describe_source(row['a'])} − {describe_source(row['b'])}",
            format_interval(row["metric"], row),
            format_p(row["p"]),
            format_p(row["p_holm"]),
            format_value(row["metric"], row["detectable"]),
            *(f"{row[key]:,}" for key in ("n", "products", "hit_items")),
            f"{100 * row['top10_share']:.0f} %",
            judge(row),
        ]
        for row in rows
    ]
    header = ["Comparison", "Difference [95 %]", "p", "Corrected p", "Smallest", "Users", "Products", "Hit", "Top ten"]
    notes = [
        f"{name_of(rows[0]['recommender'])}. {_describe_draws(rows)} The secondary comparisons are corrected by Holm "
        "among themselves.",
        "Claimed is a difference whose corrected p is below 0.05 and whose interval leaves out zero. Equal: the "
        "interval lies inside the margin of equivalence.",
        "Smallest: the true difference that this rule finds in 4 of 5 studies. Hit: arrivals that a list hit. Top ten: "
        "the share of all changes that the ten most changed arrivals bring.",
    ]
    best = ranked.find_best()
    if best and best.get("validation_ndcg") is not None:
        chosen = format_value(best["metric"], best["validation_ndcg"])
        notes.append(
            "The best arm without captions was chosen among this recommender's on validation arrivals: "
            f"{describe_source(best['b'])}, with {name_measure(best['metric'])} {chosen} among them."
        )
    return Table(
        *("arrivals-tests", "What is tested", [*header, "Finding"], body, 1, pd.DataFrame(rows), notes),
        heading_of=OF_TESTS,
    )


def _describe_draws(rows: Sequence[Values]) -> str:
    """Say how p was found: by swaps, of how many users' lists, and where by t."""
    sentences = []
    swapped = [row for row in rows if row.get("draws")]
    if swapped:
        n_users = swapped[0].get("draw_users") or swapped[0]["n"]
        sample = f" of a sample of {n_users:,} users" if n_users < swapped[0]["n"] else ""
        sentences.append(
            f"p: the texts of whole products are swapped by a coin and the arrivals ranked again{sample}, "
            f"{swapped[0]['draws']:,} draws."
        )
    if len(swapped) < len(rows):
        sentences.append("Against an arm of another model, p is that of t.")
    return " ".join(sentences)


ALL_ITEMS = {  # as in metrics/arrivals/, the cutoff in the place of k -> heading
    "recall_k": "Recall",
    "hit_rate_k": "Hit rate",
    "ndcg_k_all": "NDCG, all items",
    "share_k": "Share of places",
    "everyone_ndcg_k": "NDCG of everyone",
}


def all_items_table(ranked: Ranked, features: Iterable[str]) -> Table:
    """Return recall among the arrivals, and how the arrivals fare where all items are ranked."""
    names = [build_name(recommender, feature) for recommender in ranked.recommenders for feature in features]
    body, frame = [], []
    heading_of: dict[str, str] = {}
    for name in (name for name in names if name in ranked.metrics):
        cutoff = find_metric(ranked.metrics[name]).rpartition("_")[2]
        keys = [column.replace("_k", f"_{cutoff}") for column in ALL_ITEMS]
        heading_of |= zip(keys, ALL_ITEMS.values(), strict=True)
        for source in sort_sources(ranked.metrics[name]["sources"]):
            figures = ranked.read_source(name, source)
            cells = [format_value(key, figures.get(key)) for key in keys]
            body.append([name_of(name), label_source(source), *cells])
            frame.append({"recommender": name, "source": source} | figures)
    notes = [
        "Recall and hit rate: among the arrivals. NDCG, all items: all items are ranked, and only arrivals are "
        "relevant. Share of places: of these lists, held by arrivals. NDCG of everyone: the same lists against the "
        "test purchases of every user, so what showing arrivals costs or brings.",
    ]
    header = ["Recommender", "Words of the arrivals", *ALL_ITEMS.values()]
    return Table(
        *("arrivals-all", "New arrivals among all items", header, body, 2, pd.DataFrame(frame), notes),
        heading_of=heading_of,
    )
