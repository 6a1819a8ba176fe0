"""Which customers can be chosen: those of a slice, and those drawn from who has a list."""

import pandas as pd

from lookbook.views.customers import draw_user, list_listed, list_slices, read_slice
from lookbook.views.people import Ranking, read_list
from lookbook.views.study import Study

WARM = Ranking("warm", "vbpr-sbert", "masked-ft")
ARRIVALS = Ranking("arrivals", "vbpr-sbert", "tiny-llava-ft")


def test_slices_hold_the_customers_of_the_scores(viewed: Study) -> None:
    rows = pd.read_parquet(viewed.root / "data/scores/recommendation_slices.parquet")
    assert list_slices(viewed) == ["cold_users", "warm_users"]
    for name, own in rows.groupby("slice"):
        assert read_slice(viewed, str(name)).to_list() == sorted(own["user"].unique())
    assert read_slice(viewed, "no such slice").is_empty()


def test_every_customer_that_is_drawn_has_a_list(viewed: Study) -> None:
    for ranking in (WARM, ARRIVALS):
        users = list_listed(viewed, ranking)
        drawn = {draw_user(users, number) for number in range(200)}
        assert drawn <= set(users.to_list())
        assert len(drawn) > 5
        assert all(read_list(viewed, ranking, 0, user) for user in drawn if user is not None)
    assert draw_user(users.head(0), 1) is None
