"""The test purchases that all lists of a study are scored against."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogue.prepared.items import read_items
from pipeline.core.errors import UserError
from recsys.purchases.dataset import CATALOGUES, COMMON, FOLDER, Catalogue, read_split
from recsys.scoring.relevance import Relevance, build_relevance, find_masked_items, find_written_items
from recsys.scoring.settings import RecScore
from recsys.scoring.slices import Slice, build_item_traits, make_slices


@dataclass(frozen=True)
class GroundTruth:
    """The test side of each catalogue, its slices, and whether each catalogue has a split of its own (`published`)."""

    relevant: dict[Catalogue, Relevance]
    slices: dict[Catalogue, list[Slice]]
    published: bool

    def common(self, catalogue: Catalogue) -> Relevance | None:
        """Return the test side that lists of a catalogue are compared on; None where each catalogue is scored alone."""
        if self.published:
            return self.relevant[COMMON] if catalogue == COMMON else None
        return self.relevant[COMMON]


def read_ground_truth(
    catalogues: set[Catalogue],
    texts: Sequence[str],
    section: RecScore,
    items: Path,
    texts_folder: Path,
    folder: Path = FOLDER,
) -> GroundTruth:
    """Read the test side of these catalogues, and of the common one where catalogues are compared.

    Args:
        catalogues: Those that lists are of.
        texts: The axis `texts` of params.yaml: they say which items are masked and which a captioner describes.
        section: The section `rec_score`.
        items: data/prepared/items.parquet.
        texts_folder: data/texts.
        folder: data/interactions.

    Raises:
        UserError: No user of a catalogue has both train and test purchases.
    """
    splits = {catalogue: read_split(folder, catalogue) for catalogue in CATALOGUES}
    published = any(split.published for split in splits.values())
    needed = [name for name in CATALOGUES if name in catalogues or (name == COMMON and not published)]
    masked = find_masked_items(splits[COMMON], texts, texts_folder)
    relevant = {name: build_relevance(splits[name], name, masked) for name in needed}
    for name, own in relevant.items():
        if not len(own.scored_users):
            raise UserError(
                f"{folder}: no user has both a train and a test purchase of an article of the catalogue {name}, so "
                "there is nothing to score lists against; change rec_interactions in params.yaml (split, test_days, "
                "test_share)"
            )
    table = read_items(items, ["item_id", "product_code", "category", "split"])
    written = find_written_items(splits[COMMON], texts, texts_folder)
    traits = build_item_traits(splits[COMMON].item_ids, table, masked, written)
    slices = {
        name: list(make_slices(own, own if published else relevant[COMMON], traits, section))
        for name, own in relevant.items()
    }
    return GroundTruth(relevant, slices, published)
