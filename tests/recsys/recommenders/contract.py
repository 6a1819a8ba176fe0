"""What every recommender does: the tests that each one's test class inherits, and the data they run on."""

from dataclasses import replace
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse as sp

from features.files import Rows, all_rows
from pipeline.core.errors import UserError
from pipeline.core.params import REFERENCE, load
from recsys.graphs.modalities import divide_arrivals
from recsys.purchases.dataset import dataset_of
from recsys.ranking.recommend import recommend
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run

SMALL = {"neighbourhood": "standard", "factors": 8, "epochs": 15, "batch_size": 64, "learning_rate": 0.05}
RUN = Run(seed=1, top_k=12)


def settings_of(module: ModuleType, **changes: Any) -> Any:
    """The module's section of studies/sample.yaml with the values for small data, and with these changes."""
    section = load(REFERENCE)["rec_fit"][module.__name__.rpartition(".")[2]]
    small = {key: value for key, value in SMALL.items() if key in section}
    return module.Settings(**(section | small | changes))


def checkerboard(n: int = 40) -> sp.csr_matrix:
    """User u has bought the items of its own parity, except item u: the one that is left is the right answer."""
    board = np.add.outer(np.arange(n), np.arange(n)) % 2 == 0
    np.fill_diagonal(board, False)
    return sp.csr_matrix(board, dtype=np.float32)


def shop(n_users: int = 60, n_items: int = 90, seed: int = 5) -> sp.csr_matrix:
    """Purchases of popular items, at least one a user."""
    random = np.random.default_rng(seed)
    chance = np.clip(random.pareto(2, n_items) * 0.12, 0.02, 0.6)
    bought = random.random((n_users, n_items)) < chance
    bought[np.arange(n_users), random.integers(n_items, size=n_users)] = True
    return sp.csr_matrix(bought, dtype=np.float32)


def parity_features(n_items: int, dim: int = 6) -> np.ndarray:
    """Features that tell the parity of an item, and noise: (n_items, dim) float32."""
    features = np.random.default_rng(7).normal(size=(n_items, dim)).astype(np.float32)
    features[:, 0] = np.arange(n_items) % 2
    return features


