"""Vectors of words from pictures: what a caption has to beat, since they cost no captioner.

Everything is learned from items of the train split; of the other items nothing but the picture is read.
"""

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from features.files import Rows
from features.neighbours import find_nearest

PENALTIES = np.logspace(0, 5, 11)


def average_nearest(pictures: Rows, train_pictures: Rows, train_words: np.ndarray, k: int) -> np.ndarray:
    """Average the words of the k train items with the most similar pictures: (n, dim of the words) float32.

    Args:
        pictures: (n, dim of the pictures).
        train_pictures: (n_train, dim of the pictures).
        train_words: (n_train, dim of the words).
        k: how many; all train items where there are fewer.
    """
    nearest = find_nearest(pictures, train_pictures, k)
    total = np.zeros((len(nearest), train_words.shape[1]))
    for column in nearest.T:
        total += train_words[column]
    return (total / nearest.shape[1]).astype(np.float32)


def regress(
    pictures: Rows, train_pictures: Rows, train_words: np.ndarray, values: int, seed: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Predict the words of items from their pictures by ridge regression.

    Pictures are standardised over the train items. One penalty for all columns of the words, of PENALTIES, has the
    least squared error when each train item is left out in turn (scikit-learn's RidgeCV).

    Args:
        pictures: (n, dim of the pictures).
        train_pictures: (n_train, dim of the pictures).
        train_words: (n_train, dim of the words).
        values: items × columns of train pictures that are taken; where there are more, a random part of the items.
        seed: draws that part.

    Returns:
        (n, dim of the words) float32; the penalty, and how many items were taken.
    """
    chosen = choose_items(len(train_pictures), train_pictures.shape[1], values, seed)
    scaler = StandardScaler()
    inputs = scaler.fit_transform(train_pictures.take(chosen).astype(np.float64))
    model = RidgeCV(alphas=PENALTIES).fit(inputs, train_words[chosen].astype(np.float64))
    predicted = [model.predict(scaler.transform(block.astype(np.float64))) for _, block in pictures.blocks()]
    words = np.concatenate(predicted) if predicted else np.empty((0, train_words.shape[1]))
    return words.astype(np.float32), {"penalty": float(model.alpha_), "items": len(chosen)}


def choose_items(n: int, dim: int, values: int, seed: int) -> np.ndarray:
    """Choose as many of n items as have so many values, at least two, in their order: positions, int64.

    >>> choose_items(5, 10, 100, 0).tolist()
    [0, 1, 2, 3, 4]
    >>> len(choose_items(500, 10, 100, 0))
    10
    """
    most = max(2, values // dim)
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
