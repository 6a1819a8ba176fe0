"""`lookbook recommend`: Elliot's lists, and a message or a rule for every wrong input."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from features.files import write_features
from lookbook.cli.main import app

GOLDEN = Path(__file__).parents[2] / "golden" / "elliot"


def recommend(train: Path, model: str, out: Path, *more: object) -> Result:
    return CliRunner().invoke(
        app, ["recommend", "--train", str(train), "--model", model, "--out", str(out), *map(str, more)]
    )


def listed(path: Path) -> dict[str, list[str]]:
    """Return user → items, best first, without the seen items at score −inf that Elliot adds."""
    rows = pd.read_csv(path, sep="\t", header=None, dtype={0: str, 1: str})
    rows = rows[np.isfinite(rows[2])]
    return {str(user): items.tolist() for user, items in rows.groupby(0, sort=False)[1]}


@pytest.mark.parametrize(
    ("data", "reference", "model", "k"),
    [
        ("tiny", "stable/tiny/ItemKNN_standard", "itemknn", 20),
        ("tiny", "stable/tiny/UserKNN_standard", "userknn", 10),
        ("small_real", "stable/small_real/ItemKNN_standard_explicit", "itemknn", 20),
        ("small_real", "stable/small_real/UserKNN_standard_explicit", "userknn", 10),
    ],
)
def test_neighbours_of_elliot_give_elliots_lists(data: str, reference: str, model: str, k: int, tmp_path: Path) -> None:
    train = next((GOLDEN / "data" / data).glob("train.tsv*"))
    ended = recommend(train, model, tmp_path / "recs.tsv", "--k", k, "--neighbourhood", "elliot")
    assert ended.exit_code == 0, ended.output
    assert listed(tmp_path / "recs.tsv") == listed(GOLDEN / f"{reference}.recs.tsv.gz")


def test_mostpop_gives_elliots_lists(tmp_path: Path) -> None:
    ended = recommend(GOLDEN / "data/tiny/train.tsv", "mostpop", tmp_path / "recs.tsv")
    assert "1 lists are shorter: not enough unseen items" in ended.stdout
    full = {user: items for user, items in listed(tmp_path / "recs.tsv").items() if len(items) == 12}
    assert full == listed(GOLDEN / "pinned/tiny/MostPop.recs.tsv.gz")  # Elliot gives such a user no list


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Write twelve users of even or odd items, whose ids are no numbers."""
    rows = [
        f"u{user:02}\ti{item}\t1\t{user}\n" for user in range(12) for item in range(user % 2, 10, 2) if item != user
    ]
    (tmp_path / "train.tsv").write_text("".join(rows))
    return tmp_path / "train.tsv"


@pytest.mark.parametrize("model", ["random", "mostpop", "userknn", "itemknn", "bpr"])
def test_every_recommender_writes_different_unseen_items_best_first(train: Path, model: str) -> None:
    out = train.parent / "recs.tsv"
    ended = recommend(train, model, out, "--top", 3, "--seed", 1, "--set", "epochs=2", "--set", "batch_size=32")
    assert ended.exit_code == 0, ended.output
    rows = pd.read_csv(out, sep="\t", header=None)
    bought = pd.read_csv(train, sep="\t", header=None)
    assert (rows.groupby(0).size() == 3).all()
    assert rows[0].nunique() == 12
    assert not rows.duplicated([0, 1]).any()
    assert not len(rows.merge(bought, on=[0, 1]))
    assert (rows.groupby(0)[2].diff().dropna() <= 0).all()
    first = out.read_bytes()
    recommend(train, model, out, "--top", 3, "--seed", 1, "--set", "epochs=2", "--set", "batch_size=32")
    assert out.read_bytes() == first


@pytest.mark.parametrize("layout", ["one array", "a file an item"])
def test_vbpr_finds_features_by_id(train: Path, layout: str) -> None:
    folder = train.parent / "features"
    folder.mkdir()
    ids = [f"i{item}" for item in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)]  # in another order
    vectors = np.array([[int(item[1:]) % 2, 1 - int(item[1:]) % 2] for item in ids], dtype=np.float32)
    if layout == "one array":
        np.save(folder / "features.npy", vectors)
        (folder / "ids.txt").write_text("\n".join(ids) + "\n")
    else:
        for item, vector in zip(ids, vectors, strict=True):
            np.save(folder / f"{item}.npy", vector)
    out = train.parent / "recs.tsv"
    options = (
        "--features",
        folder,
        "--top",
        1,
        "--set",
        "epochs=60",
        "--set",
        "batch_size=32",
        "--set",
        "learning_rate=0.05",
    )
    ended = recommend(train, "vbpr", out, *options)
    assert ended.exit_code == 0, ended.output
    items = listed(out)
    parity = {user: int(user[1:]) % 2 for user in items}
    left = {user for user in items if int(user[1:]) < 10}  # who have not bought one item of their parity
    assert np.mean([int(items[user][0][1:]) % 2 == parity[user] for user in left]) > 0.8


