"""All reference-based scores of many caption sets against the same references, in one go.

References are tokenized, parsed and counted once, and a caption that several sets give to an item is scored once.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from captioning.scores import bleu, meteor, spice
from captioning.scores.cider import Cider
from captioning.scores.java.parse_cache import ParseCache
from captioning.scores.java.process import Jvm
from captioning.scores.java.tokenizer import tokenize
from captioning.scores.rouge_l import rouge_l
from pipeline.core.errors import UserError, first_five

METRICS = ("bleu", "meteor", "rouge_l", "cider", "spice")  # what can be asked for
BLEU = tuple(f"bleu_{n}" for n in bleu.ORDERS)
LENGTHS = ("words", "reference_words")
MEANS = ("rouge_l", "cider", *spice.METRICS)  # whose corpus score is the mean over the items that have one


@dataclass(frozen=True)
class Scores:
    """What `score_captions` found.

    Attributes:
        corpus: set -> metric -> value, fractions at full precision: bleu_1..4, meteor, rouge_l, cider, spice and its
            sub-scores spice_object, … (as far as asked for), length_ratio.
        items: a row per set, item and metric: `set`, `item_id`, `metric`, `value`; the metrics of `corpus` and the
            statistics from which corpus BLEU and METEOR are computed. Sorted by set (in the order given), item, metric.
            What has no value (a sub-score without a tuple) has no row.
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
    """BLEU-1..4, METEOR, ROUGE-L, CIDEr and SPICE of every set.

    An empty caption is scored like any other, and each metric gives it 0. A reference without a word is none; an item
    without references is left out, not scored 0. CIDEr's document frequencies come from all these references.

    Args:
        captions: set -> item -> caption; a set may lack items.
        references: item -> its references.
        spice_folder: the jars of CoreNLP 3.6.0; None leaves SPICE out.
        threads: on how many cores METEOR and SPICE work.
        metrics: which of METRICS.

    Raises:
        UserError: a caption has no references, a text is no string, or nothing is left to score.
        JvmError: the Java process died or hung, again and again.
    """
    _check(captions, references)
    if spice_folder is None:
        metrics = [metric for metric in metrics if metric != "spice"]
    asked = spice_folder if "spice" in metrics else None
    with Jvm(asked, threads) as jvm, spice.parse_cache(asked) if asked else nullcontext() as cache:
        return score_with(jvm, captions, references, metrics, cache)


def score_with(
    jvm: Jvm,
    captions: Mapping[str, Mapping[str, str]],
    references: Mapping[str, Sequence[str]],
    metrics: Sequence[str] = METRICS[:-1],
    cache: ParseCache | None = None,
) -> Scores:
    """`score_captions` in a Java process that runs already."""
    _check(captions, references)
    texts = [text for given in captions.values() for text in given.values()]
    tokens = tokenize([*texts, *(text for given in references.values() for text in given)], jvm)
    said = {item: [text for text in given if tokens[text]] for item, given in references.items()}
    kept = {item: given for item, given in said.items() if given}
    sets = {name: {item: text for item, text in given.items() if item in kept} for name, given in captions.items()}
    for name, given in sets.items():
        if not given:
            raise UserError(f"{name}: no item has both a caption and a reference; nothing to score")
    pairs = sorted({pair for given in sets.values() for pair in given.items()})  # (item, caption)
    table = _score_pairs(pairs, kept, tokens, metrics, jvm, cache)
    return _gather(sets, pairs, table, sorted(set(references) - set(kept)))


def _check(captions: Mapping[str, Mapping[str, str]], references: Mapping[str, Sequence[str]]) -> None:
    for name, given in captions.items():
        lost = sorted(str(item) for item in given if item not in references)
        if lost:
            raise UserError(
                f"{name}: {len(lost)} of {len(given)} captions have no references, first {first_five(lost)}"
            )
        _check_texts(name, given.items())
    _check_texts("references", ((item, text) for item, given in references.items() for text in given))


def _check_texts(name: str, texts: Iterable[tuple[str, str]]) -> None:
    for item, text in texts:
        if not isinstance(text, str):
            raise UserError(f"{name}: the text of {item} is {text!r}, not a string")


