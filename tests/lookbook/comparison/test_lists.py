"""Two files of lists: differences of NDCG against a slow definition, and what equal and other users mean."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from lookbook.comparison.lists import compare_lists
from lookbook.comparison.significance import EQUAL
from pipeline.core.errors import UserError
from recsys.interchange.evaluate import Evaluation, evaluate
from recsys.interchange.reading import read_lists, read_purchases

USERS, ITEMS = 60, 25


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write purchases of 60 users, and two files of lists, the first of which often has what they buy."""
    rng = np.random.default_rng(4)
    train, test, lists = [], [], {"a": [], "b": []}
    for user in range(USERS):
        items = rng.permutation(ITEMS)
        train += [f"u{user}\t{item}\t1" for item in items[:5]]
        test += [f"u{user}\t{item}\t1" for item in items[5:8]]
        for name, share in (("a", 0.5), ("b", 0.3)):
            found = [item for item in items[5:8] if rng.random() < share] + list(items[8:14])
            shown = rng.permutation(found)[:5]
            lists[name] += [f"u{user}\t{item}\t{5 - rank}" for rank, item in enumerate(shown)]
    for name, lines in {"train": train, "test": test, **lists}.items():
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def score(shop: Path, name: str) -> Evaluation:
    train, test = (read_purchases(shop / f"{part}.tsv") for part in ("train", "test"))
    return evaluate(train, test, read_lists(shop / f"{name}.tsv"), [2, 5])


def read_rows(path: Path) -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        user, item, *_ = line.split("\t")
        rows.setdefault(user, []).append(item)
    return rows


def slow_parts(shop: Path, name: str, k: int) -> dict[tuple[str, str], float]:
    """Return what each hit adds to its user's NDCG@k, by user and item."""
    test, lists = read_rows(shop / "test.tsv"), read_rows(shop / f"{name}.tsv")
    parts = {}
    for user, bought in test.items():
        best = sum(1 / np.log2(rank + 2) for rank in range(min(k, len(bought))))
        for rank, item in enumerate(lists.get(user, [])[:k]):
            if item in bought:
                parts[user, item] = 1 / np.log2(rank + 2) / best
    return parts


@pytest.mark.parametrize("k", [2, 5])
def test_the_interval_is_that_of_a_slow_two_way_variance(shop: Path, k: int) -> None:
    row = next(row for row in compare_lists(score(shop, "a"), score(shop, "b"), [2, 5]) if row["metric"] == f"ndcg_{k}")
    a, b = slow_parts(shop, "a", k), slow_parts(shop, "b", k)
    cells = {key: a.get(key, 0) - b.get(key, 0) for key in a.keys() | b.keys()}
    total, relevant = sum(cells.values()), {item for items in read_rows(shop / "test.tsv").values() for item in items}

    def cluster(side: int, n: int) -> float:
        sums: dict[str, float] = {}
        for key, value in cells.items():
            sums[key[side]] = sums.get(key[side], 0) + value
        return (sum(value**2 for value in sums.values()) - total**2 / n) * n / (n - 1)

    users, items = cluster(0, USERS), cluster(1, len(relevant))
    both = sum(value**2 for value in cells.values()) - total**2 / USERS / len(relevant)
    error = max(users + items - both, users, items) ** 0.5 / USERS
    freedom = len({item for _, item in cells}) - 1
    assert (row["users"], row["items"], row["hit_items"]) == (USERS, len(relevant), freedom + 1)
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((sum(a.values()) / USERS, sum(b.values()) / USERS))
    assert row["difference"] == pytest.approx(total / USERS)
    margin = error * student.ppf(0.975, freedom)
    assert (row["low"], row["high"]) == pytest.approx((total / USERS - margin, total / USERS + margin))
    assert row["p"] == pytest.approx(2 * student.sf(abs(total / USERS) / error, freedom))
    assert row["p_holm"] >= row["p"]


def test_the_means_are_those_of_the_evaluation(shop: Path) -> None:
    a, b = score(shop, "a"), score(shop, "b")
    for row in compare_lists(a, b, [2, 5]):
        assert row["mean_a"] == pytest.approx(a.values[row["metric"]].mean())
        assert row["mean_b"] == pytest.approx(b.values[row["metric"]].mean())


def test_a_file_against_itself_is_exactly_equal_and_swapped_files_change_the_sign(shop: Path) -> None:
    a, b = score(shop, "a"), score(shop, "b")
    for row in compare_lists(a, a, [2, 5]):
        assert tuple(row[key] for key in EQUAL._fields) == EQUAL
    for row, other in zip(compare_lists(a, b, [2, 5]), compare_lists(b, a, [2, 5]), strict=True):
        assert (row["difference"], row["low"], row["p"]) == pytest.approx(
            (-other["difference"], -other["high"], other["p"])
        )


def test_only_users_with_a_list_in_both_count_also_where_files_list_unknown_items(shop: Path) -> None:
    """An item that neither train nor test has moves no number of the others."""
    before = compare_lists(score(shop, "a"), score(shop, "b"), [5])[0]
    lines = [line for line in (shop / "b.tsv").read_text().splitlines() if not line.startswith(("u1\t", "u2\t"))]
    (shop / "b.tsv").write_text("\n".join(lines) + "\nu1\tnew\t9\n")
    after = compare_lists(score(shop, "a"), score(shop, "b"), [5])[0]
    assert (before["users"], after["users"]) == (USERS, USERS - 1)
    a, b = slow_parts(shop, "a", 5), slow_parts(shop, "b", 5)
    expected = sum(value for (user, _), value in a.items() if user != "u2") / (USERS - 1)
    assert after["mean_a"] == pytest.approx(expected)
    assert after["mean_b"] == pytest.approx(sum(b.values()) / (USERS - 1))


def test_files_without_a_common_user_are_refused(shop: Path) -> None:
    for name, users in (("a", range(30)), ("b", range(30, USERS))):
        kept = [
            line for line in (shop / f"{name}.tsv").read_text().splitlines() if int(line.split("\t")[0][1:]) in users
        ]
        (shop / f"{name}.tsv").write_text("\n".join(kept) + "\n")
    with pytest.raises(UserError, match="no user with test purchases has a list in both files"):
        compare_lists(score(shop, "a"), score(shop, "b"), [5])
