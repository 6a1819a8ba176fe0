"""The stage `score` on a small study: its tables equal the definitions in plain loops, and its refusals."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recsys.scoring.score_parts
from pipeline.checkpoints import is_whole
from pipeline.cluster import make_files
from pipeline.core.errors import UserError
from recsys import fit, interactions, score
from recsys.purchases.dataset import CATALOGUES, Catalogue, Split, read_split, restrict
from recsys.ranking.recommend import recommend
from recsys.ranking.scorers import SameForAll
from recsys.scoring.metrics import gini, long_tail, novelty, popularity, popularity_lift
from tests.helpers.interactions import small_study
from tests.test_line import covers, needed_by

AXES = """catalogues:
- original
- all
texts:
- augmented
- masked-ft
- masked-none
recommenders:
- mostpop
- random
warm_content_recommenders:
- vbpr
warm_image_features: []
warm_text_features:
- words
"""


@pytest.fixture(scope="module")
def scored_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study with its lists, axes without BPR and kNN; metrics written."""
    folder = tmp_path_factory.mktemp("scored")
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_study(folder, monkeypatch)
        params = Path("params.yaml").read_text()
        Path("params.yaml").write_text(params[: params.index("catalogues:\n")] + AXES)
        for catalogue in ("original", "all"):
            for recommender in ("mostpop", "random", "itemknn"):
                fit_cell(monkeypatch, f"--recommender {recommender} --catalogue {catalogue}")
        for text in ("augmented", "masked-ft", "masked-none"):
            fit_cell(monkeypatch, f"--recommender vbpr --text {text} --features words")
        score.main()
    return folder


