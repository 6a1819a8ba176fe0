"""`lookbook evaluate`: Elliot's figures, and a message or a rule for every wrong file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from lookbook.cli.main import app

GOLDEN = Path(__file__).parents[2] / "golden" / "elliot"
OURS = {"nDCG": "ndcg", "MAP": "map_elliot", "Recall": "recall", "Precision": "precision", "HR": "hit_rate"}
PINNED = sorted(GOLDEN.glob("pinned/*/*.recs.tsv.gz"))


def evaluate(train: Path, test: Path, recs: Path, *more: str) -> Result:
    return CliRunner().invoke(
        app, ["evaluate", "--train", str(train), "--test", str(test), "--recs", str(recs), *map(str, more)]
    )


@pytest.mark.parametrize("recs", PINNED, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_every_list_of_elliot_has_elliots_figures(recs: Path, tmp_path: Path) -> None:
    train, test = (next((GOLDEN / "data" / recs.parent.name).glob(f"{name}.tsv*")) for name in ("train", "test"))
    ended = evaluate(train, test, recs, "--cutoffs", "5,12", "--json", str(tmp_path / "out.json"))
    assert ended.exit_code == 0, ended.output
    ours = json.loads((tmp_path / "out.json").read_text())
    elliot = json.loads((recs.parent / recs.name.replace(".recs.tsv.gz", ".metrics.json")).read_text())
    assert ours["users"] == elliot["n_users_test"]
    for cutoff in ("5", "12"):
        for name, our_name in OURS.items():
            assert ours[f"{our_name}_{cutoff}"] == pytest.approx(elliot["test"][cutoff][name], abs=1e-12)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write three users with train purchases, two of them with test purchases, and a user of test alone."""
    (tmp_path / "train.tsv").write_text("007\ta\t1\t10\n007\tb\t1\t11\n7\tb\t1\t10\nx\tc\t1\t3\n")
    (tmp_path / "test.tsv").write_text("007\tc\t1\n7\ta\t1\n7\tc\t1\nnew\ta\t1\n")
    (tmp_path / "recs.tsv").write_text("007\tc\t3\n007\td\t2\n7\tc\t5\n7\ta\t4\nx\ta\t1\n")
    return tmp_path


def files(shop: Path, **changes: str) -> tuple[Path, Path, Path]:
    for name, text in changes.items():
        (shop / f"{name}.tsv").write_text(text)
    return shop / "train.tsv", shop / "test.tsv", shop / "recs.tsv"


def figures(shop: Path, *more: str, **changes: str) -> dict[str, float]:
    ended = evaluate(*files(shop, **changes), "--cutoffs", "2", "--json", str(shop / "out.json"), *more)
    assert ended.exit_code == 0, ended.output
    return json.loads((shop / "out.json").read_text())


def message(shop: Path, *more: str, **changes: str) -> str:
    ended = evaluate(*files(shop, **changes), *more)
    assert ended.exit_code == 1
    assert ended.stderr.startswith("error: ")
    assert isinstance(ended.exception, SystemExit)  # no traceback of ours
    return ended.stderr


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--per-user", "users.csv.gz"), "--per-user users.csv.gz: text files are not compressed; leave out .gz"),
        (("--per-user", "users.tsv.gz"), "--per-user users.tsv.gz: text files are not compressed; leave out .gz"),
        (("--per-user", "."), "--per-user .: a folder; name a file"),
        (("--json", "."), "--json .: a folder; name a file"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_scored(
    shop: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, str], problem: str
) -> None:
    monkeypatch.setattr("recsys.interchange.reading.read_purchases", lambda *_: pytest.fail("read in vain"))
    assert problem in message(shop, *options)


def test_figures_by_hand_and_ids_kept_as_given(shop: Path) -> None:
    values = figures(shop)
    assert values["users"] == 2
    assert values["precision_2"] == pytest.approx((1 / 2 + 2 / 2) / 2)
    assert values["recall_2"] == 1
    assert values["users_not_in_train"] == 1
    assert values["users_without_test"] == 1
    assert values["coverage_2"] == pytest.approx(2 / 3)  # c, d, a; the candidates are a, b, c
    assert values["listed_items_not_in_train"] == 1