@pytest.mark.parametrize("layout", ["one array", "a file an item"])
def test_freedom_has_a_graph_of_pictures_where_the_folder_names_their_columns(train: Path, layout: str) -> None:
    folder, rows = train.parent / "features", np.random.default_rng(0).normal(size=(10, 5))
    if layout == "one array":
        write_features(folder, [f"i{item}" for item in range(10)], rows)
    else:
        folder.mkdir()
        for item, row in enumerate(rows):
            np.save(folder / f"i{item}.npy", row)

    def run(weight: float) -> bytes:
        out, values = train.parent / "recs.tsv", {"epochs": 2, "neighbours": 3, "image_weight": weight}
        options = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
        ended = recommend(train, "freedom", out, "--features", folder, "--seed", 1, *options)
        assert ended.exit_code == 0, ended.output
        return out.read_bytes()

    assert run(0.05) == run(0.95)
    (folder / "columns.json").write_text('{"pictures": 2}')
    assert run(0.05) != run(0.95)
    (folder / "columns.json").write_text('{"pictures": 6}')
    ended = recommend(train, "freedom", train.parent / "recs.tsv", "--features", folder)
    assert "columns.json: pictures: 6 is not allowed; must be a whole number from 0 to 5" in error(ended)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_other_forms_hold_the_same_rows(train: Path, form: str) -> None:
    recommend(train, "itemknn", train.parent / "recs.tsv")
    recommend(train, "itemknn", train.parent / f"recs.{form}")
    expected = pd.read_csv(train.parent / "recs.tsv", sep="\t", names=["user", "item", "score"])
    path = train.parent / f"recs.{form}"
    table = pd.read_csv(path) if form == "csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_the_last_rating_of_a_pair_counts(tmp_path: Path) -> None:
    once, twice = tmp_path / "once.tsv", tmp_path / "twice.tsv"
    once.write_text("a\t1\t5\na\t2\t1\nb\t2\t3\nb\t3\t1\nc\t1\t2\nc\t3\t2\n")
    twice.write_text("a\t1\t2\n" + once.read_text())
    recommend(once, "itemknn", tmp_path / "1.tsv")
    recommend(twice, "itemknn", tmp_path / "2.tsv")
    assert (tmp_path / "1.tsv").read_bytes() == (tmp_path / "2.tsv").read_bytes()
    recommend(twice, "itemknn", tmp_path / "3.tsv", "--binary")
    assert (tmp_path / "3.tsv").read_bytes() != (tmp_path / "1.tsv").read_bytes()


