"""Purchases and lists of other programs: the clean file's rows, or a message that names what is wrong."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import UserError
from recsys.interchange.evaluate import evaluate
from recsys.interchange.reading import Pairs, read_lists, read_purchases
from recsys.interchange.recommend import build_dataset, build_settings, make_lists
from recsys.interchange.writing import write_lists
from recsys.ranking.settings import Run

CASES = Path(__file__).parents[2] / "cases"
POWERS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # of ten, units in a second
ROWS = [("u1", "i1", 1673359222), ("u1", "i2", 1673359223), ("u2", "i1", 1673445622)]


def ids(rows: Pairs) -> list[tuple[str, str]]:
    return [
        (rows.user.names[int(user)].as_py(), rows.item.names[int(item)].as_py())
        for user, item in zip(rows.user.codes, rows.item.codes, strict=True)
    ]


def list_best(train: Path, out: Path, **changes: object) -> dict[str, float]:
    """Write the lists of MostPop; return the score of each item."""
    settings = build_settings("mostpop", changes)
    data, users = build_dataset(read_purchases(train, with_time=bool(changes)), binary=False)
    items, scores = make_lists(data, "mostpop", settings, Run(42, 12, "cpu", 1), None)
    write_lists(out, users, data.item_ids, items, scores)
    return dict(pd.read_csv(out, sep="\t", header=None, dtype={1: str})[[1, 2]].itertuples(index=False))


@pytest.mark.parametrize("name", ["train_h.tsv", "test_h.tsv"])
def test_a_header_of_two_columns_is_no_purchase(name: str) -> None:
    path = CASES / "26-tsv-header" / name
    for read in (read_purchases, read_lists):
        with pytest.raises(UserError, match=rf"{name}: the first line is a header, 'user_id:token"):
            read(path)


@pytest.mark.parametrize(
    "header",
    [
        *("user\titem", "userId\titemId", "User ID\tProduct ID", "reviewerID\tasin", "kunde\tartikel"),
        *("customer\tsku", "CustomerID\tStockCode", "Customer ID\tGarment", "user_name\tgarment", "buyerName\tx"),
        *("buyer\tproduct_name", "order_id\tproduct_name", "KUNDE-NR\tfoo", "x\tGarmentName", "shopper email\tx"),
    ],
)
@pytest.mark.parametrize("item", ["12", "85123A"])
def test_a_header_in_other_words_is_no_purchase(tmp_path: Path, header: str, item: str) -> None:
    (tmp_path / "a.tsv").write_text(f"{header}\n7\t11\n8\t{item}\n")
    with pytest.raises(UserError, match="the first line is a header"):
        read_purchases(tmp_path / "a.tsv")


@pytest.mark.parametrize(
    "rows",
    [
        "u1\ti1\nu2\ti2\n",
        "7\t11\n8\t12\n",
        "7\t11\n",
        "anna\tred\n7\tx\n",
        "u\ti\n",
        "customer42\tjeans\n7\tx\n",
        "u1\tSKU-100\n7\tx\n",
        "user_12\titem-7\nuser_13\titem-8\n",
        "user_anna\titem_red\nuser_bob\titem_blue\n",
        "u1\tgarment bag\nu2\tx\n",
        "anna\ta long name for a coat\nbob\tx\n",
        "item\tx\t1\n7\tx\t2\n",
    ],
)
def test_a_first_row_like_the_others_is_a_purchase(tmp_path: Path, rows: str) -> None:
    (tmp_path / "a.tsv").write_text(rows)
    assert len(read_purchases(tmp_path / "a.tsv").user.codes) == rows.count("\n")


def test_a_header_above_ids_that_begin_with_its_words_is_no_purchase(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("shopper_name\tgarment\nshopper_1\tgarment-1\nshopper_2\tgarment-2\n")
    with pytest.raises(UserError, match="the first line is a header"):
        read_lists(tmp_path / "a.tsv")


def test_without_its_header_the_case_has_its_known_score(tmp_path: Path) -> None:
    train, test = (CASES / "26-tsv-header" / f"{name}.tsv" for name in ("train", "test"))
    list_best(train, tmp_path / "r.tsv")
    found = evaluate(read_purchases(train), read_purchases(test), read_lists(tmp_path / "r.tsv"), [12])
    assert round(float(found.values["ndcg_12"].mean()), 5) == 0.25863
    assert (len(found.users), len(read_purchases(train).item.names)) == (30, 40)


def test_milliseconds_score_as_seconds_do(tmp_path: Path) -> None:
    seconds, milliseconds = (
        list_best(CASES / f"27-milliseconds/{name}.tsv", tmp_path / "r.tsv", half_life_days=200.0)
        for name in ("t_s", "t_ms")
    )
    assert milliseconds == seconds
    assert {item: round(seconds[item], 4) for item in ("new", "mid", "old")} == {
        "new": 1.9965,
        "mid": 1.8661,
        "old": 0.7526,
    }


def write(path: Path, times: list, **options: object) -> Path:
    table = pd.DataFrame([row[:2] for row in ROWS], columns=["user", "item"]).assign(rating=1.0, timestamp=times)
    if path.suffix == ".parquet":
        table.to_parquet(path, **options)
    else:
        is_csv = path.suffix == ".csv"
        table.to_csv(path, sep="," if is_csv else "\t", header=is_csv, index=False)
    return path


@pytest.mark.parametrize("form", ["tsv", "csv", "parquet"])
@pytest.mark.parametrize("kind", ["s", "ms", "us", "ns", "float", "iso", "zone", "own"])
def test_moments_of_every_kind_are_the_same(tmp_path: Path, form: str, kind: str) -> None:
    seconds = [row[2] for row in ROWS]
    moments = [datetime.fromtimestamp(second, UTC) for second in seconds]
    times: dict[str, list] = {
        **{unit: [second * 10**power for second in seconds] for unit, power in POWERS.items()},
        "float": [float(second) for second in seconds],
        "iso": [moment.strftime("%Y-%m-%d %H:%M:%S") for moment in moments],
        "zone": [moment.astimezone().isoformat() for moment in moments],
        "own": moments,
    }
    rows = read_purchases(write(tmp_path / f"a.{form}", times[kind]), with_time=True)
    np.testing.assert_allclose(rows.values["timestamp"], seconds, atol=1e-6)


@pytest.mark.parametrize("form", ["tsv", "csv", "parquet"])
@pytest.mark.parametrize("times", [[1, 2, 3], [19367, 19368, 19369], ["x", "y", "z"], ["10.01.2023"] * 3])
def test_a_number_that_is_no_moment_is_refused(tmp_path: Path, form: str, times: list) -> None:
    path = write(tmp_path / f"a.{form}", times)
    with pytest.raises(UserError, match=rf"a\.{form}: timestamp: .* is no day \(3 such values\)"):
        read_purchases(path, with_time=True)
    assert len(read_purchases(path).user.codes) == 3  # nobody asks for the moments


def test_test_items_in_another_notation_are_refused_with_both() -> None:
    folder = CASES / "28-test-item-ids"
    with pytest.raises(UserError, match=r"none of its 37 items is in .*train\.tsv: 0000000011, .* here, 24, .* there"):
        evaluate(
            read_purchases(folder / "train.tsv"),
            read_purchases(folder / "test_pad.tsv"),
            read_lists(folder / "r_train.tsv"),
            [12],
        )


@pytest.mark.parametrize("word", ["NULL", "nan", "None", "guest", r"\N", "N/A"])
@pytest.mark.parametrize("form", ["tsv", "csv"])
def test_a_word_for_nobody_is_refused(tmp_path: Path, form: str, word: str) -> None:
    sign = "," if form == "csv" else "\t"
    rows = [("user", "item")] * (form == "csv") + [("u1", "i1"), (word, "i2"), (word, "i3"), (word, "i1")]
    (tmp_path / f"a.{form}").write_text("\n".join(sign.join(row) for row in rows))
    with pytest.raises(UserError, match=r"3 rows have the user '.*', a word for none"):
        read_purchases(tmp_path / f"a.{form}")


@pytest.mark.parametrize(
    "text",
    [
        "user,item,rating\nu1,i1,2\nu2,i2,3\n",
        "\ufeffuser, item ,rating\nu1,i1,2\nu2,i2,3\n",
        '"user","item","rating"\r\n"u1","i1","2"\r\n"u2","i2","3"\r\n',
        "user,item,rating\nu1,i1,2,\nu2,i2,3,\n",
        "user,item,rating,\nu1,i1,2,\nu2,i2,3,\n",
        'user,"a, note",item,rating\nu1,"a,\nb",i1,2\nu2,,i2,3\n',
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_csv_in_any_style_has_the_same_rows(tmp_path: Path, text: str, packed: bool) -> None:
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    rows = read_purchases(path)
    assert ids(rows) == [("u1", "i1"), ("u2", "i2")]
    assert rows.values["rating"].tolist() == [2, 3]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_an_id(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "a.tsv").write_bytes(mark + b"7\t11\n8\t12\n")
    assert ids(read_purchases(tmp_path / "a.tsv")) == [("7", "11"), ("8", "12")]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"user,item\nu1\n"),
        ("a.csv", b"user,item\nu1,i1\nu2,i2,i3\n"),
        ("a.csv", b'user,item\nu1,"i1\nu2,i2\n'),
        ("a.csv", b"user,item\nu1,\xff\n"),
        ("a.csv", b""),
        ("a.tsv", b"u1\ti1\nu2\n"),
        ("a.tsv", b"u1\t\xff\nu2\ti\n"),
        ("a.csv.gz", gzip.compress(b"user,item\nu1,i1\n" * 50, mtime=0)[:-20]),
        ("a.tsv.gz", gzip.compress(b"u1\ti1\n" * 50, mtime=0)[:-20]),
        ("a.csv.gz", b"no gzip"),
        ("a.parquet", b"no parquet"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=name):
        read_purchases(tmp_path / name)