def test_the_printed_table_says_who_is_left_out(shop: Path) -> None:
    ended = evaluate(*files(shop), "--cutoffs", "2")
    assert "2 users; 1 of test not in train left out; 1 without test items left out" in ended.stdout
    assert ended.stdout.splitlines()[2].split() == ["ndcg", "1.00000"]


def test_users_without_a_list_are_left_out_or_zero(shop: Path) -> None:
    only_one = "7\tc\t5\n7\ta\t4\n"
    assert figures(shop, recs=only_one)["recall_2"] == 1
    assert figures(shop, recs=only_one)["users_without_list"] == 1
    values = figures(shop, "--without-list", "zero", recs=only_one)
    assert values["recall_2"] == 0.5
    assert values["users"] == 2


def test_a_list_shorter_than_the_cutoff_misses_the_rest(shop: Path) -> None:
    values = figures(shop, recs="007\tc\t3\n7\tc\t5\n7\ta\t4\n")
    assert values["precision_2"] == pytest.approx((1 / 2 + 2 / 2) / 2)
    assert values["lists_short"] == 1


def test_an_item_twice_in_a_list_counts_twice_and_is_counted(shop: Path) -> None:
    values = figures(shop, recs="007\tc\t3\n007\tc\t2\n7\tb\t5\n7\tb\t4\n")
    assert values["precision_2"] == 0.5
    assert values["recall_2"] == 1  # 2 of 1, and 0 of 2: as in Elliot
    assert values["lists_with_an_item_twice"] == 2


def test_the_last_rating_of_a_pair_counts(shop: Path) -> None:
    once = figures(shop, test="007\tc\t1\n7\ta\t3\n7\tc\t1\n")
    assert figures(shop, test="007\tc\t1\n7\ta\t1\n7\tc\t1\n7\ta\t3\n") == once
    assert figures(shop, test="007\tc\t1\n7\ta\t1\n7\tc\t1\n")["ndcg_2"] > once["ndcg_2"]


def test_a_list_is_ordered_by_score_whatever_the_order_of_the_file(shop: Path) -> None:
    ordered = figures(shop, test="007\tc\t1\n7\ta\t1\n")
    assert (
        figures(shop, test="007\tc\t1\n7\ta\t1\n", recs="7\ta\t4\n7\tc\t5\n007\td\t2\n007\tc\t3\nx\ta\t1\n") == ordered
    )


def test_a_file_by_score_or_rank_has_one_list_a_user(shop: Path) -> None:
    expected = figures(shop)
    assert figures(shop, recs="7\tc\t5\n7\ta\t4\n007\tc\t3\nx\ta\t2.5\n007\td\t2\n") == expected
    assert figures(shop, recs="007\tc\t3\t1\n7\tc\t9\t1\nx\ta\t1\t1\n7\ta\t9\t2\n007\td\t3\t2\n") == expected


def test_a_rank_orders_where_there_is_one(shop: Path) -> None:
    values = figures(shop, test="007\tc\t1\n", recs="007\tc\t1\t2\n007\td\t1\t1\n")
    assert values["map_2"] == 0.5