class Behaviour:
    """Set `module`."""

    module: ClassVar[ModuleType]

    def lists(
        self, train: sp.csr_matrix, seed: int = 1, top: int = 12, **changes: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        features = all_rows(parity_features(train.shape[1])) if self.module.NEEDS_FEATURES else None
        settings, run = settings_of(self.module, **changes), Run(seed, top_k=12)
        scorer = self.module.fit(dataset_of(train), settings, run, features)
        return recommend(scorer, train, top, {"all": np.ones(train.shape[1], dtype=bool)})["all"]

    def test_a_list_has_twelve_different_unseen_items_best_first(self) -> None:
        train = shop()
        items, scores = self.lists(train)
        assert items.shape == (60, 12)
        assert all(len(set(row)) == 12 for row in items.tolist())
        assert not train[np.repeat(np.arange(60), 12), items.ravel()].any()
        assert (np.diff(scores, axis=1) <= 0).all()

    def test_the_same_seed_gives_the_same_lists(self) -> None:
        first, second = self.lists(shop()), self.lists(shop())
        assert (first[0] == second[0]).all()
        assert (first[1] == second[1]).all()

    def test_another_seed_gives_other_lists_exactly_where_the_module_says_so(self) -> None:
        differ = bool((self.lists(shop(), seed=1)[0] != self.lists(shop(), seed=2)[0]).any())
        assert differ == self.module.SEEDED

    def test_the_purchases_are_not_changed(self) -> None:
        train = shop()
        before = train.copy()
        self.lists(train)
        assert (train != before).nnz == 0

    def test_a_user_who_has_bought_everything_has_an_empty_list(self) -> None:
        bought = shop().toarray()
        bought[3] = 1
        items, _ = self.lists(sp.csr_matrix(bought))
        assert (items[3] == -1).all()
        assert (items[4] >= 0).all()


class ColdBehaviour:
    """Of recommenders that rank items which nobody has bought. Set `module`."""

    module: ClassVar[ModuleType]
    changes: ClassVar[dict[str, Any]] = {}

    def test_an_item_that_was_not_in_the_fit_is_ranked_by_its_features(self) -> None:
        """Users buy the items of their own parity; of a new item of each parity, their own scores more."""
        train, features = checkerboard(), parity_features(60)
        features[:, 0] = 20 * (np.arange(60) % 2)
        fitted = self.fit_on(train, features[:40])
        vectors, bias = self.module.project(fitted.learned, all_rows(features[40:]))
        scores = fitted.user @ vectors.T + bias
        own = np.add.outer(np.arange(40), np.arange(40, 60)) % 2 == 0
        pairs = [np.greater.outer(row[mine], row[~mine]) for row, mine in zip(scores, own, strict=True)]
        assert np.mean(pairs) > 0.95

    def test_new_items_do_not_depend_on_one_another(self) -> None:
        features = parity_features(60)
        fitted = self.fit_on(checkerboard(), features[:40])
        every = self.module.project(fitted.learned, all_rows(features[40:]))
        for item in (0, 7):
            alone = self.module.project(fitted.learned, all_rows(features[[40 + item]]))
            np.testing.assert_allclose(alone.vectors[0], every.vectors[item], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(alone.bias[0], every.bias[item], rtol=1e-5, atol=1e-6)

    def fit_on(self, train: sp.csr_matrix, features: np.ndarray) -> Factors:
        assert self.module.RANKS_COLD
        return self.module.fit(dataset_of(train), settings_of(self.module, **self.changes), RUN, all_rows(features))


class PersonalBehaviour(Behaviour):
    """Of recommenders that know a user's taste."""

    def test_the_square_that_is_left_on_the_checkerboard_comes_first(self) -> None:
        items, _ = self.lists(checkerboard(), top=1)
        assert (items[:, 0] == np.arange(40)).all()


def fit_on_features(module: ModuleType, features: np.ndarray, **changes: object) -> Factors:
    """Fit on the shop with as many items as there are features: (n_items, dim)."""
    settings = settings_of(module, **({"epochs": 3} | changes))
    return module.fit(dataset_of(shop(n_items=len(features))), settings, RUN, all_rows(features))


def fit_on_rows(module: ModuleType, rows: Rows, **changes: object) -> Factors:
    """Fit on the shop with these features of its items."""
    settings = settings_of(module, **({"epochs": 3} | changes))
    return module.fit(dataset_of(shop(n_items=len(rows))), settings, RUN, rows)


def pictures_and_words(seed: int = 3) -> Rows:
    """4 columns of pictures and 3 of words of 90 items; 4, 81 and 82 have no words, 9 and 82 no picture."""
    values = np.random.default_rng(seed).normal(size=(90, 7)).astype(np.float32)
    values[[4, 81, 82], 4:] = 0
    values[[9, 82], :4] = 0
    return replace(all_rows(values), n_pictures=4)


class ModalitiesBehaviour:
    """Of recommenders on graphs, on features of pictures and words. Set `module`."""

    module: ClassVar[ModuleType]

    def fit_both(self) -> Factors:
        return fit_on_rows(self.module, pictures_and_words(), **({"neighbours": 4} if self.has_neighbours else {}))

    @property
    def has_neighbours(self) -> bool:
        return "neighbours" in self.module.Settings.model_fields

    def test_pictures_and_words_are_two_modalities(self) -> None:
        fitted = self.fit_both()
        parts = divide_arrivals(fitted.learned, all_rows(np.zeros((2, 7), np.float32)))
        assert {name: part.shape for name, part in parts.items()} == {"image": (2, 4), "text": (2, 3)}
        assert not any(name.startswith("content") for name in fitted.learned)
        assert np.isfinite(fitted.user).all()
        assert np.isfinite(fitted.item).all()

    @pytest.mark.parametrize(("lacking", "others"), [("image", "text"), ("text", "image")])
    def test_an_arrival_is_ranked_by_the_modality_that_it_has(self, lacking: str, others: str) -> None:
        """What was learned of the one that it lacks changes nothing, what was learned of the other does."""
        learned = self.fit_both().learned
        values = pictures_and_words(seed=8).take(np.array([0, 1, 2, 3, 5]))
        values[:, slice(4) if lacking == "image" else slice(4, 7)] = 0
        before = self.module.project(learned, all_rows(values)).vectors
        assert np.isfinite(before).all()
        assert before.any(1).all()
        for name, changes in ((lacking, False), (others, True)):
            random = np.random.default_rng(1)
            scrambled = {
                key: random.permuted(array) if key.startswith(f"{name}.") else array for key, array in learned.items()
            }
            after = self.module.project(scrambled, all_rows(values)).vectors
            assert np.array_equal(after, before) != changes

    def test_an_arrival_with_neither_has_no_score(self) -> None:
        assert not self.module.project(self.fit_both().learned, all_rows(np.zeros((2, 7), np.float32))).vectors.any()

    def test_words_that_are_read_apart_change_what_is_learned(self) -> None:
        rows = pictures_and_words()
        one = fit_on_rows(self.module, replace(rows, n_pictures=0))
        assert not np.array_equal(one.item, self.fit_both().item)


class FeaturesBehaviour:
    """Of recommenders on graphs that read features. Set `module`."""

    module: ClassVar[ModuleType]

    def test_items_without_features_leave_finite_factors(self) -> None:
        features = parity_features(60)
        features[:6] = 0
        fitted = fit_on_features(self.module, features)
        assert np.isfinite(fitted.user).all()
        assert np.isfinite(fitted.item).all()

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_features_that_are_no_numbers_are_refused_by_item(self, value: float) -> None:
        features = parity_features(60)
        features[7, 2] = value
        with pytest.raises(UserError, match="1 of 60 items have features that are not finite, first 7"):
            fit_on_features(self.module, features)


class NeighboursBehaviour(FeaturesBehaviour):
    """Of those with a graph of items that are alike by their features."""

    def test_an_arrival_without_features_has_no_score(self) -> None:
        fitted = fit_on_features(self.module, parity_features(60))
        vectors, _ = self.module.project(fitted.learned, all_rows(np.zeros((2, 6), np.float32)))
        assert not vectors.any()

    def test_more_neighbours_than_items_are_all_items(self) -> None:
        fitted = fit_on_features(self.module, parity_features(30), neighbours=500, epochs=1)
        assert np.isfinite(fitted.item).all()
