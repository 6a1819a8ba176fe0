import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.recommenders import Options, vbpr
from tests.recsys.behaviour import OPTIONS, PersonalBehaviour, checkerboard, parity_features, shop


class TestVbpr(PersonalBehaviour):
    module = vbpr


def model_of(features: np.ndarray) -> vbpr.Vbpr:
    model = vbpr.Vbpr(60, features, Options(**OPTIONS), seed=1)
    with torch.no_grad():
        model.bias += torch.randn(len(model.bias), generator=torch.Generator().manual_seed(0))
        model.appeal += torch.randn(len(model.appeal), generator=torch.Generator().manual_seed(1))
    return model


@pytest.mark.parametrize("batch", [2, 60], ids=["rows gathered", "every item projected"])
def test_difference_is_that_of_the_papers_scores(batch: int) -> None:
    features = parity_features(90)
    model = model_of(features)
    random = np.random.default_rng(0)
    user, bought, other = (torch.from_numpy(random.integers(n, size=batch)) for n in (60, 90, 90))
    seen = torch.from_numpy(features) @ model.projection
    scores = model.bias + model.user @ model.item.T + model.taste @ seen.T + torch.from_numpy(features) @ model.appeal
    torch.testing.assert_close(
        model(user, bought, other)[0], scores[user, bought] - scores[user, other], rtol=1e-4, atol=1e-5
    )


def test_an_item_bought_once_is_ranked_by_its_features() -> None:
    """Item 0 has been bought by user 2 alone; the other even users should still want it before any odd item."""
    train = checkerboard().tolil()
    train[:, 0] = 0
    train[2, 0] = 1
    features = np.random.default_rng(0).normal(0, 0.1, (40, 6)).astype(np.float32)
    features[:, 0] += np.arange(40) % 2
    scores = vbpr.fit(train.tocsr(), Options(**OPTIONS), 1, features).scores(np.arange(4, 40, 2))
    assert (scores[:, 0] > scores[:, 1::2].max(1)).mean() > 0.9


def test_a_permutation_of_items_permutes_the_standardised_features() -> None:
    features = parity_features(90)
    order = np.random.default_rng(0).permutation(90)
    np.testing.assert_allclose(
        vbpr.standardised(features[order]), vbpr.standardised(features)[order], rtol=1e-4, atol=1e-6
    )


@settings(deadline=None, max_examples=30)
@given(scale=st.floats(0.01, 1000), shift=st.floats(-100, 100))
def test_the_extractors_scale_does_not_matter(scale: float, shift: float) -> None:
    features = np.random.default_rng(0).normal(size=(50, 5))
    moved = (features * scale + shift * scale).astype(np.float32)
    np.testing.assert_allclose(vbpr.standardised(moved), vbpr.standardised(features.astype(np.float32)), atol=1e-3)


def test_standardised_rows_have_unit_length_on_average_and_constants_vanish() -> None:
    features = np.hstack([parity_features(90), np.full((90, 2), 3.0, np.float32)])
    ready = vbpr.standardised(features)
    assert abs((ready**2).sum(1).mean() - 1) < 1e-5
    assert (ready[:, -2:] == 0).all()


def test_features_that_are_not_finite_are_refused() -> None:
    features = parity_features(90)
    features[4, 2] = np.nan
    with pytest.raises(ValueError, match="1 of 90 items"):
        vbpr.fit(shop(), Options(**OPTIONS), 1, features)
