"""Lists of customers: moves, hits, words, and the ranking of arrivals against the ranks that contributions imply."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lookbook.views import people
from lookbook.views.people import Ranking, compare_lists, list_rankings, read_effects, read_history, read_list
from lookbook.views.study import Study, open_study
from pipeline.core.errors import UserError

FT = Ranking("arrivals", "vbpr-sbert", "tiny-llava-ft")
PT = FT._replace(arm="tiny-llava-pt")
PARTS = ("train", "test")


def test_a_list_of_arrivals_has_the_hits_that_the_stage_recorded(viewed: Study) -> None:
    """A hit at rank r contributes 1 / log2(r + 1) over the ideal: the app's own ranking must put it there."""
    folder = viewed.root / "data/arrivals/ranked/vbpr-sbert"
    hits = pd.read_parquet(folder / "contributions.parquet")
    counts = pd.read_parquet(folder / "users.parquet").set_index("user")["relevant"]
    ids = people.read_item_ids(viewed)
    own = hits[(hits["source"] == FT.arm) & (hits["run"] == 1)]
    assert len(own) > 20
    for row in own.itertuples():
        ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(counts[row.user], 12) + 1))
        rank = read_list(viewed, FT, 1, row.user).index(ids[row.item]) + 1
        assert row.contribution == pytest.approx(1 / np.log2(rank + 1) / ideal)


def test_effects_are_the_differences_of_ndcg(viewed: Study) -> None:
    hits = pd.read_parquet(viewed.root / "data/arrivals/ranked/vbpr-sbert/contributions.parquet")
    sums = hits.groupby(["source", "user"], observed=True)["contribution"].sum().unstack("source").fillna(0) / 3
    expected = (sums[FT.arm] - sums[PT.arm]).sort_values(ascending=False)
    effects = read_effects(viewed, FT, PT)
    assert effects["difference"][0] == pytest.approx(expected.iloc[0])
    assert effects["difference"].is_sorted(descending=True)
    assert dict(effects.select("user", "difference").iter_rows())[0] == pytest.approx(expected.get(0, 0.0))


def test_lists_may_have_another_length_than_twelve(viewed: Study, tmp_path: Path) -> None:
    root = tmp_path / "study"
    shutil.copytree(viewed.root, root)
    folder, path = root / "data/arrivals/ranked/vbpr-sbert", root / "data/scores/recommendations.parquet"
    factors = json.loads((folder / "factors.json").read_text())
    (folder / "factors.json").write_text(json.dumps(factors | {"k": 9}))
    scores = pd.read_parquet(path).rename(columns={"ndcg_12": "ndcg_10"}).assign(ndcg_5=2.0)
    scores.to_parquet(path, index=False)
    study, warm = open_study(root), Ranking("warm", "vbpr-sbert", "masked-ft")
    assert len(read_list(study, FT, 0, 3)) == people.find_cutoff(study, FT) == 9
    assert people.find_cutoff(study, warm) == 10
    own = scores[scores["arm"] == "masked-ft"].groupby("user")["ndcg_10"].mean()
    effects = read_effects(study, warm, warm._replace(arm="masked-pt"))
    assert dict(effects.select("user", "a").iter_rows()) == pytest.approx(own.to_dict())


def test_scores_of_no_lists_name_the_stage_that_scores(viewed: Study, tmp_path: Path) -> None:
    root = tmp_path / "study"
    shutil.copytree(viewed.root, root)
    pd.DataFrame({"user": []}).to_parquet(root / "data/scores/recommendations.parquet")
    with pytest.raises(UserError, match="no scores of these lists; run `dvc repro rec_score`"):
        people.find_cutoff(open_study(root), Ranking("warm", "vbpr-sbert", "masked-ft"))


