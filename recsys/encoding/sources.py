"""Feature files of the words of arrivals, one folder a source."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from features.files import write_features
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder
from recsys.encoding.encoder import Encoder
from recsys.encoding.feature_sets import place_side_by_side
from recsys.encoding.stored import StoredText, project

SHUFFLED = "shuffled"  # has no words of its own


def read_source(path: Path) -> pd.DataFrame:
    """Read item_id and text of a source.

    Raises:
        UserError: there is no such source.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; `dvc repro catalogue_sources` writes it")
    return pd.read_parquet(path, columns=["item_id", "text"])


def order_groups(sources: Sequence[str]) -> list[str]:
    """Order sources for encoding: those that new captions do not change first, fine-tuned captions last.

    >>> order_groups(["shuffled", "a-ft", "a-ft-epoch-1", "a-pt", "none"])
    ['none', 'a-pt', 'shuffled', 'a-ft', 'a-ft-epoch-1']
    """
    tuned = {source for source in sources if source == SHUFFLED or source.endswith("-ft") or "-ft-epoch-" in source}
    return sorted(sources, key=lambda source: (source in tuned, source.endswith("-pt")))


def write_source_features(
    folder: Path, encoder: Encoder, sources: Mapping[str, pd.DataFrame], stored: StoredText, text: pd.DataFrame
) -> int:
    """Write the features of every source, and return how many texts were encoded.

    A text that the variant `original` has keeps its stored vector, so that the reference of an arrival has the very
    features that it has there. Pictures are the stored ones, and words are projected on what those of `original` were
    projected on: only the words differ between two sources.

    Args:
        folder: gets a folder for each source.
        encoder: an extractor of text features.
        sources: source → item_id and text of the arrivals.
        stored: the features of the variant `original`.
        text: item_id and text of that variant.

    Raises:
        UserError: an arrival has no features there, or those were made with another `reduce`.
    """
    if encoder.reduces != (stored.components is not None):
        raise UserError(
            f"{stored.features.source}: made with another rec_features.{encoder.name}.reduce than params.yaml has; run "
            f"`dvc repro rec_features_text@{encoder.name}`"
        )
    texts = {source: set(sources[source]["text"]) for source in order_groups(list(sources))}
    known = stored.find_vectors(text, set().union(*texts.values()))
    new = encoder.encode_texts({source: some - known.keys() for source, some in texts.items()})
    vectors = known | project(new, stored.components)
    with new_folder(folder) as partial:
        for source, table in sources.items():
            ids = table["item_id"].tolist()
            blocks = place_side_by_side(stored.take_pictures(ids), table["text"].tolist(), vectors)
            write_features(partial / source, ids, blocks)
    return len(new)
