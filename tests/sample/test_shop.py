"""The sample shop: layout, sizes, repeatability, and purchases that follow taste."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from catalogue.descriptions.vocabulary import INVISIBLE, VISIBLE
from pipeline.core.errors import UserError
from sample import shop
from sample.market.customers import draw_articles
from tests.helpers.full import slowly

ROOT = Path(__file__).parent.parent.parent
COLUMNS = (
    "article_id,product_code,prod_name,product_type_no,product_type_name,product_group_name,graphical_appearance_no,graphical_appearance_name,"
    "colour_group_code,colour_group_name,perceived_colour_value_id,perceived_colour_value_name,perceived_colour_master_id,perceived_colour_master_name,"
    "department_no,department_name,index_code,index_name,index_group_no,index_group_name,section_no,section_name,garment_group_no,garment_group_name,detail_desc"
)


def header(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0]


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_layout_is_hms(small_shop: Path) -> None:
    assert header(small_shop / "articles.csv") == COLUMNS
    assert (
        header(small_shop / "customers.csv")
        == "customer_id,FN,Active,club_member_status,fashion_news_frequency,age,postal_code"
    )
    assert header(small_shop / "transactions_train.csv") == "t_dat,customer_id,article_id,price,sales_channel_id"
    articles = pd.read_csv(small_shop / "articles.csv", dtype=str)
    assert articles["article_id"].str.fullmatch(r"\d{10}").all()
    assert (articles["article_id"].str[:7] == articles["product_code"]).all()
    members = zipfile.ZipFile(small_shop / "images.zip").namelist()
    ids = set(articles["article_id"])
    assert all(name == f"images/{name[-14:-11]}/{name[-14:]}" and name[-14:-4] in ids for name in members)


def test_the_shop_has_what_the_parameters_say(small_shop: Path) -> None:
    articles = pd.read_csv(small_shop / "articles.csv", dtype=str)
    purchases = pd.read_csv(small_shop / "transactions_train.csv", dtype=str)
    customers = pd.read_csv(small_shop / "customers.csv", dtype=str)
    assert (len(articles), articles["article_id"].nunique(), articles["product_code"].nunique()) == (150, 150, 115)
    assert (len(customers), len(purchases)) == (40, 400)
    assert set(purchases["customer_id"]) == set(customers["customer_id"])
    assert set(purchases["article_id"]) <= set(articles["article_id"])
    assert purchases["t_dat"].is_monotonic_increasing
    assert purchases["t_dat"].between("2018-09-20", "2020-09-22").all()


def test_colours_of_a_product_share_its_description(small_shop: Path) -> None:
    articles = pd.read_csv(small_shop / "articles.csv", dtype=str)
    by_product = articles.groupby("product_code")
    assert (by_product["detail_desc"].nunique(dropna=False) == 1).all()
    assert (by_product["colour_group_name"].nunique() == by_product.size()).all()
    assert 0 < articles["detail_desc"].isna().mean() < 0.4


def test_the_truth_covers_every_article_and_only_the_truth_file_has_it(small_shop: Path) -> None:
    truth = pd.read_csv(small_shop / "truth.csv", dtype=str)
    articles = pd.read_csv(small_shop / "articles.csv", dtype=str)
    assert (truth["article_id"] == articles["article_id"]).all()
    assert truth["second_description"].notna().all()
    assert list(truth.columns) == ["article_id", *VISIBLE, *INVISIBLE, "second_description"]


@pytest.mark.parametrize("hash_seed", ["1", *slowly("2")])
def test_every_run_writes_the_same_bytes(hash_seed: str, study, small_shop: Path) -> None:  # type: ignore[no-untyped-def]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    result = subprocess.run(
        [sys.executable, "-m", "sample.shop"], env=environment, capture_output=True, text=True, check=True
    )
    assert hashes(Path("data/raw/sample")) == hashes(small_shop)
    assert "150 articles of 115 products" in result.stdout


def test_another_seed_gives_another_shop(study, small_shop: Path) -> None:  # type: ignore[no-untyped-def]
    study(sample_shop={"seed": 2})
    shop.main()
    assert not set(hashes(Path("data/raw/sample")).values()) & set(hashes(small_shop).values())


def test_fewer_purchases_than_customers_are_refused(study) -> None:  # type: ignore[no-untyped-def]
    study(sample_shop={"purchases": 39})
    with pytest.raises(UserError, match="at least 40"):
        shop.main()


def test_purchases_have_the_habits_of_a_shop_and_follow_taste(study) -> None:  # type: ignore[no-untyped-def]
    study(sample_shop={"articles": 900, "customers": 500, "purchases": 12_000})
    shop.main()
    folder = Path("data/raw/sample")
    purchases, truth = (
        pd.read_csv(folder / "transactions_train.csv", dtype=str),
        pd.read_csv(folder / "truth.csv", dtype=str),
    )
    per_user = purchases.groupby("customer_id").size()
    assert (per_user == 1).sum() > 5
    assert purchases.duplicated(["customer_id", "article_id"]).mean() > 0.01
    assert purchases.duplicated(["customer_id", "t_dat"]).mean() > 0.2
    assert hit_rate(purchases, truth, by_content=True) > 1.5 * hit_rate(purchases, truth, by_content=False)


def hit_rate(purchases: pd.DataFrame, truth: pd.DataFrame, by_content: bool) -> float:
    """Measure the share of users with a later purchase among 12 unseen articles.

    The later purchases are the last fifth. The articles are the nearest to the user's profile, or the most sold.
    """
    item = purchases["article_id"].map({name: index for index, name in enumerate(truth["article_id"])}).to_numpy()
    user = pd.factorize(purchases["customer_id"])[0]
    size = np.bincount(user)
    train = purchases.groupby("customer_id").cumcount().to_numpy() < 0.8 * size[user]
    shape = (len(size), len(truth))
    bought = csr_array((np.ones(train.sum()), (user[train], item[train])), shape=shape).toarray()
    later = csr_array((np.ones((~train).sum()), (user[~train], item[~train])), shape=shape).toarray()
    features = pd.get_dummies(truth.drop(columns=["article_id", "colour", "second_description"])).to_numpy(float)
    features -= features.mean(axis=0)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    scores = bought @ features @ features.T if by_content else np.tile(bought.sum(axis=0), (shape[0], 1))
    top = np.argsort(-np.where(bought > 0, -np.inf, scores), axis=1, kind="stable")[:, :12]
    return float((np.take_along_axis(later, top, axis=1) > 0).any(axis=1).mean())


@pytest.mark.slow
def test_a_disk_that_fills_up_leaves_one_message_and_nothing_half_written(small_disk: Path) -> None:
    (small_disk / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    result = subprocess.run(
        [sys.executable, "-m", "sample.shop"],
        cwd=small_disk,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: disk full")
    assert "Traceback" not in result.stderr
    assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["params.yaml"]


def test_the_order_in_which_a_processor_partitions_changes_no_purchase(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy partitions by other instructions on other processors: the same largest values in another order."""
    logits, counts = np.zeros((5, 200)), np.full(5, 30)
    customers, articles = draw_articles(np.random.default_rng(0), logits, counts)
    partition = np.argpartition

    def partition_otherwise(values: np.ndarray, kth: int) -> np.ndarray:
        rows = partition(values, kth)
        return np.concatenate([rows[: kth + 1][::-1], rows[kth + 1 :][::-1]])

    monkeypatch.setattr(np, "argpartition", partition_otherwise)
    again, articles_again = draw_articles(np.random.default_rng(0), logits, counts)
    assert again.tolist() == customers.tolist()
    assert articles_again.tolist() == articles.tolist()