def test_moves_of_two_lists_mirror_each_other(viewed: Study) -> None:
    first, second = compare_lists(viewed, (FT, PT), 0, 3)
    ranks = {place.item_id: place for place in second}
    assert len(first) == len(second) == 12
    for place in first:
        assert place.moved == (ranks[place.item_id].rank - place.rank if place.item_id in ranks else None)
        assert place.text is not None
        assert place.text.endswith("by tiny-llava-ft")


def test_a_warm_list_is_the_stored_one_with_the_words_of_its_arm(viewed: Study) -> None:
    ranking = Ranking("warm", "vbpr-sbert", "masked-ft")
    table = pd.read_parquet(viewed.root / "data/recommendations/masked-ft/vbpr-sbert.parquet")
    own = table[(table["user"] == 5) & (table["run"] == 1)].sort_values("rank")
    ids = people.read_item_ids(viewed)
    assert read_list(viewed, ranking, 1, 5) == [ids[item] for item in own["item"]]
    first, _ = compare_lists(viewed, (ranking, ranking._replace(arm="masked-pt")), 1, 5)
    assert all(place.text.endswith("by masked-ft") for place in first if place.text)
    bought = set(people.read_bought(viewed, ranking, 5))
    assert [place.hit for place in first] == [place.item_id in bought for place in first]


def test_a_history_is_newest_first_and_has_each_garment_once(viewed: Study) -> None:
    train = pd.read_parquet(viewed.root / "data/interactions/train.parquet")
    own = train[train["user"] == 4].sort_values("day", ascending=False, kind="stable").drop_duplicates("item")
    warm = Ranking("warm", "vbpr-sbert", "all")  # a list of all articles
    assert set(read_history(viewed, warm, 4)) == {people.read_item_ids(viewed)[item] for item in own["item"]}
    assert len(read_history(viewed, warm, 4)) == len(own)


def test_the_history_of_a_list_of_arrivals_has_no_arrival(viewed: Study) -> None:
    """Their purchases leave train, so the list was not made of them."""
    train = pd.read_parquet(viewed.root / "data/interactions/train.parquet")
    items = pd.read_parquet(viewed.root / "data/interactions/items.parquet").set_index("item")
    arrivals = set(pd.read_parquet(viewed.root / "data/arrivals/ranked/vbpr-sbert/arrivals.parquet")["item_id"])
    some = False
    for user in train["user"].unique():
        own = {items["item_id"][item] for item in train.loc[train["user"] == user, "item"] if items["original"][item]}
        some = some or bool(own & arrivals)
        assert set(read_history(viewed, FT, user)) == own - arrivals
    assert some


def test_what_is_there_can_be_chosen(viewed: Study) -> None:
    assert list_rankings(viewed, "warm") == {"vbpr-sbert": ["masked-ft", "masked-pt", "original"]}
    assert FT.arm in list_rankings(viewed, "arrivals")["vbpr-sbert"]
    assert read_list(viewed, FT, 0, 10_000) == []


def test_among_arrivals_a_list_should_hold_the_arrivals_that_were_bought(viewed: Study) -> None:
    arrivals = set(pd.read_parquet(viewed.root / "data/arrivals/ranked/vbpr-sbert/arrivals.parquet")["item_id"])
    bought = pd.concat([pd.read_parquet(viewed.root / f"data/interactions/{name}.parquet") for name in PARTS])
    ids = people.read_item_ids(viewed)
    own = {ids[item] for item in bought.loc[bought["user"] == 4, "item"]}
    assert own - arrivals, "the customer bought others, too"
    assert set(people.read_bought(viewed, FT, 4)) == own & arrivals
    assert people.find_unreachable(viewed, FT, 4, sorted(own)) == set()


