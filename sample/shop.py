"""python -m sample.shop: the sample shop under data/raw/sample/, in H&M's own layout, from a seed."""

from pathlib import Path
from random import Random
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.outputs import new_folder
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run
from sample.market.assortment import articles_table, assortment, truth_table
from sample.market.customers import customers_table, transactions_table
from sample.market.layout import write_images, write_table

FOLDER = Path("data/raw/sample")


class SampleShop(Section):
    seed: Annotated[int, Field(ge=0)]
    articles: Annotated[int, Field(ge=30, le=50_000)]
    customers: Annotated[int, Field(gt=0, le=100_000)]
    purchases: Annotated[int, Field(gt=0)]

    @model_validator(mode="after")
    def a_purchase_each(self) -> "SampleShop":
        if self.purchases < self.customers:
            raise ValueError(
                f"purchases: {self.purchases} is not allowed; every customer buys something, so at least {self.customers} (customers)"
            )
        return self


class Params(Section):
    sample_shop: SampleShop


def main() -> None:
    params = read(Params).sample_shop
    articles = assortment(Random(f"{params.seed} articles"), params.articles)
    table, truth = articles_table(articles), truth_table(articles)
    rng = np.random.default_rng(params.seed)
    customers = customers_table(rng, params.customers)
    transactions = transactions_table(rng, truth, table["product_code"], customers["customer_id"], params.purchases)
    with new_folder(FOLDER) as folder:
        write_table(folder / "articles.csv", table)
        write_table(folder / "customers.csv", customers)
        write_table(folder / "transactions_train.csv", transactions)
        write_table(folder / "truth.csv", truth)
        write_images(folder / "images.zip", articles, params.seed)
    print_summary(
        f"wrote {FOLDER}: {len(articles)} articles of {table['product_code'].nunique()} products, {len(customers)} customers, {len(transactions)} purchases"
    )


if __name__ == "__main__":
    run(main)
