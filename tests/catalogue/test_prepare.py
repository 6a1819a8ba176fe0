"""catalogue.prepare on the sample: what it writes, what it refuses, and that it repeats."""

import json
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from catalogue import prepare
from catalogue.prepared import images
from catalogue.prepared.images import ImageStore
from catalogue.readers import hm
from pipeline.core.errors import UserError


@pytest.fixture
def prepared(small_prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(small_prepared)
    return small_prepared / "data/prepared"


def edit(path: Path, change) -> None:  # type: ignore[no-untyped-def]
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    change(table).to_csv(path, index=False)


def nothing_written() -> bool:
    return (
        not Path("data/prepared").exists()
        and not list(Path("data").glob("prepared.*partial"))
        and not Path("metrics/catalogue.json").exists()
    )


def test_items_are_every_article_with_an_image(prepared: Path) -> None:
    items = pd.read_parquet(prepared / "items.parquet")
    assert list(items.columns) == [
        "item_id",
        "product_code",
        "description",
        "category",
        "colour",
        "original",
        "split",
        "group",
        "attributes",
    ]
    with zipfile.ZipFile("data/raw/sample/images.zip") as archive:
        assert items["item_id"].tolist() == sorted(name[-14:-4] for name in archive.namelist())
    assert items["original"].sum() < len(items)
    assert (items["split"].notna() == items["original"]).all()
    assert items.loc[items["original"], "description"].notna().all()
    assert (items["description"].dropna() == items["description"].dropna().str.lower()).all()
    assert (items["group"] >= 0).all()
    assert not items.loc[items["original"], "category"].isin(["Blanket", "Cushion", "Felt hat", "Tie"]).any()


def test_the_grouped_split_shares_nothing(prepared: Path) -> None:
    items = pd.read_parquet(prepared / "items.parquet")
    original = items[items["original"]]
    assert (original.groupby("group")["split"].nunique() == 1).all()
    sides = {name: original[original["split"] == name] for name in ("train", "validation", "test")}
    for column in ("product_code", "description"):
        assert not set(sides["test"][column]) & (set(sides["train"][column]) | set(sides["validation"][column]))


def test_images_belong_to_their_items(prepared: Path) -> None:
    store = ImageStore(prepared / "images")
    assert store.ids == pd.read_parquet(prepared / "items.parquet")["item_id"].tolist()
    with zipfile.ZipFile("data/raw/sample/images.zip") as archive:
        for item in store.ids:
            assert store.read_jpeg(item) == archive.read(f"images/{item[:3]}/{item}.jpg")


def test_purchases_keep_file_order_and_articles_without_image(prepared: Path) -> None:
    purchases = pd.read_parquet(prepared / "purchases.parquet")
    raw = pd.read_csv("data/raw/sample/transactions_train.csv", dtype=str)
    assert purchases["item_id"].tolist() == raw["article_id"].tolist()
    assert purchases["user_id"].tolist() == raw["customer_id"].tolist()
    assert purchases["day"].dtype == "int32"
    assert (pd.to_datetime(purchases["day"], unit="D").dt.strftime("%Y-%m-%d") == raw["t_dat"]).all()


def test_the_truth_is_that_of_the_items(prepared: Path) -> None:
    truth, items = pd.read_parquet(prepared / "truth.parquet"), pd.read_parquet(prepared / "items.parquet")
    assert truth["item_id"].tolist() == items["item_id"].tolist()
    assert (truth["second_description"] == truth["second_description"].str.lower()).all()


def test_the_metrics_count_every_filter(prepared: Path) -> None:
    metrics, items = json.loads(Path("metrics/catalogue.json").read_text()), pd.read_parquet(prepared / "items.parquet")
    in_order = [metrics[name] for name in ("articles", "with_description", "with_image", "frequent_type", "fashion")]
    assert in_order == sorted(in_order, reverse=True)
    assert (metrics["articles"], metrics["fashion"], metrics["catalogue_all"]) == (
        150,
        items["original"].sum(),
        len(items),
    )
    assert metrics["without_description"] == items["description"].isna().sum()
    assert metrics["split"] == metrics["split_by_policy"]["grouped"]
    assert metrics["split"]["leaked_description"] == metrics["split"]["leaked_product_code"] == 0
    assert metrics["split_by_policy"]["random"]["leaked_product_code"] > 0
    assert sum(metrics["split"][name] for name in ("train", "validation", "test")) == metrics["fashion"]
    assert (metrics["purchases"], metrics["users"]) == (400, 40)


def test_two_runs_write_the_same_bytes(prepared: Path, shop: Path) -> None:
    prepare.main()
    for path in sorted(prepared.rglob("*.parquet")):
        assert (Path("data/prepared") / path.relative_to(prepared)).read_bytes() == path.read_bytes()


def test_a_missing_raw_folder_says_what_to_put_where(study) -> None:  # type: ignore[no-untyped-def]
    study(dataset="hm")
    with pytest.raises(UserError, match=r"data/raw/hm: no such folder; put the zip of the Kaggle competition"):
        prepare.main()
    study(dataset="sample")
    with pytest.raises(UserError, match=r"data/raw/sample: no such folder; run `dvc repro sample_shop`"):
        prepare.main()
    assert nothing_written()


def test_an_unknown_dataset_is_a_shop_or_a_typo(study) -> None:  # type: ignore[no-untyped-def]
    study(dataset="smaple")
    with pytest.raises(UserError, match=r"data/raw/smaple: no such folder.*`lookbook init.*did you mean sample"):
        prepare.main()


@pytest.mark.parametrize("name", ["articles.csv", "transactions_train.csv", "images.zip"])
def test_a_missing_file_is_named(shop: Path, name: str) -> None:
    (shop / name).unlink()
    with pytest.raises(UserError, match=rf"data/raw/sample/{name}: no such file"):
        prepare.main()
    assert nothing_written()


def test_articles_without_detail_desc(shop: Path) -> None:
    edit(shop / "articles.csv", lambda table: table.drop(columns="detail_desc"))
    with pytest.raises(
        UserError,
        match=r"data/raw/sample/articles\.csv: no column detail_desc; "
        r"found article_id, product_code, .*garment_group_name;",
    ):
        prepare.main()
    assert nothing_written()


def test_duplicate_article_ids(shop: Path) -> None:
    edit(shop / "articles.csv", lambda table: pd.concat([table, table.head(2)]))
    with pytest.raises(UserError, match=r"articles\.csv: article_id \d{10} occurs more than once \(2 such ids\)"):
        prepare.main()


def test_purchases_of_unknown_articles_are_counted_and_left_out(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(
        shop / "transactions_train.csv",
        lambda table: table.assign(article_id=["0999999999"] * 3 + table["article_id"].tolist()[3:]),
    )
    prepare.main()
    assert "(3 of unknown articles left out)" in capsys.readouterr().out
    assert json.loads(Path("metrics/catalogue.json").read_text())["purchases_of_unknown_articles"] == 3
    assert len(pd.read_parquet("data/prepared/purchases.parquet")) == 397


def test_a_truncated_image_is_named_and_leaves_nothing(shop: Path) -> None:
    with zipfile.ZipFile(shop / "images.zip") as archive:
        archive.extractall(shop)
    (shop / "images.zip").unlink()
    victim = sorted((shop / "images").rglob("*.jpg"))[20]
    victim.write_bytes(victim.read_bytes()[:600])
    with pytest.raises(UserError, match=rf"{victim.name}: .*truncated.*fetch the file again"):
        prepare.main()
    assert nothing_written()


def test_a_damaged_zip_member_is_named(shop: Path) -> None:
    archive = shop / "images.zip"
    data = bytearray(archive.read_bytes())
    data[400] ^= 255  # in the first image's bytes
    archive.write_bytes(data)
    with pytest.raises(UserError, match=r"images\.zip: images/\d{3}/\d{10}\.jpg: damaged"):
        prepare.main()


def test_purchases_are_refused_before_pictures_are_packed(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed pictures leave the checkpoint for the output: what fails after that has them packed again."""
    packed: list[str] = []
    monkeypatch.setattr(images, "shrink", lambda data, size, name: (packed.append(name), (data, 1, 1))[1])
    edit(shop / "transactions_train.csv", lambda table: table.assign(article_id="0999999999"))
    with pytest.raises(UserError, match="none of the 400 purchases is of a known user and article"):
        prepare.main()
    assert nothing_written()
    assert packed == []


def test_a_shop_without_purchases_or_truth(shop: Path) -> None:
    edit(shop / "transactions_train.csv", lambda table: table.head(0))
    (shop / "truth.csv").unlink()
    prepare.main()
    assert pd.read_parquet("data/prepared/purchases.parquet").columns.tolist() == ["user_id", "item_id", "day"]
    assert len(pd.read_parquet("data/prepared/purchases.parquet")) == 0
    truth = pd.read_parquet("data/prepared/truth.parquet")
    assert (truth.columns.tolist(), len(truth)) == (["item_id"], 0)


def test_full_data_with_other_counts_is_refused(shop: Path, monkeypatch: pytest.MonkeyPatch, study) -> None:  # type: ignore[no-untyped-def]
    study(catalogue_prepare={"min_items_per_type": 7})
    monkeypatch.setattr(hm, "FULL_ARTICLES", 150)
    with pytest.raises(
        UserError,
        match=r"data/raw/sample: this is the full data set, but the filters leave articles: 150 instead of 105,542",
    ):
        prepare.main()


def test_the_random_split_and_the_case_are_switched_by_params(shop: Path, study) -> None:  # type: ignore[no-untyped-def]
    study(catalogue_prepare={"split": "random", "lower_case": False})
    prepare.main()
    metrics = json.loads(Path("metrics/catalogue.json").read_text())
    assert metrics["split"] == metrics["split_by_policy"]["random"]
    assert pd.read_parquet("data/prepared/items.parquet")["description"].dropna().str[0].str.isupper().all()


def test_a_split_by_launch_follows_the_raw_files(shop: Path, study, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    """First sales by hand from the shop's tables: also of articles without picture or buyer, and of the whole group."""
    edit(shop / "transactions_train.csv", lambda table: table.assign(customer_id=["", *table["customer_id"][1:]]))
    prepare.main()
    assert "never sold" not in capsys.readouterr().out
    before = json.loads(Path("metrics/catalogue.json").read_text())
    study(catalogue_prepare={"split": "launch"})
    prepare.main()
    items = pd.read_parquet("data/prepared/items.parquet")
    articles, sales = (pd.read_csv(shop / name, dtype=str) for name in ("articles.csv", "transactions_train.csv"))
    product = dict(zip(articles["article_id"], articles["product_code"], strict=True))
    day: dict[str, str] = {}
    for article, date in zip(sales["article_id"], sales["t_dat"], strict=True):
        day[product[article]] = min(date, day.get(product[article], "9999"))
    products = items.groupby("group")["product_code"].unique()
    first = {group: min((day[code] for code in codes if code in day), default="") for group, codes in products.items()}
    original = items[items["original"]]
    days = original["group"].map(first)
    parts = {name: set(days[original["split"] == name]) for name in ("train", "validation", "test")}
    share = round(0.1 * len(original))
    assert max(parts["train"]) <= min(parts["validation"])
    assert max(parts["validation"]) <= min(parts["test"])
    assert (original.groupby("group")["split"].nunique() == 1).all()
    metrics = json.loads(Path("metrics/catalogue.json").read_text())
    assert share - 5 < metrics["split"]["test"] <= share
    assert share - 5 < metrics["split"]["validation"] <= share
    launches = metrics.pop("launches")
    assert launches == {
        "never_sold": (days == "").sum(),
        "never_sold_groups": original["group"][days == ""].nunique(),
        "validation_from": min(parts["validation"]),
        "test_from": min(parts["test"]),
    }
    assert launches["never_sold"] > 0
    said = f"{launches['never_sold']} items of {launches['never_sold_groups']} products were never sold"
    assert said in capsys.readouterr().out
    assert metrics["split"] == metrics["split_by_policy"].pop("launch")
    assert metrics | {"split": before["split"]} == before


def no_sales(table: pd.DataFrame) -> pd.DataFrame:
    return table.head(0)


def one_day(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(t_dat="2019-05-05")


def few_products(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["article_id"].isin(sorted(set(table["article_id"]))[:12])]


@pytest.mark.parametrize("change", [no_sales, one_day, few_products])
def test_a_split_by_launch_without_dates_is_refused(shop: Path, study, change) -> None:  # type: ignore[no-untyped-def]
    study(catalogue_prepare={"split": "launch"})
    edit(shop / "transactions_train.csv", change)
    with pytest.raises(
        UserError,
        match=r"catalogue_prepare\.split: launch .*items in data/raw/sample the purchases date \d+, by \d+ different "
        r"days; .*add purchases with their days, or choose grouped or random",
    ):
        prepare.main()
    assert nothing_written()


def test_the_raw_folder_may_be_a_link(small_shop: Path, study, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    elsewhere = shutil.copytree(small_shop, tmp_path / "elsewhere")
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/hm").symlink_to(elsewhere, target_is_directory=True)
    study(dataset="hm")
    prepare.main()
    assert Path("data/prepared/items.parquet").is_file()
