"""python -m recsys.score: metrics of every recommendation list of the study's axes, per user and mean.

Only files of `data/recommendations/` that the axes name are read. Writes

`data/scores/recommendations.parquet`, a row per arm (catalogue or text), recommender, run and user:
- `ndcg_5`, `map_elliot_12`, … (`recsys.scoring.metrics`): within the arm's own catalogue. Null for a user without a
  test item there;
- the same with `_common` at the end: candidates, relevant items and users restricted to those that every catalogue has
  (`original`), so that arms of different catalogues can be compared pairwise. Equal in the catalogue `original`;
- `ndcg_masked_12` (largest cutoff): of the lists in common candidates, with only masked items relevant (the captioning
  test items, `masked` in the tables of the axis' masked texts). In every arm; null for users without such a test item.

Only users with a value in one of them have a row. Relevant are a user's distinct test items. Those that the user has
in train (seen items are never recommended) and those that no user has in train (not candidates) can never be hit, and
count as relevant all the same, as in Elliot. `metrics/recommendations.json` counts them.

`data/scores/recommendation_slices.parquet`, a row per arm, recommender, run, user and slice (`recsys.scoring.slices`):
NDCG, recall and hit rate at the largest cutoff.

`data/scores/recommendation_hits.parquet` and `data/scores/recommendation_slice_hits.parquet`, a row per hit: what a
relevant item in a list adds to its user's NDCG (`recsys.scoring.contributions`). A user's `ndcg_12`, `ndcg_12_common`
and `ndcg_masked_12` (column `metric`), and its `ndcg_12` in a slice, are the sums of their rows.
`data/scores/recommendation_items.parquet`: the items that lists of a catalogue can hit, by metric or slice (`part`).

`metrics/recommendations.json`: `{arm: {recommender: {…}}}`; means over users, then over runs. Beside them `coverage_12`
(share of the candidates that are in any list), at the largest cutoff `gini`, `novelty`, `popularity`, `long_tail` and
`popularity_lift` (`recsys.scoring.metrics`; of all users' lists), `users` averaged, `users_common`, `users_masked`,
`users_without_test` left out, `runs`, and the arm's `test_items` (distinct per user), `test_items_repeated`,
`test_items_cold`.

With `evaluation: published` (`recsys.interactions`) each catalogue has a split of its own and nothing is in common.
There are no `_common` columns, `ndcg_masked_12` is null in the catalogue `all`, and the JSON says
`"evaluation": "published"`: figures of different catalogues must not be tested pairwise.
"""

from functools import partial
from pathlib import Path

from catalogue.descriptions.variants import Text
from pipeline.checkpoints import checkpoint_folder, key_folder
from pipeline.core.outputs import write_json
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import MACHINE, Machine
from pipeline.names import ROOT
from recsys.purchases.dataset import FOLDER, Catalogue
from recsys.scoring.ground_truth import read_ground_truth
from recsys.scoring.score_parts import share_files
from recsys.scoring.score_tables import write_empty_tables
from recsys.scoring.settings import RecommenderName, RecScore
from recsys.scoring.study_lists import ListFile, list_files
from recsys.scoring.study_scores import Paths, describe_best, score_file, score_files

ITEMS = Path("data/prepared/items.parquet")
TEXTS = Path("data/texts")
LISTS = Path("data/recommendations")
PER_USER = Path("data/scores/recommendations.parquet")
SLICES = Path("data/scores/recommendation_slices.parquet")
HITS = Path("data/scores/recommendation_hits.parquet")
SLICE_HITS = Path("data/scores/recommendation_slice_hits.parquet")
RELEVANT = Path("data/scores/recommendation_items.parquet")
METRICS = Path("metrics/recommendations.json")
CODE = (  # what a result depends on
    *("catalogue/descriptions/variants.py", "catalogue/prepared/items.py"),
    *("recsys/score.py", "recsys/purchases/dataset.py", "recsys/scoring"),
)
INPUTS = (LISTS, FOLDER, ITEMS, TEXTS, *(ROOT / name for name in CODE))
LIBRARIES = ("numpy", "scipy", "pandas")


class Params(Section):
    """What this stage reads of params.yaml: the axes that lists are of, and how they are scored."""

    catalogues: list[Catalogue]
    texts: list[Text]
    recommenders: list[RecommenderName]
    warm_content_recommenders: list[RecommenderName]
    warm_image_features: list[str]
    warm_text_features: list[str]
    machine: Machine
    rec_score: RecScore


def main() -> None:
    """Score the lists and write both tables and the means."""
    params = read(Params)
    files, paths = name_files(params), Paths(PER_USER, SLICES, HITS, SLICE_HITS, RELEVANT)
    if not files:
        write_empty_tables(*paths)
        write_json(METRICS, {})
        print_summary(f"wrote {METRICS}: nothing to score: the axes of the study name no lists")
        return
    catalogues, cutoffs, where = {file.catalogue for file in files}, params.rec_score.cutoffs, params.machine.where()
    read_truth = partial(read_ground_truth, catalogues, params.texts, params.rec_score, ITEMS, TEXTS)
    truth = read_truth()
    if where.cluster == "none":
        metrics = score_files(files, partial(score_file, truth, cutoffs, LISTS), truth, cutoffs, paths)
    else:
        with checkpoint_folder(
            key_folder("rec_score", params.model_dump(exclude={MACHINE}), INPUTS, LIBRARIES)
        ) as work:
            add_file = share_files(files, work, where, read_truth, cutoffs, LISTS)
            metrics = score_files(files, add_file, truth, cutoffs, paths)
    write_json(METRICS, metrics)
    best = describe_best(metrics, max(cutoffs))
    print_summary(f"wrote {METRICS} and {PER_USER.parent}/: {len(files)} recommenders in {len(metrics)} arms; {best}")


def name_files(params: Params) -> list[ListFile]:
    """Return the files of lists that the axes name."""
    return list(list_files(**params.model_dump(exclude={"rec_score", MACHINE})))


if __name__ == "__main__":
    run(main)