def test_ids_are_written_as_they_were_read(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("00351\t0351332007\t1\n00351\tx y\t1\n7\t0351332007\t1\n")
    recommend(tmp_path / "train.tsv", "mostpop", tmp_path / "recs.tsv")
    assert (tmp_path / "recs.tsv").read_text() == "7\tx y\t1\n"


def test_ids_with_quotes_are_written_as_they_were_read(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text('"u"\t6" nail\t1\n"u"\tx\t1\nv\tx\t1\n')
    ended = recommend(tmp_path / "train.tsv", "mostpop", tmp_path / "recs.tsv")
    assert ended.exit_code == 0, ended.output
    assert (tmp_path / "recs.tsv").read_text() == 'v\t6" nail\t1\n'


def test_ids_with_a_tab_are_refused_in_a_tsv(tmp_path: Path) -> None:
    pd.DataFrame({"user": ["a\tb", "c"], "item": ["x", "y"]}).to_parquet(tmp_path / "train.parquet")
    message = error(recommend(tmp_path / "train.parquet", "mostpop", tmp_path / "recs.tsv"))
    assert "recs.tsv: 1 user ids have a tab or a line break, which no TSV can hold, first 'a\\tb'" in message
    assert not (tmp_path / "recs.tsv").exists()


def test_more_neighbours_and_places_than_items_take_all_there_are(train: Path) -> None:
    ended = recommend(train, "itemknn", train.parent / "recs.tsv", "--k", 5000, "--top", 100)
    assert ended.exit_code == 0, ended.output
    assert "12 lists are shorter: not enough unseen items" in ended.stdout
    recommend(train, "itemknn", train.parent / "same.tsv", "--k", 10, "--top", 100)
    assert (train.parent / "same.tsv").read_bytes() == (train.parent / "recs.tsv").read_bytes()


@pytest.mark.parametrize("count", [2**31, 10**20])
@pytest.mark.parametrize("model", ["userknn", "itemknn", "mostpop", "freedom", "lattice"])
def test_counts_that_no_memory_holds_take_all_there_are(train: Path, model: str, count: int) -> None:
    out, same, options = train.parent / "recs.tsv", train.parent / "same.tsv", []
    if model in ("freedom", "lattice"):
        folder = train.parent / "features"
        write_features(folder, [f"i{item}" for item in range(10)], np.random.default_rng(0).normal(size=(10, 3)))
        options = ["--features", folder, "--set", "epochs=1"]
    for path, own in ((out, count), (same, 12)):
        counts = ["--top", own, "--k", own, "--set", f"neighbours={own}"]
        ended = recommend(train, model, path, *counts, *options)
        assert ended.exit_code == 0, ended.output
        assert "12 lists are shorter: not enough unseen items" in ended.stdout
    assert out.read_bytes() == same.read_bytes()


def test_time_decays_popularity_where_the_file_has_times(tmp_path: Path) -> None:
    old, new, other = (1_500_000_000 + day * 86_400 for day in (0, 400, 390))
    (tmp_path / "train.tsv").write_text(f"a\told\t1\t{old}\nb\told\t1\t{old}\nc\tnew\t1\t{new}\nd\tother\t1\t{other}\n")
    options = ("--set", "half_life_days=30", "--top", 1)
    recommend(tmp_path / "train.tsv", "mostpop", tmp_path / "recs.tsv", *options)
    assert listed(tmp_path / "recs.tsv")["d"] == ["new"]
    recommend(tmp_path / "train.tsv", "mostpop", tmp_path / "recs.tsv", "--top", 1)
    assert listed(tmp_path / "recs.tsv")["d"] == ["old"]


def error(ended: Result) -> str:
    assert ended.exit_code == 1
    assert isinstance(ended.exception, SystemExit)  # no traceback of ours
    return ended.stderr


def test_features_that_do_not_match_are_counted_and_named(train: Path) -> None:
    folder, out = train.parent / "features", train.parent / "recs.tsv"
    folder.mkdir()
    np.save(folder / "features.npy", np.ones((4, 2), np.float32))
    (folder / "ids.txt").write_text("i0\ni1\ni2\nz\n")
    message = error(recommend(train, "vbpr", out, "--features", folder))
    assert "7 of 10 items of train have no features, first i3, i4, i5, i6, i7, …" in message
    (folder / "ids.txt").write_text("i0\ni1\ni2\ni1\n")
    assert "ids.txt has 1 items more than once, first i1" in error(recommend(train, "vbpr", out, "--features", folder))
    (folder / "ids.txt").write_text("i0\ni1\ni2\n")
    assert "features.npy has 4 rows and ids.txt 3 ids" in error(recommend(train, "vbpr", out, "--features", folder))
    vectors = np.ones((10, 2), np.float32)
    vectors[[3, 5]] = np.nan
    np.save(folder / "features.npy", vectors)
    (folder / "ids.txt").write_text("".join(f"i{item}\n" for item in range(10)))
    message = error(recommend(train, "vbpr", out, "--features", folder))
    assert "2 of 10 items have features that are not finite, first i3, i5" in message
    assert not out.exists()


@pytest.mark.parametrize("model", ["vbpr", "freedom", "contentknn"])
@pytest.mark.parametrize("layout", ["one array", "a file an item"])
def test_features_without_columns_are_refused(train: Path, model: str, layout: str) -> None:
    folder = train.parent / "features"
    if layout == "one array":
        write_features(folder, [f"i{item}" for item in range(10)], np.ones((10, 0)))
    else:
        folder.mkdir()
        for item in range(10):
            np.save(folder / f"i{item}.npy", np.ones(0, np.float32))
    message = error(recommend(train, model, train.parent / "recs.tsv", "--features", folder))
    assert "features: features of shape (10, 0); expected one column at least" in message


def test_a_gpu_that_is_not_there_is_said_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    ended = recommend(tmp_path / "nothing.tsv", "bpr", tmp_path / "recs.tsv", "--device", "cuda")
    assert "--device cuda: PyTorch finds no GPU on this machine" in error(ended)


def test_features_without_ids_or_of_another_shape_are_explained(train: Path) -> None:
    folder, out = train.parent / "features", train.parent / "recs.tsv"
    folder.mkdir()
    np.save(folder / "features.npy", np.ones((10, 2), np.float32))
    message = error(recommend(train, "vbpr", out, "--features", folder))
    assert "features: no ids.txt; expected" in message
    (folder / "ids.txt").write_text("".join(f"i{item}\n" for item in range(10)))
    for wrong, shown in (
        (np.ones(10, np.float32), "float32 of shape (10,)"),
        (np.ones((10, 2, 3), np.float16), "float16 of shape (10, 2, 3)"),
        (np.full((10, 2), "x"), "<U1 of shape (10, 2)"),
    ):
        np.save(folder / "features.npy", wrong)
        message = error(recommend(train, "vbpr", out, "--features", folder))
        assert f"features.npy: expected numbers of shape (n_items, dim), found {shown}" in message
    (folder / "features.npy").write_bytes(b"no array")
    assert "features.npy: cannot be read as a NumPy array" in error(recommend(train, "vbpr", out, "--features", folder))
    (folder / "features.npy").write_bytes(b"")
    assert "features.npy: cannot be read as a NumPy array" in error(recommend(train, "vbpr", out, "--features", folder))
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\t1\t-2\na\t2\t1\n", "rating is negative"),
        ("a\t1\tnan\n", "rating is not a number"),
        ("", "train.tsv: has no rows"),
        ("user,item\n1,2\n", "expected tab-separated columns"),
    ],
)
def test_wrong_purchases_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.tsv").write_text(text)
    assert message in error(recommend(tmp_path / "train.tsv", "itemknn", tmp_path / "recs.tsv"))
    assert not (tmp_path / "recs.tsv").exists()


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("itemkn", (), "'itemkn' is no known recommender; must be one of: bm3, bpr, contentknn, freedom, itemknn"),
        ("vbpr", (), "vbpr needs --features"),
        ("itemknn", ("--features", "x"), "itemknn uses no features: leave out --features x"),
        ("vbpr", ("--features", "nowhere"), "nowhere: no such folder of features"),
        ("bpr", ("--set", "epoch=3"), "epoch: no such option; did you mean epochs?"),
        ("bpr", ("--set", "epochs=-3"), "epochs: -3 is not allowed"),
        ("bpr", ("--set", "epochs"), "--set epochs: expected KEY=VALUE"),
        ("bpr", ("--set", "epochs=["), "--set epochs=[: '[' is no YAML value (expected the node content, but found"),
        ("bpr", ("--set", "epochs=2024-13-45"), "'2024-13-45' is no YAML value (month must be in 1..12"),
        ("bpr", ("--set", "epochs=*a"), "'*a' is no YAML value (found undefined alias 'a')"),
        ("itemknn", ("--similarity", "cosin"), "similarity: 'cosin' is not allowed"),
    ],
)
def test_wrong_options_are_refused(train: Path, model: str, options: tuple[str, ...], message: str) -> None:
    assert message in error(recommend(train, model, train.parent / "recs.tsv", *options))


