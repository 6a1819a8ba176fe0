"""All reference-based scores of many caption sets against the same references, in one go.

References are tokenized, parsed and counted once, and a caption that several sets give to an item is scored once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from captioning.scores import bleu, meteor
from captioning.scores.cider import Cider
from captioning.scores.jvm import Jvm
from captioning.scores.rouge_l import rouge_l
from captioning.scores.spice import spice
from captioning.scores.tokenizer import tokenize
from pipeline.errors import UserError

BLEU = tuple(f"bleu_{n}" for n in bleu.ORDERS)
LENGTHS = ("words", "reference_words")


@dataclass(frozen=True)
class Scores:
    """What `score_captions` found.

    Attributes:
        corpus: set -> metric -> value, fractions at full precision: bleu_1..4, meteor, rouge_l, cider, spice (where it was
            computed), length_ratio.
        items: a row per set, item and metric: `set`, `item_id`, `metric`, `value`; the metrics of `corpus` and the
            statistics from which corpus BLEU and METEOR are computed. Sorted by set (in the order given), item, metric.
        left_out: items whose references have no word; they are in no set's scores.
    """

    corpus: dict[str, dict[str, float]]
    items: pd.DataFrame
    left_out: list[str]


def score_captions(
    captions: Mapping[str, Mapping[str, str]],
    references: Mapping[str, Sequence[str]],
    spice_folder: Path | None,
    threads: int = 2,
) -> Scores:
    """BLEU-1..4, METEOR, ROUGE-L, CIDEr and SPICE of every set.

    An empty caption is scored like any other, and each metric gives it 0. A reference without a word is none; an item
    without references is left out, not scored 0.

    Args:
        captions: set -> item -> caption; a set may lack items.
        references: item -> its references.
        spice_folder: the jars of CoreNLP 3.6.0; None leaves SPICE out.
        threads: how many captions SPICE parses at once.

    Raises:
        UserError: a caption has no references, a text is no string, or nothing is left to score.
        JvmError: the Java process died or hung.
    """
    _check(captions, references)
    with Jvm(spice_folder, threads) as jvm:
        return score_with(jvm, captions, references, spice_folder is not None)


def score_with(
    jvm: Jvm, captions: Mapping[str, Mapping[str, str]], references: Mapping[str, Sequence[str]], with_spice: bool
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
    table = _score_pairs(pairs, kept, tokens, with_spice, jvm)
    return _gather(sets, pairs, table, sorted(set(references) - set(kept)))


def _check(captions: Mapping[str, Mapping[str, str]], references: Mapping[str, Sequence[str]]) -> None:
    for name, given in captions.items():
        lost = sorted(str(item) for item in given if item not in references)
        if lost:
            raise UserError(
                f"{name}: {len(lost)} of {len(given)} captions have no references, first {', '.join(lost[:5])}"
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
    with_spice: bool,
    jvm: Jvm,
) -> pd.DataFrame:
    """The metrics and statistics of each (item, caption): a row per pair, a column per metric."""
    tokenized = {item: [tokens[text] for text in given] for item, given in references.items()}
    short = [(tokens[caption], tokenized[item]) for item, caption in pairs]
    table = pd.DataFrame(index=range(len(pairs)))
    counts = bleu.bleu_statistics(short)  # (n_pairs, 10)
    table[list(bleu.STATISTICS)] = counts
    table[list(BLEU)] = bleu.bleu_from_statistics(counts)
    statistics = meteor.meteor_statistics(short, jvm)  # (n_pairs, 23)
    table[list(meteor.STATISTICS)] = statistics
    table["meteor"] = meteor.meteor_from_statistics(statistics)
    table["rouge_l"] = rouge_l(short)
    table["cider"] = Cider(tokenized).score([(item, tokens[caption]) for item, caption in pairs])
    if with_spice:
        table["spice"] = spice([(caption, references[item]) for item, caption in pairs], jvm)
    words = [(len(caption.split()), np.mean([len(text.split()) for text in given])) for caption, given in short]
    table[list(LENGTHS)] = np.array(words, dtype=np.float64)
    table["length_ratio"] = table["words"] / table["reference_words"]
    return table


def _gather(
    sets: Mapping[str, Mapping[str, str]], pairs: list[tuple[str, str]], table: pd.DataFrame, left_out: list[str]
) -> Scores:
    place = {pair: row for row, pair in enumerate(pairs)}
    corpus, parts = {}, []
    for name, given in sets.items():
        ordered = sorted(given.items())
        rows = table.iloc[[place[pair] for pair in ordered]]
        corpus[name] = _corpus(rows)
        rows = rows.drop(columns=list(LENGTHS)).assign(item_id=[item for item, _ in ordered])
        part = rows.melt("item_id", var_name="metric", value_name="value").sort_values(["item_id", "metric"])
        parts.append(part.assign(set=name))
    items = pd.concat(parts, ignore_index=True)[["set", "item_id", "metric", "value"]]
    return Scores(corpus, items, left_out)


def _corpus(rows: pd.DataFrame) -> dict[str, float]:
    """The scores of a whole set: BLEU, METEOR and length from sums over the items, the others as means."""
    sums = rows.sum()
    values = dict(zip(BLEU, bleu.bleu_from_statistics(sums[list(bleu.STATISTICS)].to_numpy()), strict=True))
    values["meteor"] = meteor.meteor_from_statistics(sums[list(meteor.STATISTICS)].to_numpy())
    values |= {name: rows[name].mean() for name in ("rouge_l", "cider", "spice") if name in rows}
    values["length_ratio"] = sums["words"] / sums["reference_words"]
    return {name: float(value) for name, value in values.items()}
