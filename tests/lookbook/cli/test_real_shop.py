"""A real shop's photographs and words, from a folder beside the repository, as far as `catalogue_prepare`."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from catalogue import prepare
from catalogue.prepared.images import ImageStore
from lookbook.cli.main import app
from tests.helpers.full import full
from tests.helpers.projects import ROOT

SHOP = ROOT.parent / "shared/real_shop"
PRODUCTS = 1200  # as its README.md says, each with one photograph of SIDE pixels
SIDE = 224
FOUND = {"item": "Product ID", "description": "Title", "category": "Product Type", "colour": "Color"}
ORDERS = {"user": "Customer", "purchased": "Product ID", "day": "Order Date"}


@pytest.mark.slow
@full
@pytest.mark.skipif(not SHOP.is_dir(), reason=f"no {SHOP}: a real shop, which is no part of the repository")
def test_every_product_and_order_of_a_real_shop_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/models").symlink_to(ROOT / "data/models")
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, ["init", str(SHOP), "--captioner", "tiny-llava", "--family", "llava"])
    assert ended.exit_code == 0, ended.output
    for what, column in (FOUND | ORDERS).items():
        assert re.search(rf"^  {what} +{column} +guessed: ", ended.stdout, re.MULTILINE), what
    assert f"pictures: {SHOP / 'photos.zip'} ({PRODUCTS:,})" in ended.stdout
    shutil.copy("studies/real_shop.yaml", "params.yaml")
    prepare.main()
    counts = json.loads(Path("metrics/catalogue.json").read_text(encoding="utf-8"))
    assert [counts[name] for name in ("articles", "with_description", "with_image", "catalogue_all")] == [PRODUCTS] * 4
    orders = pd.read_csv(SHOP / "orders_export.csv", dtype=str)
    assert (counts["purchases"], counts["purchases_of_unknown_articles"]) == (len(orders), 0)
    assert counts["users"] == orders["Customer"].nunique()
    products = pd.read_csv(SHOP / "products_export.csv", dtype=str).set_index("Product ID")
    items = pd.read_parquet("data/prepared/items.parquet").set_index("item_id")
    assert items["description"].to_dict() == products["Title"].str.lower().str.split().str.join(" ").to_dict()
    store = ImageStore("data/prepared/images")
    assert {store[item].size for item in items.index} == {(SIDE, SIDE)}
