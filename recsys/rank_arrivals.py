"""python -m recsys.rank_arrivals --recommender R --features F (--text original | --catalogue original).

    python -m recsys.rank_arrivals --recommender vbpr --text original --features sbert
    python -m recsys.rank_arrivals --recommender contentknn --catalogue original --features resnet50

Ranks the new arrivals by the models of `recsys.fit_arrivals`, once for each source of their words; nothing is fitted
again, so only the words differ. The sources of a text extractor are the folders of `data/features/sources/F` and
`data/features/imputed/F`; features of pictures have one, `pictures`.

Writes `data/arrivals/ranked/<recommender>-<features>/` (`recsys.arrivals.tables`) and
`metrics/arrivals/<recommender>-<features>.json`:

- `counts`: users with a history who bought an arrival (they are ranked for) and those without a history (left out),
  arrivals, their products, purchases (different pairs), runs, and `users_of_all`;
- `sources`: of each source the means over users, then runs: `ndcg_12`, `recall_12` and `hit_rate_12` among the
  arrivals, `hit_items`; of the ranking of all items for `users_of_all` users (all, or a sample of
  `rec_rank_arrivals.users_of_all`) `ndcg_12_all` (arrivals are relevant), `share_12` (of list places that arrivals
  take) and `everyone_ndcg_12` (whatever was bought in test is relevant); `similarity`: mean cosine to the reference;
- `validation`: `ndcg_12`, `recall_12` and `hit_rate_12` of the validation arrivals, by the model that was fitted
  without them, for sources that have features of them: to choose between sources without looking at the arrivals.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from threadpoolctl import threadpool_limits

from catalogue.prepared.items import read_items
from features.files import read_features
from pipeline.core.outputs import new_folder, write_json
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from pipeline.machine import Machine
from recsys.arrivals.everything import draw_everyone
from recsys.arrivals.models import validation_file
from recsys.arrivals.rankings import count_rankings, rank_runs, score_validation, summarise_source
from recsys.arrivals.sources import compare_sources, list_sources
from recsys.arrivals.tables import write_rankings, write_similarities
from recsys.fitting.cells import load_recommender, parse_cell
from recsys.purchases.arrivals import hold_out_test, hold_out_validation
from recsys.purchases.dataset import COMMON, read_split
from recsys.recommenders import load_cold

ITEMS = Path("data/prepared/items.parquet")
INTERACTIONS = Path("data/interactions")
FEATURES = Path("data/features")
SOURCES = Path("data/features/sources")
IMPUTED = Path("data/features/imputed")
MODELS = Path("data/arrivals/models")
FOLDER = Path("data/arrivals/ranked")
METRICS = Path("metrics/arrivals")


class RecRankArrivals(Section):
    """Section `rec_rank_arrivals` of params.yaml."""

    top_k: Annotated[int, Field(gt=0, lt=256)]
    users_of_all: Annotated[int, Field(gt=0)]
    seed: Annotated[int, Field(ge=0)]


class Params(Section):
    """What the stage reads of params.yaml."""

    machine: Machine
    rec_rank_arrivals: RecRankArrivals


def main() -> None:
    """Rank the arrivals by one cell's models, and score the rankings."""
    cell = parse_cell("recsys.rank_arrivals", "Rank the new arrivals for every source of their words.")
    load_recommender(cell)
    recommender, params = load_cold(cell.recommender), read(Params)
    section, models = params.rec_rank_arrivals, MODELS / cell.name
    k = section.top_k
    split, items = read_split(INTERACTIONS, COMMON), read_items(ITEMS, ["item_id", "split", "group"])
    arrivals, validation = hold_out_test(split, items), hold_out_validation(split, items)
    folders = [] if cell.text is None else [SOURCES / str(cell.features), IMPUTED / str(cell.features)]
    fitted_on = read_features(str(cell.features_folder(FEATURES)))
    sources = list_sources(folders, fitted_on, arrivals.item_ids)
    everyone = draw_everyone(arrivals, split, section.users_of_all, section.seed)
    products = items.set_index("item_id").loc[arrivals.item_ids, "group"].to_numpy()
    similarities = compare_sources(sources, fitted_on, arrivals.data.item_ids, arrivals.item_ids)
    with threadpool_limits(params.machine.threads):
        rankings = rank_runs(recommender, models, arrivals, sources, everyone, k)
        with new_folder(FOLDER / cell.name) as folder:
            write_rankings(folder, models, rankings, arrivals, products, k)
            write_similarities(folder, similarities, arrivals)
        metrics: dict[str, Any] = {
            "counts": count_rankings(arrivals, everyone, products, rankings),
            "sources": {source.name: summarise_source(rankings, source.name, arrivals, k) for source in sources},
            "validation": score_validation(recommender, validation_file(models), validation, sources, k),
        }
    for name, similarity in similarities.items():
        metrics["sources"][name]["similarity"] = float(similarity.mean())
    write_json(METRICS / f"{cell.name}.json", metrics)
    figures = ", ".join(f"{name} {own[f'ndcg_{k}']:.4f}" for name, own in metrics["sources"].items())
    print_summary(
        f"wrote {FOLDER / cell.name} and {METRICS / cell.name}.json: {metrics['counts']['users']:,} users, "
        f"{len(arrivals.items):,} arrivals; NDCG@{k}: {figures}",
        params.machine.threads,
    )


if __name__ == "__main__":
    run(main)