@pytest.fixture
def split_study(viewed: Study, tmp_path: Path) -> Study:
    """Return a study whose catalogues were split alone, of which `original` has two purchases of one customer."""
    shutil.copytree(viewed.root, tmp_path / "study")
    data = tmp_path / "study/data/interactions"
    items = pd.read_parquet(data / "items.parquet").assign(original=lambda table: table["item"] != 9)
    items.to_parquet(data / "items.parquet", index=False)
    rows = {"train": [(4, 1), (5, 2), (5, 9)], "test": [(4, 2), (4, 1), (4, 3), (4, 9)]}
    for catalogue in ("original", "all"):
        (data / "published" / catalogue).mkdir(parents=True)
        for name, purchases in rows.items():
            table = pd.DataFrame(purchases, columns=["user", "item"]).assign(day=1).astype("int32")
            table.to_parquet(data / "published" / catalogue / f"{name}.parquet", index=False)
    write_augmented_lists(tmp_path / "study", ["all"])
    return open_study(tmp_path / "study")


def write_augmented_lists(root: Path, pools: Sequence[str]) -> None:
    """Write the lists of the arm `augmented` as those of `masked-ft`, once for each pool of candidates."""
    lists = pd.read_parquet(root / "data/recommendations/masked-ft/vbpr-sbert.parquet")
    lists = lists.assign(candidates=lists["candidates"].astype(str))
    parts = [lists.assign(candidates=pool, item=(lists["item"] + place) % 60) for place, pool in enumerate(pools)]
    (root / "data/recommendations/augmented").mkdir()
    pd.concat(parts).to_parquet(root / "data/recommendations/augmented/vbpr-sbert.parquet", index=False)


def test_a_catalogue_that_was_split_alone_has_its_own_purchases(split_study: Study) -> None:
    ranking, ids = Ranking("warm", "vbpr-sbert", "masked-ft"), people.read_item_ids(split_study)
    assert read_history(split_study, ranking, 4) == [ids[1]]
    bought = people.read_bought(split_study, ranking, 4)
    assert bought == [ids[2], ids[1], ids[3], ids[9]]
    # bought by the customer in training; by nobody; not in the catalogue original
    assert people.find_unreachable(split_study, ranking, 4, bought) == {ids[1], ids[3], ids[9]}
    augmented = ranking._replace(arm="augmented")
    assert people.find_unreachable(split_study, augmented, 4, bought) == {ids[1], ids[3]}


def test_effects_and_purchases_are_those_of_the_lists_that_are_shown(viewed: Study, tmp_path: Path) -> None:
    """A list of the catalogue `all` is shown as ranked among what it has in common with `original`."""
    root = tmp_path / "study"
    shutil.copytree(viewed.root, root)
    write_augmented_lists(root, ["original", "all"])
    path = root / "data/scores/recommendations.parquet"
    own = pd.read_parquet(path).query("arm == 'masked-ft'").assign(arm="augmented")
    own["ndcg_12_common"] = np.where(own["user"] == 7, np.nan, own["user"] / 100)
    other = pd.read_parquet(path).query("arm == 'original' and user != 7").assign(ndcg_12_common=0.0)
    pd.concat([own, other]).to_parquet(path, index=False)
    study, warm = open_study(root), Ranking("warm", "vbpr-sbert", "augmented")
    assert read_list(study, warm, 1, 5) == read_list(study, warm._replace(arm="masked-ft"), 1, 5)
    effects = dict(read_effects(study, warm, warm._replace(arm="original")).select("user", "difference").iter_rows())
    assert effects == pytest.approx({user: user / 100 for user in own["user"] if user != 7})  # who bought nothing of it
    items = pd.read_parquet(root / "data/interactions/items.parquet")
    not_original = set(items.loc[~items["original"], "item_id"])
    assert not_original
    assert people.find_unreachable(study, warm, 5, sorted(not_original)) == not_original


def test_the_table_of_two_lists_has_every_place(viewed: Study) -> None:
    lists = compare_lists(viewed, (FT, PT), 0, 3)
    table = people.make_table(lists)
    assert table.columns == ["list", "item_id", "rank", "hit", "moved", "text", "source"]
    assert table["list"].to_list() == ["A"] * 12 + ["B"] * 12
    assert table["item_id"].to_list() == [place.item_id for places in lists for place in places]
