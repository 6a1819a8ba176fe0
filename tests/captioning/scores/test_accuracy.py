from pathlib import Path

import numpy as np
import pytest

from captioning.classifiers.logistic import fit, save, zero_shot
from captioning.scores.accuracy import classify, compare, count_confusions
from features import sentences
from features.sentences import encode
from pipeline.core.errors import UserError

TRAINING = {
    "Trousers": ["slim trousers with a zip fly", "wide trousers in twill", "stretch trousers with side pockets"],
    "Dress": ["long dress in crepe", "sleeveless dress with a round neck", "knee-length dress"],
    "Boots": ["leather boots with chunky soles", "ankle boots with laces", "high boots in suede"],
}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    texts = [(text, category) for category, group in TRAINING.items() for text in group]
    save(folder, fit(encode([text for text, _ in texts]), [category for _, category in texts], 10.0))
    return folder


def test_zero_or_one_per_caption_in_order(classifier: Path) -> None:
    captions = ["wide blue trousers", "a long red dress", "brown leather boots", "wide blue trousers"]
    predicted, nearest = classify(captions, classifier)
    assert predicted == ["Trousers", "Dress", "Boots", "Trousers"]
    table = compare(["Trousers", "Dress", "Boots", "Dress"], predicted, nearest)
    assert list(table.columns) == ["accuracy", "accuracy_zero_shot"]
    assert table.to_numpy().tolist() == [[1, 1], [1, 1], [1, 1], [0, 0]]


def test_empty_captions_get_a_score_and_unknown_categories_are_wrong(classifier: Path) -> None:
    table = compare(["Boots", "Hat"], *classify(["", "a felt hat"], classifier))
    assert table.notna().all().all()
    assert table.iloc[1].tolist() == [0, 0]


def test_confusions_count_every_pair_that_occurs() -> None:
    table = count_confusions(["Dress", "Boots", "Dress", "Dress"], ["Dress", "Dress", "Boots", "Dress"])
    assert table.to_numpy().tolist() == [["Boots", "Dress", 1], ["Dress", "Boots", 1], ["Dress", "Dress", 2]]
    assert count_confusions([], []).empty


def test_the_same_on_every_call(classifier: Path) -> None:
    """The study scored with dropout on: the same caption got different categories."""
    words = ["of", "a", "thing", "that", "is", "hard", "to", "place", "anywhere", "at", "all"]
    captions = [f"caption {word}" for word in words] * 5
    assert classify(captions, classifier) == classify(captions, classifier)
    assert not sentences.load_sentence_model(sentences.MINILM).training


def test_zero_shot_is_the_nearest_name() -> None:
    names = ["Trousers", "Dress", "Boots"]
    vectors = encode(["dress", "boots", "a pair of trousers"])
    distances = ((vectors[:, None] - encode([name.lower() for name in names])[None]) ** 2).sum(axis=2)
    assert (
        zero_shot(vectors, names)
        == [names[best] for best in np.argmin(distances, axis=1)]
        == ["Dress", "Boots", "Trousers"]
    )


def test_a_missing_classifier_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dvc repro caption_classifier"):
        classify(["a dress"], tmp_path / "classifier")