@pytest.fixture
def scored(scored_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working directory."""
    shutil.copytree(scored_once, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study"


def fit_cell(monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["recsys.fit", *arguments.split()])
    fit.main()


def per_user() -> pd.DataFrame:
    return pd.read_parquet("data/scores/recommendations.parquet")


def slow_ndcg(
    split: Split, arm: str, recommender: str, catalogue: Catalogue, allowed: np.ndarray
) -> dict[tuple[int, int], float]:
    """(run, user) → NDCG@12 of the lists in `catalogue`, relevant being the distinct test items that are `allowed`."""
    lists = pd.read_parquet(f"data/recommendations/{arm}/{recommender}.parquet")
    users = set(restrict(split, catalogue).users)
    values = {}
    for (number, user), rows in lists[lists["candidates"] == catalogue].groupby(["run", "user"]):
        relevant = {
            item for buyer, item in split.test if buyer == user and split.members(catalogue)[item] and allowed[item]
        }
        if relevant and user in users:
            gain = sum(
                1 / np.log2(rank + 1) for rank, item in zip(rows["rank"], rows["item"], strict=True) if item in relevant
            )
            values[number, user] = gain / sum(1 / np.log2(rank + 1) for rank in range(1, min(12, len(relevant)) + 1))
    return values


@pytest.mark.parametrize(
    ("arm", "recommender"),
    [("all", "random"), ("original", "mostpop"), ("masked-ft", "vbpr-words"), ("augmented", "vbpr-words")],
)
def test_values_are_those_of_the_files_read_aloud(scored: Path, arm: str, recommender: str) -> None:
    split = read_split()
    rows = per_user()
    rows = rows[(rows["arm"] == arm) & (rows["recommender"] == recommender)].set_index(["run", "user"])
    everything = np.ones(len(split.item_ids), dtype=bool)
    texts = pd.read_parquet("data/texts/masked-ft.parquet").set_index("item_id")["masked"]
    masked = texts.reindex(split.item_ids).fillna(False).to_numpy(bool)
    catalogue: Catalogue = "all" if arm in ("all", "augmented") else "original"
    expected = {
        "ndcg_12": slow_ndcg(split, arm, recommender, catalogue, everything),
        "ndcg_12_common": slow_ndcg(split, arm, recommender, "original", everything),
        "ndcg_masked_12": slow_ndcg(split, arm, recommender, "original", masked),
    }
    for column, values in expected.items():
        assert rows[column].dropna().to_dict() == pytest.approx(values)


def test_arms_have_the_same_users_in_common(scored: Path) -> None:
    rows = per_user()
    for column in ("ndcg_12_common", "ndcg_masked_12"):
        users = {
            name: set(group.dropna(subset=column)["user"])
            for name, group in rows.groupby(["arm", "recommender", "run"], observed=True)
        }
        assert len(set(map(frozenset, users.values()))) == 1
        assert all(users.values())
    original = rows[rows["arm"].isin(["original", "masked-ft"])]
    assert (original["ndcg_12"] == original["ndcg_12_common"]).all()


def test_means_and_counts(scored: Path) -> None:
    metrics = json.loads(Path("metrics/recommendations.json").read_text())
    rows = per_user()
    assert {arm: sorted(values) for arm, values in metrics.items()} == {
        "original": ["mostpop", "random"],
        "all": ["mostpop", "random"],
        "augmented": ["vbpr-words"],
        "masked-ft": ["vbpr-words"],
        "masked-none": ["vbpr-words"],
    }
    random = rows[(rows["arm"] == "all") & (rows["recommender"] == "random")]
    values = metrics["all"]["random"]
    assert values["map_elliot_5"] == pytest.approx(random.groupby("run")["map_elliot_5"].mean().mean(), abs=1e-15)
    assert values["runs"] == random["run"].nunique() == 3
    assert metrics["all"]["mostpop"]["runs"] == 1
    assert values["users"] + values["users_without_test"] == 50
    split = read_split()
    test, train = ({(user, item) for user, item in pairs.tolist()} for pairs in (split.test, split.train))
    assert values["test_items"] == len(test)
    assert values["test_items_repeated"] == len(test & train) > 0
    assert values["test_items_cold"] == len({pair for pair in test if pair[1] not in {item for _, item in train}}) > 0
    assert 0 < metrics["all"]["mostpop"]["coverage_5"] < values["coverage_12"] <= 1


def test_lists_of_recommenders_outside_the_axes_are_not_read(scored: Path) -> None:
    assert Path("data/recommendations/all/itemknn.parquet").exists()
    assert "itemknn" not in set(per_user()["recommender"])
    Path("data/recommendations/all/itemknn.parquet").write_text("not Parquet")
    score.main()


def test_a_missing_list_is_named(scored: Path) -> None:
    Path("data/recommendations/all/random.parquet").unlink()
    with pytest.raises(UserError, match=r"data/recommendations/all/random\.parquet: no such lists"):
        score.main()


def test_a_cutoff_beyond_the_lists_is_refused(scored: Path) -> None:
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("  - 12\n", "  - 20\n"))
    with pytest.raises(UserError, match=r"set rec_fit\.top_k to 20 or more"):
        score.main()


def test_unknown_recommenders_are_refused_before_anything_is_read(study: Path) -> None:
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("- mostpop\n", "- mostpopular\n"))
    with pytest.raises(
        UserError, match=r"recommenders\.1: 'mostpopular' is no known recommender.*did you mean mostpop"
    ):
        score.main()


def test_a_study_without_recommendations_has_empty_files(study: Path) -> None:
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(
        params[: params.index("catalogues:\n")]
        + "catalogues: []\ntexts: []\nrecommenders: []\nwarm_content_recommenders: []\n"
        + "warm_image_features: []\nwarm_text_features: []\n"
    )
    score.main()
    assert json.loads(Path("metrics/recommendations.json").read_text()) == {}
    assert list(per_user().columns) == ["arm", "recommender", "run", "user"]
    assert pd.read_parquet("data/scores/recommendation_hits.parquet").empty


def test_hits_add_up_to_the_ndcg_of_every_user_and_slice(scored: Path) -> None:
    labels = ["arm", "recommender", "run", "user"]
    hits = pd.read_parquet("data/scores/recommendation_hits.parquet")
    assert (hits["contribution"] > 0).all()
    sums = hits.groupby(["metric", *labels])["contribution"].sum()
    users = per_user().set_index(labels)
    for metric in ("ndcg_12", "ndcg_12_common", "ndcg_masked_12"):
        expected = users[metric].dropna()
        assert (expected == 0).any()
        assert set(sums[metric].index) == set(expected[expected > 0].index)  # rows for hits only
        pd.testing.assert_series_equal(
            sums[metric].reindex(expected.index, fill_value=0), expected, check_names=False, rtol=1e-12
        )
    by_slice = ["slice", *labels]
    parts = pd.read_parquet("data/scores/recommendation_slice_hits.parquet").groupby(by_slice)["contribution"].sum()
    expected = slices().set_index(by_slice)["ndcg_12"]
    assert set(parts.index) == set(expected[expected > 0].index)
    pd.testing.assert_series_equal(parts.reindex(expected.index, fill_value=0), expected, check_names=False, rtol=1e-12)


def test_the_items_that_can_be_hit_are_those_of_the_test_side(scored: Path) -> None:
    split = read_split()
    items = pd.read_parquet("data/scores/recommendation_items.parquet")
    part_of = {key: set(rows["item"]) for key, rows in items.groupby(["catalogue", "part"])}
    masked = pd.read_parquet("data/texts/masked-ft.parquet").set_index("item_id")["masked"]
    masked = masked.reindex(split.item_ids).fillna(False).to_numpy(bool)
    for catalogue in CATALOGUES:
        users = set(restrict(split, catalogue).users)
        bought = {item for user, item in split.test.tolist() if user in users and split.members(catalogue)[item]}
        assert part_of[catalogue, "ndcg_12"] == bought
    assert part_of["all", "ndcg_12_common"] == part_of["original", "ndcg_12"] != part_of["all", "ndcg_12"]
    assert part_of["all", "ndcg_masked_12"] == {item for item in part_of["original", "ndcg_12"] if masked[item]}
    assert part_of["all", "written"] == {item for item in part_of["all", "ndcg_12"] if not split.original[item]}


def test_masked_hits_are_of_masked_items(scored: Path) -> None:
    hits = pd.read_parquet("data/scores/recommendation_hits.parquet")
    masked = pd.read_parquet("data/texts/masked-ft.parquet").set_index("item_id")["masked"]
    items = read_split().item_ids[hits.loc[hits["metric"] == "ndcg_masked_12", "item"]]
    assert masked.loc[items].all()


def slices() -> pd.DataFrame:
    return pd.read_parquet("data/scores/recommendation_slices.parquet")


def of_cell(rows: pd.DataFrame, arm: str, recommender: str, part: str) -> dict[tuple[int, int], float]:
    chosen = rows[(rows["arm"] == arm) & (rows["recommender"] == recommender) & (rows["slice"] == part)]
    return chosen.set_index(["run", "user"])["ndcg_12"].to_dict()


@pytest.mark.parametrize(
    ("arm", "recommender"), [("all", "random"), ("masked-ft", "vbpr-words"), ("original", "mostpop")]
)
def test_slices_are_those_of_the_files_read_aloud(scored: Path, arm: str, recommender: str) -> None:
    split = read_split()
    items = pd.read_parquet("data/prepared/items.parquet").set_index("item_id").loc[split.item_ids]
    masked = pd.read_parquet("data/texts/masked-ft.parquet").set_index("item_id")["masked"]
    masked = masked.reindex(split.item_ids).fillna(False).to_numpy(bool)
    bought = pd.DataFrame(split.train[split.original[split.train[:, 1]]], columns=["user", "item"]).drop_duplicates()
    buyers = bought.groupby("item").size().reindex(range(len(items)), fill_value=0).to_numpy()
    trained = set(items.loc[items["split"] == "train", "product_code"])
    leaked = (items["product_code"].isin(trained) & (items["split"] != "train")).to_numpy()
    of_items = {
        "masked": masked,
        "product_in_training": masked & leaked,
        "cold_items": buyers <= 5,
        "warm_items": buyers > 5,
        "category:Dress": (items["category"] == "Dress").to_numpy(),
        "buyers:1-2": (buyers >= 1) & (buyers <= 2),
        "buyers:21-": buyers > 20,
    }
    rows = slices()
    for name, allowed in of_items.items():
        assert of_cell(rows, arm, recommender, name) == pytest.approx(
            slow_ndcg(split, arm, recommender, "original", allowed)
        ), name
    everything = slow_ndcg(split, arm, recommender, "original", np.ones(len(items), bool))
    purchases = bought.groupby("user").size()
    meet = {user for user, item in split.test.tolist() if masked[item]}
    of_users = {
        "users_who_meet_masked": lambda user: user in meet,
        "cold_users": lambda user: purchases[user] <= 5,
        "warm_users": lambda user: purchases[user] > 5,
    }
    for name, belongs in of_users.items():
        expected = {key: value for key, value in everything.items() if belongs(key[1])}
        assert of_cell(rows, arm, recommender, name) == pytest.approx(expected), name


def test_written_items_are_looked_at_where_they_are_candidates(scored: Path) -> None:
    split, rows = read_split(), slices()
    expected = slow_ndcg(split, "augmented", "vbpr-words", "all", ~split.original)
    assert of_cell(rows, "augmented", "vbpr-words", "written") == pytest.approx(expected)
    assert not of_cell(rows, "original", "mostpop", "written")
    meet = {user for user, item in split.test.tolist() if not split.original[item]}
    everything = slow_ndcg(split, "augmented", "vbpr-words", "all", np.ones(len(split.item_ids), bool))
    expected = {key: value for key, value in everything.items() if key[1] in meet}
    assert of_cell(rows, "augmented", "vbpr-words", "users_who_meet_written") == pytest.approx(expected)


def test_slices_partition_users_and_leave_no_category_below_the_limit(scored: Path) -> None:
    rows = slices()
    cell = rows[(rows["arm"] == "all") & (rows["recommender"] == "mostpop")]
    users = {name: set(part["user"]) for name, part in cell.groupby("slice", observed=True)}
    assert not users.get("cold_users", set()) & users["warm_users"]
    categories = {name for name in users if name.startswith("category:")}
    assert categories == {"category:Shirt", "category:Dress", "category:Socks"}
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("slice_categories: 10", "slice_categories: 1"))
    score.main()
    assert sum(name.startswith("category:") for name in slices()["slice"].unique()) == 1


def test_coverage_novelty_and_popularity_are_of_everyones_lists(scored: Path) -> None:
    values = json.loads(Path("metrics/recommendations.json").read_text())["all"]["mostpop"]
    split = read_split()
    data = restrict(split, "all")
    lists = pd.read_parquet("data/recommendations/all/mostpop.parquet")
    lists = lists[lists["candidates"] == "all"]
    listed = np.full((len(data.users), 12), -1)
    row = np.searchsorted(data.users, lists["user"])
    listed[row, lists["rank"] - 1] = np.searchsorted(data.items, lists["item"])
    buyers = np.bincount(data.train.indices, minlength=len(data.items))
    n_users = len(data.users)
    assert values["novelty_12"] == pytest.approx(np.nanmean(novelty(listed, buyers, n_users, 12)))
    assert values["popularity_12"] == pytest.approx(np.nanmean(popularity(listed, buyers, 12)))
    assert values["long_tail_12"] == pytest.approx(np.nanmean(long_tail(listed, buyers, 12)))
    assert values["popularity_lift_12"] == pytest.approx(popularity_lift(listed, data.train, 12))
    assert values["gini_12"] == pytest.approx(gini(listed, len(data.items), 12))
    assert values["popularity_lift_12"] > 0


def test_a_catalogue_without_a_user_to_average_over_is_refused(scored: Path) -> None:
    split, path = read_split(), Path("data/interactions/test.parquet")
    rows = pd.read_parquet(path)
    rows[~split.original[rows["item"]]].to_parquet(path)
    before = Path("metrics/recommendations.json").read_bytes()
    with pytest.raises(
        UserError, match="no user has both a train and a test purchase of an article of the catalogue original"
    ):
        score.main()
    assert Path("metrics/recommendations.json").read_bytes() == before


def test_two_items_of_one_rank_are_refused(scored: Path) -> None:
    path = Path("data/recommendations/all/mostpop.parquet")
    rows = pd.read_parquet(path)
    pd.concat([rows, rows.iloc[:1]]).to_parquet(path)
    with pytest.raises(UserError, match="a user has two items of the same rank in one list"):
        score.main()


@pytest.fixture
def published(study: Path) -> Path:
    """The study with `evaluation: published`, and MostPop's lists of each catalogue's own split."""
    params = Path("params.yaml").read_text().replace("evaluation: common", "evaluation: published")
    axes = AXES.replace("- random\n", "").replace("- augmented\n- masked-ft\n- masked-none\n", "- masked-ft\n")
    Path("params.yaml").write_text(params[: params.index("catalogues:\n")] + axes)
    interactions.main()
    for catalogue in CATALOGUES:
        data = restrict(read_split(catalogue=catalogue), catalogue)
        buyers = np.bincount(data.train.indices, minlength=len(data.items)).astype(np.float32)
        lists = recommend(SameForAll(buyers), data.train, 12, {"own": np.ones(len(data.items), bool)})["own"]
        user, rank = np.nonzero(lists[0] >= 0)
        columns = {
            "candidates": catalogue,
            "run": 0,
            "user": data.users[user],
            "item": data.items[lists[0][user, rank]],
        }
        Path(f"data/recommendations/{catalogue}").mkdir(parents=True)
        pd.DataFrame(columns | {"rank": rank + 1}).to_parquet(f"data/recommendations/{catalogue}/mostpop.parquet")
    Path("data/recommendations/masked-ft").mkdir()
    shutil.copy("data/recommendations/original/mostpop.parquet", "data/recommendations/masked-ft/vbpr-words.parquet")
    return study


def test_published_catalogues_are_scored_each_alone_and_marked(published: Path) -> None:
    score.main()
    metrics = json.loads(Path("metrics/recommendations.json").read_text())
    rows = per_user()
    assert not [name for name in rows.columns if name.endswith("_common")]
    for catalogue in CATALOGUES:
        values = metrics[catalogue]["mostpop"]
        assert values["evaluation"] == "published"
        assert "users_common" not in values
        split = read_split(catalogue=catalogue)
        expected = slow_ndcg(split, catalogue, "mostpop", catalogue, np.ones(len(split.item_ids), bool))
        cell = rows[rows["arm"] == catalogue].set_index(["run", "user"])["ndcg_12"]
        assert cell.to_dict() == pytest.approx(expected)
        assert values["ndcg_12"] == pytest.approx(np.mean(list(expected.values())))
    common, own = read_split(), read_split(catalogue="original")
    texts = pd.read_parquet("data/texts/masked-ft.parquet").set_index("item_id")["masked"]
    masked = texts.reindex(own.item_ids).fillna(False).to_numpy(bool)
    expected = slow_ndcg(own, "original", "mostpop", "original", masked)
    assert expected
    for arm in ("original", "masked-ft"):
        cell = rows[rows["arm"] == arm].set_index(["run", "user"])["ndcg_masked_12"].dropna()
        assert cell.to_dict() == pytest.approx(expected)
    assert rows.loc[rows["arm"] == "all", "ndcg_masked_12"].isna().all()
    restricted = common.test[common.original[common.test[:, 1]]]
    assert set(map(tuple, own.test.tolist())) != set(map(tuple, restricted.tolist()))  # a split of its own


def read_outputs() -> dict[str, bytes]:
    """Return the bytes of all that the stage writes."""
    tables = (score.PER_USER, score.SLICES, score.HITS, score.SLICE_HITS, score.RELEVANT, score.METRICS)
    return {path.name: path.read_bytes() for path in tables}


def test_parts_of_files_give_the_tables_of_one_process(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the parts, made in this process; tests/recsys/test_cluster.py has real nodes."""
    score.main()
    expected = read_outputs()
    made: list[Path] = []

    def make_here(*arguments: object, where: object, **options: object) -> list[Path]:
        made.extend(make_files(*arguments, **options))  # type: ignore[arg-type]
        assert all(is_whole(path) for path in made)
        return made

    monkeypatch.setattr(recsys.scoring.score_parts, "make_files", make_here)
    params = Path("params.yaml").read_text()
    assert "cluster: none" in params
    Path("params.yaml").write_text(params.replace("cluster: none", "cluster: ray"))
    score.main()
    assert read_outputs() == expected
    assert len(made) == 7  # of two recommenders on two catalogues, and of one on three texts
    assert list(Path(".checkpoints").iterdir()) == []


def test_checkpoints_go_by_the_code_that_the_stage_imports() -> None:
    listed = {Path(path) for path in score.CODE}
    imported = {path for path in needed_by("rec_score") if path.parts[0] != "pipeline"}
    assert sorted(str(path) for path in imported if not any(covers(code, path) for code in listed)) == []
    assert {score.ROOT / path for path in listed} <= set(score.INPUTS)
