"""Computes all reference-based scores of many sets of captions against the same references.

References are tokenized, parsed and counted once, and a caption that several sets give to an item is scored once.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from captioning.scores import MeanScore, Pairs, SumScore, bleu, cider, meteor, rouge_l, spice
from captioning.scores.java.parse_cache import ParseCache
from captioning.scores.java.process import Jvm
from captioning.scores.java.tokenizer import tokenize
from pipeline.core.errors import UserError, first_five

SUM_SCORES: dict[str, SumScore] = {"bleu": bleu, "meteor": meteor}
MEAN_SCORES: dict[str, MeanScore] = {"rouge_l": rouge_l, "cider": cider, "spice": spice}
METRICS = (*SUM_SCORES, *MEAN_SCORES)  # the names that callers choose from
BLEU = bleu.METRICS
MEANS = tuple(name for score in MEAN_SCORES.values() for name in score.METRICS)
LENGTHS = ("words", "reference_words")


@dataclass(frozen=True)
class Scores:
    """The reference-based scores of sets of captions.

    Attributes:
        corpus: set -> metric -> value, fractions at full precision: bleu_1..4, meteor, rouge_l, cider, spice and its
            sub-scores spice_object, … (those of the chosen metrics), length_ratio.
        items: a row per set, item and metric: `set`, `item_id`, `metric`, `value`; the metrics of `corpus` and the
            statistics from which corpus BLEU and METEOR are computed. Sorted by set (in the order given), item, metric.
            A metric without a value (a sub-score without a tuple) has no row.
        left_out: items whose references have no word; they are in no set's scores.
        notes: which sub-scores are means over a part of the items, and why.
    """

    corpus: dict[str, dict[str, float]]
    items: pd.DataFrame
    left_out: list[str]
    notes: list[str] = field(default_factory=list)


def score_captions(
    captions: Mapping[str, Mapping[str, str]],
    references: Mapping[str, Sequence[str]],
    spice_folder: Path | None,
    threads: int = 2,
    metrics: Sequence[str] = METRICS,
) -> Scores:
    """Compute BLEU-1..4, METEOR, ROUGE-L, CIDEr and SPICE of every set.

    An empty caption is scored like any other, and each metric gives it 0. References without a word do not count; an
    item without references is left out, not scored 0. CIDEr's document frequencies come from all these references.

    Args:
        captions: set -> item -> caption; a set may lack items.
        references: item -> its references.
        spice_folder: the jars of CoreNLP 3.6.0; None leaves SPICE out.
        threads: the number of cores on which METEOR and SPICE work.
        metrics: those of METRICS to compute.

    Raises:
        UserError: a caption has no references, a text is no string, or nothing is left to score.
        JvmError: the Java process died or hung, at each of three attempts.
    """
    _check(captions, references)
    if spice_folder is None:
        metrics = [metric for metric in metrics if metric != "spice"]
    corenlp = spice_folder if "spice" in metrics else None
    with Jvm(corenlp, threads) as jvm, spice.parse_cache(corenlp) if corenlp else nullcontext() as cache:
        return score_with(jvm, captions, references, metrics, cache)


def score_with(
    jvm: Jvm,
    captions: Mapping[str, Mapping[str, str]],
    references: Mapping[str, Sequence[str]],
    metrics: Sequence[str] = METRICS[:-1],
    cache: ParseCache | None = None,
) -> Scores:
    """Do the same as `score_captions` in a Java process that runs already."""
    _check(captions, references)
    texts = [text for by_item in captions.values() for text in by_item.values()]
    tokens = tokenize([*texts, *(text for of_item in references.values() for text in of_item)], jvm)
    with_words = {item: [text for text in of_item if tokens[text]] for item, of_item in references.items()}
    usable = {item: of_item for item, of_item in with_words.items() if of_item}
    sets = {
        name: {item: text for item, text in by_item.items() if item in usable} for name, by_item in captions.items()
    }
    for name, by_item in sets.items():
        if not by_item:
            raise UserError(f"{name}: no item has both a caption and a reference; nothing to score")
    pairs = sorted({pair for by_item in sets.values() for pair in by_item.items()})  # (item, caption)
    items, distinct = [item for item, _ in pairs], [caption for _, caption in pairs]
    table = _score_pairs(Pairs(items, distinct, usable, tokens, jvm, cache), metrics)
    return _gather(sets, pairs, table, sorted(set(references) - set(usable)))


def _check(captions: Mapping[str, Mapping[str, str]], references: Mapping[str, Sequence[str]]) -> None:
    for name, by_item in captions.items():
        missing = sorted(str(item) for item in by_item if item not in references)
        if missing:
            raise UserError(
                f"{name}: {len(missing)} of {len(by_item)} captions have no references, first {first_five(missing)}"
            )
        _check_texts(name, by_item.items())
    _check_texts("references", ((item, text) for item, of_item in references.items() for text in of_item))


def _check_texts(name: str, texts: Iterable[tuple[str, str]]) -> None:
    for item, text in texts:
        if not isinstance(text, str):
            raise UserError(f"{name}: the text of {item} is {text!r}, not a string")


def _score_pairs(pairs: Pairs, metrics: Sequence[str]) -> pd.DataFrame:
    """Compute statistics and metrics of each (item, caption): a row per pair, a column each."""
    parts: dict[tuple[str, ...], np.ndarray] = {}  # columns -> (n_pairs, columns)
    with ThreadPoolExecutor(1) as java:  # METEOR works in the Java process, beside the scores of this process
        meteor_parts = java.submit(_score, "meteor", pairs) if "meteor" in metrics else None
        for name in (*SUM_SCORES, *MEAN_SCORES):
            if name in metrics and name not in ("meteor", "spice"):
                parts |= _score(name, pairs)
        if meteor_parts is not None:
            parts |= meteor_parts.result()
    if "spice" in metrics:
        parts |= _score("spice", pairs)
    parts[(*LENGTHS, "length_ratio")] = _lengths(pairs.tokenized)
    columns = [name for names in parts for name in names]
    return pd.DataFrame(np.hstack(list(parts.values())), columns=columns)


def _score(name: str, pairs: Pairs) -> dict[tuple[str, ...], np.ndarray]:
    """Compute a score of each pair: the names of its columns -> (n_pairs, columns), statistics before metrics."""
    if name in MEAN_SCORES:
        return {MEAN_SCORES[name].METRICS: MEAN_SCORES[name].score(pairs)}
    score = SUM_SCORES[name]
    statistics = score.count(pairs)
    return {score.STATISTICS: statistics, score.METRICS: score.score_statistics(statistics)}


def _lengths(pairs: Sequence[tuple[str, Sequence[str]]]) -> np.ndarray:
    """Count the words of the caption and the mean words of its references, and divide them: (n, 3)."""
    counts = np.array(
        [
            (len(caption.split()), sum(len(text.split()) for text in references) / len(references))
            for caption, references in pairs
        ],
        dtype=float,
    )
    return np.column_stack([counts, counts[:, 0] / counts[:, 1]])


def _gather(
    sets: Mapping[str, Mapping[str, str]], pairs: list[tuple[str, str]], table: pd.DataFrame, left_out: list[str]
) -> Scores:
    """Give every set the rows of its pairs, and compute its corpus scores."""
    row_of = {pair: row for row, pair in enumerate(pairs)}
    columns = sorted(set(table.columns) - set(LENGTHS))
    values = table[columns].to_numpy()
    corpus, parts, missing = {}, [], {}
    for name, by_item in sets.items():
        ordered = sorted(by_item.items())
        rows = [row_of[pair] for pair in ordered]
        corpus[name] = _score_corpus(table.iloc[rows])
        missing[name] = table.iloc[rows].isna().sum()
        parts.append(_list_values(name, [item for item, _ in ordered], columns, values[rows]))
    return Scores(corpus, pd.concat(parts, ignore_index=True), left_out, _list_notes(missing))


def _list_values(name: str, items: list[str], metrics: list[str], values: np.ndarray) -> pd.DataFrame:
    """List the values of a set, a row per item and metric: (n_items, n_metrics) -> set, item_id, metric, value."""
    columns = {
        "set": np.full(values.size, name, dtype=object),
        "item_id": np.repeat(np.array(items, dtype=object), len(metrics)),
        "metric": np.tile(np.array(metrics, dtype=object), len(items)),
        "value": values.ravel(),
    }
    table = pd.DataFrame(columns).astype({"set": "str", "item_id": "str", "metric": "str"})
    return table[table["value"].notna()]


def _score_corpus(rows: pd.DataFrame) -> dict[str, float]:
    """Score a whole set: BLEU, METEOR and length from sums over the items, the other metrics as means."""
    sums = rows.sum()
    values: dict[str, float] = {}
    for score in SUM_SCORES.values():
        if score.METRICS[0] in rows:
            of_corpus = score.score_statistics(sums[list(score.STATISTICS)].to_numpy())
            values |= zip(score.METRICS, of_corpus.tolist(), strict=True)
    means = [name for score in MEAN_SCORES.values() for name in score.METRICS if name in rows]
    values |= {name: float(rows[name].mean()) for name in means if rows[name].notna().any()}
    return {**values, "length_ratio": float(sums["words"] / sums["reference_words"])}


def _list_notes(missing: Mapping[str, pd.Series]) -> list[str]:
    """Write a line per sub-score that some items do not have."""
    notes = []
    for metric, kind in spice.KINDS.items():
        counts = {name: int(counts.get(metric, 0)) for name, counts in missing.items()}
        if any(counts.values()):
            same = len(set(counts.values())) == 1
            listed = f"{max(counts.values())}" if same else ", ".join(f"{name} {n}" for name, n in counts.items() if n)
            notes.append(f"{metric}: left out where the references have no {kind}: {listed}")
    return notes
