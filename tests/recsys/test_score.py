import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UserError
from recsys import fit, score
from recsys.dataset import Catalogue, Split, read_split, restrict
from tests.recsys.study import small_study

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
image_features: []
text_features:
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
    wanted = {
        "ndcg_12": slow_ndcg(split, arm, recommender, catalogue, everything),
        "ndcg_12_common": slow_ndcg(split, arm, recommender, "original", everything),
        "ndcg_masked_12": slow_ndcg(split, arm, recommender, "original", masked),
    }
    for column, values in wanted.items():
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
        + "catalogues: []\ntexts: []\nrecommenders: []\nimage_features: []\ntext_features: []\n"
    )
    score.main()
    assert json.loads(Path("metrics/recommendations.json").read_text()) == {}
    assert list(per_user().columns) == ["arm", "recommender", "run", "user"]
