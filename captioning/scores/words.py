"""Says of each caption where its attributes stand, and which category is read from it."""

from collections.abc import Iterable, Sequence

import pandas as pd
import pyarrow as pa

from captioning.tagging.extract import Span

VARIANTS = ("pt", "ft")  # the floor has the captions of `ft`, and the ceiling is no captioner's
KEYS = ("item_id", "captioner", "variant")
CATEGORIES = ("predicted_category", "predicted_category_zero_shot")
SPAN = pa.struct([("attribute", pa.string()), ("start", pa.int32()), ("end", pa.int32())])
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in KEYS),
        ("attributes", pa.list_(SPAN)),
        *((name, pa.string()) for name in CATEGORIES),
    ]
)


def list_words(
    captions: pd.DataFrame,
    pairs: pd.DataFrame,
    spans: Iterable[Iterable[Span]],
    vocabulary: Iterable[str],
    predicted: Sequence[str],
    nearest: Sequence[str],
) -> pa.Table:
    """Build data/scores/caption_words.parquet: a row per item, captioner and variant of VARIANTS, columns of SCHEMA.

    Args:
        captions: captioner, variant, item_id and caption of every caption of the study.
        pairs: item_id and caption, a row per distinct pair (n).
        spans: the places of attributes in each caption of `pairs` (n).
        vocabulary: the attributes that count; places of others are left out.
        predicted: the category that the classifier reads from each caption (n).
        nearest: the category whose name is nearest to each caption (n).
    """
    known = frozenset(vocabulary)
    places = [[span._asdict() for span in of_caption if span.attribute in known] for of_caption in spans]
    predictions = dict(zip(CATEGORIES, (predicted, nearest), strict=True))
    words = pairs.assign(attributes=pd.Series(places, index=pairs.index, dtype=object), **predictions)
    chosen = captions.loc[captions["variant"].isin(VARIANTS), [*KEYS, "caption"]]
    table = chosen.merge(words, on=["item_id", "caption"], how="left", validate="many_to_one")
    return pa.Table.from_pandas(table[SCHEMA.names], SCHEMA, preserve_index=False).replace_schema_metadata(None)