def test_per_user_figures_are_those_of_the_mean(shop: Path) -> None:
    values = figures(shop, "--per-user", str(shop / "users.parquet"))
    rows = pd.read_parquet(shop / "users.parquet").set_index("user")
    assert list(rows.index) == ["007", "7"]
    assert rows["precision_2"].to_dict() == {"007": 0.5, "7": 1.0}
    assert rows["ndcg_2"].mean() == values["ndcg_2"]
    figures(shop, "--per-user", str(shop / "users.csv"))
    assert pd.read_csv(shop / "users.csv", dtype={"user": str}).set_index("user")["recall_2"].to_dict() == {
        "007": 1,
        "7": 1,
    }


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_csv_and_parquet_with_headers_say_the_same(shop: Path, form: str) -> None:
    expected = figures(shop)
    paths = []
    for name in ("train", "test", "recs"):
        columns = ["user_id", "item_id", "score" if name == "recs" else "rating"]
        rows = pd.read_csv(shop / f"{name}.tsv", sep="\t", header=None, dtype={0: str}, usecols=[0, 1, 2])
        rows = rows.set_axis(columns, axis=1)[columns[::-1]]  # by name, not by place
        paths.append(shop / f"{name}.{form}")
        rows.to_csv(paths[-1], index=False) if form == "csv" else rows.to_parquet(paths[-1])
    ended = evaluate(*paths, "--cutoffs", "2", "--json", str(shop / "form.json"))
    assert ended.exit_code == 0, ended.output
    assert json.loads((shop / "form.json").read_text()) == expected


def test_whole_numbers_of_parquet_meet_the_same_numbers_as_text(tmp_path: Path) -> None:
    pd.DataFrame({"user": [1, 2], "item": [10, 11]}).to_parquet(tmp_path / "train.parquet")
    (tmp_path / "test.tsv").write_text("1\t11\n")
    (tmp_path / "recs.tsv").write_text("1\t11\n")
    ended = evaluate(tmp_path / "train.parquet", tmp_path / "test.tsv", tmp_path / "recs.tsv", "--cutoffs", "1")
    assert ended.exit_code == 0
    assert "recall         1.00000" in ended.stdout


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"test": ""}, "test.tsv: has no rows"),
        ({"test": "7\ta\t-1\n007\tc\t1\n"}, "test.tsv: 1 of 2 rows: rating is negative; ratings are 0 or more"),
        ({"test": "7\ta\tnan\n"}, "test.tsv: 1 of 1 rows: rating is not a number; first: 7 a nan"),
        ({"train": "7\ta\t\n7\tb\t1\n"}, "train.tsv: 1 of 2 rows: rating is not a number"),
        ({"test": "7\ta\t1577836800\n"}, "is this column the timestamp?"),
        (
            {"train": "user,item,rating\n1,2,3\n"},
            "expected tab-separated columns user, item[, rating[, timestamp]] without a header",
        ),
        ({"train": "u\ti\tr\n1\t2\t3\n"}, "train.tsv: the first line is a header"),
        ({"test": "user\titem\n7\ta\n"}, "test.tsv: the first line is a header"),
        ({"train": "1\t2\t3\t4\t5\n"}, "found 5 column(s) in the first line"),
        ({"train": "1\t2\t1\n1\t3\t1\t7\n"}, "train.tsv: cannot be read as TSV"),
        ({"test": "8\ta\t1\n9\tb\t1\n"}, "test.tsv: none of its 2 users is in"),
        ({"recs": "0007\ta\t1\n"}, "recs.tsv: none of its 1 users is in"),
        ({"recs": "7\t0a\t1\n"}, "recs.tsv: none of its 1 items is in"),
        ({"recs": "x\ta\t1\n"}, "no list is for a user who has purchases in"),
        ({"recs": "7\ta\tnan\n"}, "recs.tsv: 1 of 1 rows: score is not a number"),
        ({"recs": "7\ta\t5\n7\tb\t4\nx\ta\t1\n7\tc\t6\n7\td\t3\n"}, "recs.tsv: 1 users have two lists, first 7"),
        ({"recs": "7\ta\t5\nx\ta\t9\n7\tc\t1\n"}, "1 users have two lists, first 7"),
        ({"recs": "7\ta\nx\ta\n7\tc\n"}, "1 users have two lists, first 7"),
        ({"recs": "7\ta\t1\t1\n7\tb\t1\t2\nx\ta\t1\t1\n7\tc\t1\t1\n"}, "1 users have two lists"),
        (
            {"recs": "7\ta\t1\t1\n7\tb\t1\t1\n7\tc\t1\t2\nx\ta\t1\t1\n"},
            "1 users have two lists, first 7; they have a rank twice: keep one list of each, such as that of one run",
        ),
        ({"recs": "\ta\t1\n"}, "recs.tsv: rows have an empty user"),
    ],
)  # fmt: skip
def test_wrong_files_are_refused(shop: Path, changes: dict[str, str], expected: str) -> None:
    assert expected in message(shop, **changes)


