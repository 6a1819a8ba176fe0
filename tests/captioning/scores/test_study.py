from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from captioning.scores.study import choose_wrong_items

GROUPS = st.lists(st.integers(0, 8), max_size=40).map(
    lambda groups: {f"{index:03}": group for index, group in enumerate(groups)}
)


@given(GROUPS)
def test_every_item_gets_one_of_another_group_and_each_is_taken_once(groups):
    donors = choose_wrong_items(groups)
    possible = bool(groups) and 2 * max(Counter(groups.values()).values()) <= len(groups)
    assert bool(donors) == possible
    if donors:
        assert sorted(donors) == sorted(donors.values()) == sorted(groups)
        assert all(groups[item] != groups[donor] for item, donor in donors.items())


@given(GROUPS, st.randoms())
def test_the_order_of_the_items_does_not_matter(groups, random):
    shuffled = list(groups.items())
    random.shuffle(shuffled)
    assert choose_wrong_items(dict(shuffled)) == choose_wrong_items(groups)
