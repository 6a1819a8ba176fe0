from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from recsys import interactions
from recsys.dataset import read_split, restrict
from recsys.interactions import is_test

PURCHASES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 5)), min_size=1, max_size=60
)  # (user, day), in file order


def split(purchases: list[tuple[int, int]], test_share: float = 0.2, min_purchases: int = 2) -> np.ndarray:
    user, day = np.array(purchases).T
    return is_test(user, day, test_share, min_purchases)


@settings(deadline=None)
@given(purchases=PURCHASES, tenths=st.integers(1, 9), min_purchases=st.integers(2, 5))
def test_equal_to_the_rule_read_aloud(purchases: list[tuple[int, int]], tenths: int, min_purchases: int) -> None:
    test = split(purchases, tenths / 10, min_purchases)
    for user in range(7):
        own = [row for row, (buyer, _) in enumerate(purchases) if buyer == user]
        by_day = sorted(own, key=lambda row: (purchases[row][1], row))
        n_train = max(1, (10 - tenths) * len(own) // 10) if len(own) >= min_purchases else len(own)
        assert [bool(test[row]) for row in by_day] == [False] * n_train + [True] * (len(own) - n_train)


def test_four_fifths_rounded_down_are_train() -> None:
    for n, n_train in ((2, 1), (3, 2), (4, 3), (5, 4), (9, 7), (10, 8), (11, 8)):
        assert (~split([(0, day) for day in range(n)])).sum() == n_train


def test_a_user_with_one_purchase_is_entirely_in_train() -> None:
    """In the study ⌊0.8 · 1⌋ = 0: these users were entirely in test, where nothing can be recommended to them."""
    assert split([(0, 1), (1, 1), (1, 2)]).tolist() == [False, False, True]


def test_the_same_day_keeps_file_order_and_loses_nothing() -> None:
    """The study's sampler collapsed a user's purchases of one day into one."""
    assert split([(0, 4)] * 5).tolist() == [False, False, False, False, True]


def write_inputs(folder: Path, purchases: list[tuple[str, str, int]], items: dict[str, bool]) -> None:
    folder.mkdir(parents=True)
    table = pd.DataFrame(purchases, columns=["user_id", "item_id", "day"]).astype(
        {"day": "int32", "user_id": str, "item_id": str}
    )
    table.to_parquet(folder / "purchases.parquet")
    pd.DataFrame({"item_id": list(items), "original": list(items.values())}).to_parquet(folder / "items.parquet")


@pytest.fixture
def empty_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty study folder with the sample's params, as the working directory."""
    (tmp_path / "params.yaml").write_text((Path(__file__).parents[2] / "studies" / "sample.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


ITEMS = {"0000000001": True, "0000000002": False, "0000000003": True, "0000000004": True}
BASKET = [
    ("bea", "0000000003", 5),
    ("ann", "0000000001", 3),
    ("ann", "0000000002", 3),  # the same day
    ("ann", "0000000001", 3),  # and the same article once more
    ("ann", "0000000009", 1),  # no image
    ("ann", "0000000003", 9),
    ("ann", "0000000001", 9),
]


def test_files_hold_every_purchase_of_an_article_with_an_image(empty_study: Path) -> None:
    write_inputs(empty_study / "data/prepared", BASKET, ITEMS)
    interactions.main()
    folder = empty_study / "data/interactions"
    read = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("users", "items", "train", "test")}
    assert read["users"].to_dict("list") == {"user": [0, 1], "user_id": ["ann", "bea"]}
    assert read["items"].to_dict("list") == {
        "item": [0, 1, 2, 3],
        "item_id": list(ITEMS),
        "original": list(ITEMS.values()),
    }
    assert read["train"].to_numpy().tolist() == [[0, 0, 3], [0, 1, 3], [0, 0, 3], [0, 2, 9], [1, 2, 5]]
    assert read["test"].to_numpy().tolist() == [[0, 0, 9]]


def test_a_study_without_purchases(empty_study: Path) -> None:
    write_inputs(empty_study / "data/prepared", [], ITEMS)
    with pytest.raises(UserError, match=r"set `catalogues: \[\]` and `texts: \[\]`"):
        interactions.main()
    assert not (empty_study / "data/interactions").exists()
    params = (empty_study / "params.yaml").read_text()
    params = params.replace("catalogues:\n- original\n- all\n", "catalogues: []\n")
    head, _, tail = params.partition("texts:\n")
    (empty_study / "params.yaml").write_text(head + "texts: []\nrecommenders:" + tail.partition("recommenders:")[2])
    interactions.main()
    assert len(pd.read_parquet(empty_study / "data/interactions/train.parquet")) == 0


def test_purchases_of_other_articles_only_are_refused(empty_study: Path) -> None:
    write_inputs(empty_study / "data/prepared", [("ann", "108775015", 1)], ITEMS)
    with pytest.raises(UserError, match="none of 1 purchases"):
        interactions.main()


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 4)), min_size=1, max_size=60),
    st.sets(st.integers(0, 7)),
)
def test_no_purchase_changes_sides_between_catalogues(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]], own: set[int]
) -> None:
    items = pd.DataFrame({"item_id": [f"{i:010}" for i in range(8)], "original": [i in own for i in range(8)]})
    purchases = pd.DataFrame(rows, columns=["user", "item", "day"])
    purchases = interactions.with_image(
        pd.DataFrame(
            {
                "user_id": purchases["user"].map("u{}".format),
                "item_id": purchases["item"].map("{:010}".format),
                "day": purchases["day"],
            }
        ),
        items,
    )
    folder = tmp_path_factory.mktemp("interactions") / "split"
    interactions.write(
        folder, items, purchases, is_test(purchases["user"].to_numpy(), purchases["day"].to_numpy(), 0.2, 2)
    )
    whole = read_split(folder)
    everything, original = restrict(whole, "all"), restrict(whole, "original")
    pairs = {(everything.users[u], everything.items[i]) for u, i in zip(*everything.train.nonzero(), strict=True)}
    assert {(original.users[u], original.items[i]) for u, i in zip(*original.train.nonzero(), strict=True)} == {
        (u, i) for u, i in pairs if i in own
    }
    assert original.items.tolist() == everything.items[everything.common].tolist()
    assert set(original.users) <= set(everything.users)
    assert len(whole.train) + len(whole.test) == len(rows)
    assert original.item_ids == [f"{i:010}" for i in original.items]
    assert (everything.train.data == 1).all()
