"""Everything about one garment: scores of its captions, who bought it, the lists that have it, its other colours."""

import polars as pl

from lookbook.views.items import read_catalogue
from lookbook.views.people import read_item_ids
from lookbook.views.scores import list_metrics
from lookbook.views.study import INTERACTIONS, RECOMMENDATIONS, SCORES, Study


def find_row(study: Study, item_id: str) -> pl.DataFrame:
    """Return the short columns of a garment; no row where there is no such garment."""
    return read_catalogue(study).filter(pl.col("item_id") == item_id)


def read_score_table(study: Study, item_id: str) -> tuple[list[str], list[list[str]]]:
    """Return a header, and a row per score: its value of each set of captions, empty where it has none."""
    sets, metrics = study.list_sets(), list_metrics(study)
    if not (sets and metrics):
        return [], []
    table = pl.scan_parquet(study.root / SCORES).filter(pl.col("item_id") == item_id).collect()
    values = {
        (captioner, variant, metric): value
        for captioner, variant, metric, value in table.select("captioner", "variant", "metric", "value").iter_rows()
    }
    rows = [
        [metric, *("" if (*one, metric) not in values else f"{values[(*one, metric)]:.4f}" for one in sets)]
        for metric in metrics
        if any((*one, metric) in values for one in sets)
    ]
    return ["score", *(" ".join(one) for one in sets)], rows


def count_buyers(study: Study, item_id: str) -> tuple[int, int]:
    """Count the customers who bought a garment in training, and in test."""
    item = read_item_ids(study).index_of(item_id)

    def count(part: str) -> int:
        table = pl.scan_parquet(study.root / INTERACTIONS / f"{part}.parquet").filter(pl.col("item") == item)
        return int(table.select(pl.col("user").n_unique()).collect().item())

    return count("train"), count("test")


def count_lists(study: Study, item_id: str) -> list[list[str | int]]:
    """Count the lists that have a garment, by arm and recommender; most lists first."""
    item = read_item_ids(study).index_of(item_id)
    rows: list[list[str | int]] = []
    for path in sorted((study.root / RECOMMENDATIONS).glob("*/*.parquet")):
        table = pl.scan_parquet(path).filter(pl.col("item") == item).select("run", "user").unique()
        rows.append([path.parent.name, path.stem, int(table.select(pl.len()).collect().item())])
    return sorted(rows, key=lambda row: -int(row[2]))


def list_variants(study: Study, item_id: str) -> list[tuple[str, str]]:
    """List the other garments of the same product: item_id and colour."""
    catalogue = read_catalogue(study)
    product = catalogue.filter(pl.col("item_id") == item_id)["product_code"]
    if "product_code" not in catalogue.columns or product.is_empty() or not product[0]:
        return []
    same = catalogue.filter(pl.col("product_code") == product[0], pl.col("item_id") != item_id)
    return list(same.select("item_id", pl.col("colour").cast(pl.String)).iter_rows())
