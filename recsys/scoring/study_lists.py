"""The files of lists that the axes of a study name, and their lists as arrays."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalogue.descriptions.variants import CATALOGUE_OF
from pipeline.core.errors import UserError
from recsys.purchases.dataset import Catalogue
from recsys.scoring.arms import list_catalogue_recommenders, list_text_recommenders

StudyLists = dict[tuple[str, int], np.ndarray]  # (candidates, run) → (n_users, depth) items, −1 for none
COLUMNS = ["candidates", "run", "user", "item", "rank"]


class ListFile(NamedTuple):
    """A file of lists: one recommender on one arm.

    Attributes:
        arm: The catalogue or the text that the recommender was fitted on.
        catalogue: The arm's catalogue.
        recommender: Its name with its features, see `recsys.scoring.arms`.
    """

    arm: str
    catalogue: Catalogue
    recommender: str

    def path(self, folder: Path) -> Path:
        """Return its path below data/recommendations."""
        return folder / self.arm / f"{self.recommender}.parquet"


def list_files(
    catalogues: Sequence[Catalogue],
    texts: Sequence[str],
    recommenders: Sequence[str],
    warm_content_recommenders: Sequence[str],
    warm_image_features: Sequence[str],
    warm_text_features: Sequence[str],
) -> Iterator[ListFile]:
    """Yield every file of lists that these axes of params.yaml name."""
    for catalogue in catalogues:
        for name in list_catalogue_recommenders(recommenders, warm_content_recommenders, warm_image_features):
            yield ListFile(catalogue, catalogue, name)
    for text in texts:
        for name in list_text_recommenders(warm_content_recommenders, warm_text_features):
            yield ListFile(text, CATALOGUE_OF[text], name)


def read_study_lists(path: Path, n_users: int, cutoffs: Sequence[int]) -> StudyLists:
    """Read a file of `data/recommendations/`.

    Args:
        path: The file.
        n_users: All users of data/interactions.
        cutoffs: The section's cutoffs, of which the largest must be reached.

    Raises:
        UserError: The file is missing, its lists are shorter than the largest cutoff, or a user has two items of one
            rank.
    """
    if not path.exists():
        raise UserError(
            f"{path}: no such lists, though params.yaml names them in its axes; run `dvc repro` to make them"
        )
    with pq.ParquetFile(path) as file:
        depth = max((int(batch["rank"].to_numpy().max()) for batch in file.iter_batches(columns=["rank"])), default=0)
        if depth < max(cutoffs):
            raise UserError(
                f"rec_score.cutoffs: {max(cutoffs)} is more than the {depth} items of the lists in {path}; "
                f"set rec_fit.top_k to {max(cutoffs)} or more; where it is, the catalogue has fewer unseen items for "
                "everyone than that: lower rec_score.cutoffs"
            )
        lists: StudyLists = {}
        n_rows = 0
        for batch in file.iter_batches(batch_size=1 << 20, columns=COLUMNS):
            _add_rows(lists, batch, (n_users, depth))
            n_rows += batch.num_rows
    if sum(int((items >= 0).sum()) for items in lists.values()) != n_rows:
        raise UserError(f"{path}: a user has two items of the same rank in one list; run `dvc repro` to make it again")
    return lists


def _add_rows(lists: StudyLists, batch: pa.RecordBatch, shape: tuple[int, int]) -> None:
    candidates = batch["candidates"]
    if not pa.types.is_dictionary(candidates.type):
        candidates = candidates.dictionary_encode()
    codes, names = candidates.indices.to_numpy(), candidates.dictionary.to_pylist()
    runs, user, item, rank = (batch[name].to_numpy() for name in COLUMNS[1:])
    for code in np.unique(codes):
        for run in np.unique(runs[codes == code]):
            key = str(names[code]), int(run)
            rows = (codes == code) & (runs == run)
            items = lists.setdefault(key, np.full(shape, -1, dtype=np.int32))
            items[user[rows], rank[rows] - 1] = item[rows]
