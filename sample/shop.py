"""python -m sample.shop: draw the sample shop from a seed and write it to data/raw/sample/, in H&M's layout."""

from pathlib import Path
from random import Random
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.outputs import new_folder
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from sample.market.assortment import build_articles, build_truth, draw_assortment
from sample.market.customers import draw_customers, draw_transactions
from sample.market.layout import write_images, write_table

FOLDER = Path("data/raw/sample")


class SampleShop(Section):
    """The section `sample_shop`: the seed and the sizes of the shop."""

    seed: Annotated[int, Field(ge=0)]
    articles: Annotated[int, Field(ge=30, le=50_000)]
    customers: Annotated[int, Field(gt=0, le=100_000)]
    purchases: Annotated[int, Field(gt=0)]

    @model_validator(mode="after")
    def check_purchases(self) -> "SampleShop":
        """Refuse fewer purchases than customers, because every customer buys something."""
        if self.purchases < self.customers:
            raise ValueError(
                f"purchases: {self.purchases} is not allowed; every customer buys something, so give at least "
                f"{self.customers} (customers)"
            )
        return self


class Params(Section):
    """What this stage reads of params.yaml."""

    sample_shop: SampleShop


def main() -> None:
    """Write articles, customers, purchases, images and the truth that the images show."""
    params = read(Params).sample_shop
    articles = draw_assortment(Random(f"{params.seed} articles"), params.articles)
    table, truth = build_articles(articles), build_truth(articles)
    rng = np.random.default_rng(params.seed)
    customers = draw_customers(rng, params.customers)
    transactions = draw_transactions(rng, truth, table["product_code"], customers["customer_id"], params.purchases)
    with new_folder(FOLDER) as folder:
        write_table(folder / "articles.csv", table)
        write_table(folder / "customers.csv", customers)
        write_table(folder / "transactions_train.csv", transactions)
        write_table(folder / "truth.csv", truth)
        write_images(folder / "images.zip", articles, params.seed)
    print_summary(
        f"wrote {FOLDER}: {len(articles)} articles of {table['product_code'].nunique()} products, "
        f"{len(customers)} customers, {len(transactions)} purchases"
    )


if __name__ == "__main__":
    run(main)