@pytest.mark.parametrize("form", ["tsv", "csv", "parquet"])
def test_files_with_warprecs_header_say_the_same(shop: Path, form: str) -> None:
    expected = figures(shop)
    paths = [shop / f"{name}-warprec.{form}" for name in ("train", "test", "recs")]
    for path in paths:
        rows = pd.read_csv(shop / f"{path.stem.split('-')[0]}.tsv", sep="\t", header=None, dtype={0: str})
        rows.columns = ["user_id", "item_id", "rating", "timestamp"][: rows.shape[1]]
        if form == "parquet":
            rows.to_parquet(path)
        else:
            rows.to_csv(path, sep="\t" if form == "tsv" else ",", index=False)
    ended = evaluate(*paths, "--cutoffs", "2", "--json", str(shop / "out.json"))
    assert ended.exit_code == 0, ended.output
    assert json.loads((shop / "out.json").read_text()) == expected


@pytest.mark.parametrize("name", ["train", "test", "recs"])
def test_warprecs_header_without_rows_is_refused(shop: Path, name: str) -> None:
    assert f"{name}.tsv: has no rows" in message(shop, **{name: "user_id\titem_id\trating\n"})


def test_purchases_of_items_not_in_train_can_be_left_out(shop: Path) -> None:
    """As WarpRec does: item d is in test alone, and user x has no other purchase in test."""
    test = "007\tc\t1\n007\td\t1\n7\ta\t1\nx\td\t1\n"
    recs = "007\tc\t3\n007\ta\t2\n7\tc\t5\nx\ta\t1\n"
    every, warm = figures(shop, test=test, recs=recs), figures(shop, "--test-items", "train")
    assert (every["users"], every["recall_2"], every["test_pairs_left_out"]) == (3, 0.5 / 3, 0)
    assert (warm["users"], warm["recall_2"], warm["test_pairs_left_out"]) == (2, 0.5, 2)
    assert every["test_items_not_in_train"] == warm["test_items_not_in_train"] == 1
    without = figures(shop, test="007\tc\t1\n7\ta\t1\n")
    same = [name for name in without if not name.startswith("test_")]
    assert [warm[name] for name in same] == [without[name] for name in same]
    (shop / "test.tsv").write_text(test)
    ended = evaluate(*files(shop), "--test-items", "train")
    assert "2 test purchases of items not in train left out" in ended.stdout


def test_a_missing_file_is_named(shop: Path) -> None:
    (shop / "recs.tsv").unlink()
    assert "recs.tsv: no such file" in message(shop)


@pytest.mark.parametrize("cutoffs", ["0", "5;12", "-1", "a", "", "5,100000000"])
def test_wrong_cutoffs_are_refused(shop: Path, cutoffs: str) -> None:
    assert f"--cutoffs {cutoffs}: expected whole numbers from 1 to 10,000, such as 5,12" in message(
        shop, "--cutoffs", cutoffs
    )


def test_wrong_columns_are_named(shop: Path) -> None:
    (shop / "train.csv").write_text("customer,article\n1,2\n")
    ended = evaluate(shop / "train.csv", shop / "test.tsv", shop / "recs.tsv")
    assert "has no column user and item; found customer, article. Expected user, item, rating" in ended.stderr
    (shop / "train.csv").write_text("user\titem\n1\t2\n")
    ended = evaluate(shop / "train.csv", shop / "test.tsv", shop / "recs.tsv")
    assert "has no column user and item; found user\\titem" in ended.stderr.replace("\t", "\\t")
    pd.DataFrame({"user": [1.0, 2.5], "item": [1, 2]}).to_parquet(shop / "train.parquet")
    ended = evaluate(shop / "train.parquet", shop / "test.tsv", shop / "recs.tsv")
    assert "user: ids are floating-point numbers" in ended.stderr
    (shop / "train.parquet").write_text("not Parquet")
    ended = evaluate(shop / "train.parquet", shop / "test.tsv", shop / "recs.tsv")
    assert "train.parquet: cannot be read as PARQUET" in ended.stderr