def test_a_missing_file_and_the_file_itself_are_refused(train: Path) -> None:
    assert "nothing.tsv: no such file" in error(
        recommend(train.parent / "nothing.tsv", "mostpop", train.parent / "r.tsv")
    )
    assert "is the --train file itself; name another file" in error(recommend(train, "mostpop", train))
    assert train.read_text().startswith("u00\t")


@pytest.mark.parametrize(
    ("name", "message"), [("recs.tsv.gz", "text files are not compressed"), ("recs.tsv", "have a tab")]
)
def test_a_file_that_cannot_be_written_is_refused_before_the_fit(
    train: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setattr("recsys.recommenders.mostpop.fit", lambda *_: pytest.fail("fitted in vain"))
    rows = pd.read_csv(train, sep="\t", names=["user", "item", "rating", "timestamp"]).replace(
        {"user": {"u00": "u\t0"}}
    )
    rows.to_parquet(train.with_suffix(".parquet"))
    assert message in error(recommend(train.with_suffix(".parquet"), "mostpop", train.parent / name))


@pytest.mark.parametrize("model", ["userknn", "itemknn", "mostpop"])
def test_drawn_users_have_the_lists_that_they_have_among_all(train: Path, tmp_path: Path, model: str) -> None:
    assert recommend(train, model, tmp_path / "all.tsv").exit_code == 0
    ended = recommend(train, model, tmp_path / "some.tsv", "--users", 5)
    assert "items for 5 users by" in ended.stdout
    every, some = listed(tmp_path / "all.tsv"), listed(tmp_path / "some.tsv")
    assert len(some) == 5
    assert some.items() <= every.items()
    recommend(train, model, tmp_path / "again.tsv", "--users", 5)
    recommend(train, model, tmp_path / "others.tsv", "--users", 5, "--seed", 7)
    assert listed(tmp_path / "again.tsv") == some
    assert listed(tmp_path / "others.tsv").keys() != some.keys()


def test_a_sample_of_users_is_for_the_textbooks_neighbourhood(train: Path, tmp_path: Path) -> None:
    out, sampled = tmp_path / "recs.tsv", ("--set", "sample=0.5")
    ended = recommend(train, "userknn", out, *sampled)
    assert "sample: 0.5 needs neighbourhood: standard" in ended.output
    assert recommend(train, "userknn", out, *sampled, "--neighbourhood", "standard").exit_code == 0
    assert len(listed(out)) == 12