def _score_pairs(
    pairs: list[tuple[str, str]],
    references: Mapping[str, list[str]],
    tokens: Mapping[str, str],
    metrics: Sequence[str],
    jvm: Jvm,
    cache: ParseCache | None,
) -> pd.DataFrame:
    """The metrics and statistics of each (item, caption): a row per pair, a column per metric."""
    tokenized = {item: [tokens[text] for text in given] for item, given in references.items()}
    short = [(tokens[caption], tokenized[item]) for item, caption in pairs]
    parts: dict[tuple[str, ...], np.ndarray] = {}  # columns -> (n_pairs, columns)
    with ThreadPoolExecutor(1) as java:  # METEOR works in its own process, beside the scores of this one
        aligned = java.submit(meteor.meteor_statistics, short, jvm) if "meteor" in metrics else None
        if "bleu" in metrics:
            parts[bleu.STATISTICS] = counts = bleu.bleu_statistics(short)
            parts[BLEU] = bleu.bleu_from_statistics(counts)
        if "rouge_l" in metrics:
            parts[("rouge_l",)] = rouge_l(short)[:, None]
        if "cider" in metrics:
            scores = Cider(tokenized).score([(item, tokens[caption]) for item, caption in pairs])
            parts[("cider",)] = scores[:, None]
        if aligned is not None:
            parts[meteor.STATISTICS] = statistics = aligned.result()
            parts[("meteor",)] = meteor.meteor_from_statistics(statistics)[:, None]
    if "spice" in metrics:
        parts[spice.METRICS] = spice.spice([(caption, references[item]) for item, caption in pairs], jvm, cache)
    parts[(*LENGTHS, "length_ratio")] = _lengths(short)
    columns = [name for names in parts for name in names]
    return pd.DataFrame(np.hstack(list(parts.values())), columns=columns)


def _lengths(pairs: Sequence[tuple[str, Sequence[str]]]) -> np.ndarray:
    """Words of the caption, mean words of its references, their ratio: (n, 3)."""
    counts = np.array(
        [(len(text.split()), sum(len(one.split()) for one in given) / len(given)) for text, given in pairs], dtype=float
    )
    return np.column_stack([counts, counts[:, 0] / counts[:, 1]])


def _gather(
    sets: Mapping[str, Mapping[str, str]], pairs: list[tuple[str, str]], table: pd.DataFrame, left_out: list[str]
) -> Scores:
    place = {pair: row for row, pair in enumerate(pairs)}
    written = sorted(set(table.columns) - set(LENGTHS))
    values = table[written].to_numpy()
    corpus, parts, missing = {}, [], {}
    for name, given in sets.items():
        ordered = sorted(given.items())
        rows = [place[pair] for pair in ordered]
        corpus[name] = _corpus(table.iloc[rows])
        missing[name] = table.iloc[rows].isna().sum()
        parts.append(_long(name, [item for item, _ in ordered], written, values[rows]))
    return Scores(corpus, pd.concat(parts, ignore_index=True), left_out, _notes(missing))


def _long(name: str, items: list[str], metrics: list[str], values: np.ndarray) -> pd.DataFrame:
    """A row per item and metric that has a value: (n_items, n_metrics) -> set, item_id, metric, value."""
    columns = {
        "set": np.full(values.size, name, dtype=object),
        "item_id": np.repeat(np.array(items, dtype=object), len(metrics)),
        "metric": np.tile(np.array(metrics, dtype=object), len(items)),
        "value": values.ravel(),
    }
    table = pd.DataFrame(columns).astype({"set": "str", "item_id": "str", "metric": "str"})
    return table[table["value"].notna()]


def _corpus(rows: pd.DataFrame) -> dict[str, float]:
    """The scores of a whole set: BLEU, METEOR and length from sums over the items, the others as means."""
    sums = rows.sum()
    values: dict[str, float] = {}
    if BLEU[0] in rows:
        found = bleu.bleu_from_statistics(sums[list(bleu.STATISTICS)].to_numpy())
        values |= zip(BLEU, found.tolist(), strict=True)
    if "meteor" in rows:
        values["meteor"] = float(meteor.meteor_from_statistics(sums[list(meteor.STATISTICS)].to_numpy()))
    values |= {name: float(rows[name].mean()) for name in MEANS if name in rows and rows[name].notna().any()}
    return {**values, "length_ratio": float(sums["words"] / sums["reference_words"])}


def _notes(missing: Mapping[str, pd.Series]) -> list[str]:
    """A line per sub-score that some items do not have."""
    notes = []
    for metric, kind in spice.KINDS.items():
        counts = {name: int(counts.get(metric, 0)) for name, counts in missing.items()}
        if any(counts.values()):
            same = len(set(counts.values())) == 1
            told = f"{max(counts.values())}" if same else ", ".join(f"{name} {n}" for name, n in counts.items() if n)
            notes.append(f"{metric}: left out where the references have no {kind}: {told}")
    return notes