def test_lists_whose_score_has_another_name_are_not_taken_in_file_order(shop: Path) -> None:
    (shop / "recs.csv").write_text("user,item,prediction\n7,b,1\n7,c,2\n")
    ended = evaluate(shop / "train.tsv", shop / "test.tsv", shop / "recs.csv", "--cutoffs", "1")
    assert ended.exit_code == 1
    assert "recs.csv: has no column score or rank; found user, item, prediction" in ended.stderr
    (shop / "recs.csv").write_text("user,item,score\n7,b,1\n7,c,2\n")
    ended = evaluate(shop / "train.tsv", shop / "test.tsv", shop / "recs.csv", "--cutoffs", "1")
    assert "precision      1.00000" in ended.stdout


def test_files_that_were_exchanged_are_suspected(shop: Path) -> None:
    ended = evaluate(*files(shop, recs="007\td\t2\n7\tb\t1\n"), "--cutoffs", "2")
    assert "are --train and --test swapped?" in ended.stdout


def test_two_files_of_lists_are_compared(shop: Path) -> None:
    (shop / "other.tsv").write_text("007\td\t3\n007\tc\t2\n7\tc\t5\n7\ta\t4\n")
    ended = evaluate(*files(shop), "--cutoffs", "1,2", "--against", shop / "other.tsv", "--json", shop / "out.json")
    assert ended.exit_code == 0, ended.output
    rows = json.loads((shop / "out.json").read_text())["against"]
    assert rows["file"] == str(shop / "other.tsv")
    assert rows["ndcg_2"]["mean_a"] == 1
    assert rows["ndcg_2"]["mean_b"] == pytest.approx((1 / np.log2(3) + 1) / 2)
    assert rows["ndcg_1"]["difference"] == 0.5
    lines = ended.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("A: "))
    assert "2 users with a list in both, 2 items that they bought" in lines[start]
    assert lines[start + 2].split()[:4] == ["ndcg@1", "1.00000", "0.50000", "0.50000"]


def test_users_without_a_list_are_not_said_to_have_one(shop: Path) -> None:
    (shop / "other.tsv").write_text("007\tc\t3\n")
    words = [*files(shop), "--cutoffs", "2", "--without-list", "zero", "--against", shop / "other.tsv"]
    ended = evaluate(*words)
    assert ended.exit_code == 0, ended.output
    assert "2 users, of whom those without a list have 0, 2 items that they bought" in ended.stdout


def test_lists_may_stand_for_others_where_the_interval_lies_within_the_margin(shop: Path) -> None:
    (shop / "other.tsv").write_text("007\td\t3\n007\tc\t2\n7\tc\t5\n7\ta\t4\n")
    words = [*files(shop), "--cutoffs", "2", "--json", shop / "out.json", "--margin", 0.0015, "--against"]
    answers = {"recs.tsv": (True, "within: A may"), "other.tsv": (False, "not within: A may not")}
    for other, (within, answer) in answers.items():
        ended = evaluate(*words, shop / other)
        assert ended.exit_code == 0, ended.output
        assert ended.stdout.splitlines()[-1] == f"ndcg@2 ±0.0015: {answer} stand for B"
        assert json.loads((shop / "out.json").read_text())["against"]["ndcg_2"]["within_margin"] is within


@pytest.mark.parametrize(("more", "message"), [((), "needs --against FILE"), (("-1",), "expected a number above 0")])
def test_a_margin_without_a_meaning_is_refused(shop: Path, more: tuple[str, ...], message: str) -> None:
    ended = evaluate(*files(shop), "--margin", *(more or ("0.0015",)))
    assert ended.exit_code == 1
    assert message in ended.output
