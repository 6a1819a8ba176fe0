import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.core.errors import UserError
from recsys.purchases.dataset import dataset_of
from recsys.recommenders import mostpop
from tests.helpers import elliot
from tests.recsys.recommenders.contract import RUN, Behaviour, settings_of


class TestMostPop(Behaviour):
    module = mostpop

    def test_ties_go_to_the_lower_index(self) -> None:
        train = sp.csr_matrix(np.array([[0, 0, 1, 1], [0, 0, 1, 0], [1, 0, 0, 0]], dtype=np.float32))
        items, scores = self.lists(train, top=3)
        assert items.tolist() == [[0, 1, -1], [0, 3, 1], [2, 3, 1]]
        assert scores[2].tolist() == [2, 1, 0]

    @pytest.mark.parametrize("kind", ["pinned"])
    def test_lists_are_elliots(self, kind: str) -> None:
        reference = elliot.read(kind, "tiny", "MostPop")
        train = (reference.train() > 0).astype(np.float32)
        items, _ = self.lists(train)
        ours = {user: reference.items[row[row >= 0]].tolist() for user, row in zip(reference.users, items, strict=True)}
        # A user with fewer than 12 unseen items has no list in Elliot: it writes an empty one under another user's id.
        full = {user: row for user, row in ours.items() if len(row) == 12}
        assert len(full) == 47
        assert full == reference.lists

    def test_with_a_half_life_a_purchase_counts_half_after_it(self) -> None:
        train = sp.csr_matrix(np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]], dtype=np.float32))
        data = dataset_of(train, last_day=np.array([70, 100, 80, 90, 60], dtype=np.int32))
        scores = mostpop.fit(data, settings_of(mostpop, half_life_days=10.0), RUN).item
        assert scores == pytest.approx([1 / 8 + 1 / 4 + 1 / 16, 1, 1 / 2])
        assert mostpop.fit(data, settings_of(mostpop), RUN).item.tolist() == [3, 1, 1]

    def test_a_half_life_needs_days(self) -> None:
        with pytest.raises(UserError, match="half_life_days: the purchases have no days"):
            self.lists(sp.csr_matrix(np.eye(3, dtype=np.float32)), half_life_days=7.0)
