"""1,000 trials each: how often a test finds a difference where there is none, how often intervals cover a true one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from captioning.interchange.caption_files import read_caption_file
from captioning.scores import bleu, meteor
from captioning.scores.reference_based import score_captions
from lookbook.comparison.captions import BLEU, METEOR
from lookbook.comparison.significance import CorpusMetric, paired_corpora, paired_means

TRIALS = 1000
CAPTIONS = Path(__file__).parents[2] / "golden" / "captions" / "coco_val_a.captions.json.gz"
ITEMS = ("rouge_l", "cider")


def bleu_4(sums: np.ndarray) -> np.ndarray:
    return bleu.bleu_from_statistics(sums)[..., 3]


CORPUS: dict[str, tuple[list[str], CorpusMetric]] = {
    "bleu_4": (BLEU, bleu_4),
    "meteor": (METEOR, meteor.meteor_from_statistics),
}


@pytest.fixture(scope="module")
def captioners(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores COCO captions by a model and by a person, which agree with other people's about equally well."""
    import gzip

    path = tmp_path_factory.mktemp("captions") / "captions.json"
    path.write_bytes(gzip.decompress(CAPTIONS.read_bytes()))
    captions, references, _ = read_caption_file(path)
    sets = {"model": captions, "person": {item: texts[0] for item, texts in references.items()}}
    others = {item: texts[1:] for item, texts in references.items()}
    items = score_captions(sets, others, None, metrics=("bleu", "meteor", "rouge_l", "cider")).items
    model, person = (
        items[items["set"].eq(name)].pivot(index="item_id", columns="metric", values="value") for name in sets
    )
    return model, person


def groups_of(items: int, rng: np.random.Generator) -> np.ndarray:
    """Return groups of one to eight items: (items,)."""
    return np.repeat(np.arange(items), rng.integers(1, 9, items))[:items]


def swap(a: np.ndarray, b: np.ndarray, coins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Swap two captioners where a trial's coin shows tails: (n, k), (n, k), (n, trials) -> (n, trials * k) twice."""
    heads = coins[:, :, None]
    first, second = (np.where(heads, x[:, None], y[:, None]) for x, y in ((a, b), (b, a)))
    return first.reshape(len(a), -1), second.reshape(len(a), -1)


@pytest.mark.slow
@pytest.mark.parametrize("coin", ["item", "group"])
def test_captions_swapped_by_a_fair_coin_seldom_differ(
    captioners: tuple[pd.DataFrame, pd.DataFrame], coin: str
) -> None:
    rng = np.random.default_rng(20)
    model, person = captioners
    groups = groups_of(len(model), rng)
    coins = rng.random((len(model), TRIALS)) < 0.5
    coins = coins if coin == "item" else coins[groups]
    for metric in ITEMS:
        a, b = swap(model[[metric]].to_numpy(), person[[metric]].to_numpy(), coins)
        estimates = paired_means(a, b, groups, 10_000, 1)
        assert 0.035 <= np.mean([estimate.p < 0.05 for estimate in estimates]) <= 0.065
    for columns, metric in CORPUS.values():
        k, fires = len(columns), []
        for start in range(0, TRIALS, 100):
            a, b = swap(model[columns].to_numpy(), person[columns].to_numpy(), coins[:, start : start + 100])
            trials = [(range(k * trial, k * trial + k), metric) for trial in range(100)]
            fires += [estimate.p < 0.05 for _, _, estimate in paired_corpora(a, b, groups, trials, 10_000, 1)]
        assert 0.035 <= np.mean(fires) <= 0.065


@pytest.mark.slow
def test_intervals_cover_the_true_difference_of_captions(captioners: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """A test set is 100 groups drawn from all groups of the captions; the truth is the difference on these."""
    rng = np.random.default_rng(21)
    model, person = captioners
    groups = groups_of(len(model), rng)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    columns = [*ITEMS, *BLEU, *METEOR]
    a, b = model[columns].to_numpy(), person[columns].to_numpy()
    truth = dict(zip(ITEMS, (a - b).mean(axis=0), strict=False))
    corpus = {name: ([columns.index(key) for key in keys], metric) for name, (keys, metric) in CORPUS.items()}
    truth |= {
        name: float(metric(a[:, at].sum(0)[None])[0] - metric(b[:, at].sum(0)[None])[0])
        for name, (at, metric) in corpus.items()
    }
    covered: dict[str, list[bool]] = {name: [] for name in truth}
    for trial in range(TRIALS):
        sample = [members[group] for group in rng.integers(0, len(members), 100)]
        rows, labels = np.concatenate(sample), np.repeat(np.arange(100), [len(group) for group in sample])
        estimates = dict(zip(ITEMS, paired_means(a[rows, :2], b[rows, :2], labels, 1000, trial), strict=True))
        corpora = paired_corpora(a[rows], b[rows], labels, list(corpus.values()), 1000, trial)
        estimates |= {name: estimate for name, (_, _, estimate) in zip(corpus, corpora, strict=True)}
        for name, estimate in estimates.items():
            covered[name].append(estimate.low <= truth[name] <= estimate.high)
    for name, hits in covered.items():
        assert 0.93 <= np.mean(hits) <= 0.97, name


def test_intervals_cover_a_mean_of_unequal_groups() -> None:
    """Skewed scores, and groups of one to eight items that have something in common."""
    rng = np.random.default_rng(9)
    groups = np.repeat(np.arange(100), rng.integers(1, 9, 100))
    common = rng.normal(0, 1, (100, TRIALS))[groups]
    scores = 0.3 + common + rng.exponential(1, common.shape) - 1
    estimates = paired_means(scores, np.zeros_like(scores), groups, 2000, 1)
    assert 0.93 <= np.mean([estimate.low <= 0.3 <= estimate.high for estimate in estimates]) <= 0.97


def test_under_the_null_one_in_twenty_fires() -> None:
    rng = np.random.default_rng(8)
    groups = np.repeat(np.arange(120), rng.integers(1, 9, 120))
    effect = rng.exponential(1, (len(groups), TRIALS)) + rng.normal(0, 1, (120, TRIALS))[groups]
    scores = effect * rng.choice([-1, 1], (120, TRIALS))[groups]
    estimates = paired_means(scores, np.zeros_like(scores), groups, 2000, 1)
    assert 0.035 <= np.mean([estimate.p < 0.05 for estimate in estimates]) <= 0.065
