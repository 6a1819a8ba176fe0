"""A BERT with random weights, built here: it learns, and predicts without dropout."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

from captioning import classifier
from captioning.classifiers import encoder
from captioning.classifiers.encoder import SequenceClassifier, fit
from captioning.classifiers.logistic import load
from captioning.classifiers.settings import CaptionClassifier
from captioning.scores import accuracy
from pipeline.core.errors import UserError

ROOT = Path(__file__).parents[3]
SETTINGS = CaptionClassifier(
    encoder="tiny-bert", regularisation=1.0, epochs=8, patience=5, lr=5e-3, batch_size=8, max_tokens=16, seed=1
)
NOUNS = {
    "Boots": ["boots", "soles", "laces"],
    "Dress": ["dress", "gown", "frock"],
    "Trousers": ["trousers", "jeans", "fly"],
}
FILLERS = ["soft", "long", "short", "blue", "red", "with", "in", "and", "cotton", "lined"]


def texts(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Write texts in which a word names the category; return them and their categories."""
    rng = np.random.default_rng(seed)
    categories = [list(NOUNS)[number % 3] for number in range(count)]
    captions = []
    for category in categories:
        words = [*rng.choice(FILLERS, 4), rng.choice(NOUNS[category])]
        rng.shuffle(words)
        captions.append(" ".join(words))
    return captions, categories


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a masked language model and its tokenizer as on the hub, with enough dropout to be seen where it is on."""
    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts(300, 0)[0], trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, special.index(name)) for name in ("[CLS]", "[SEP]")]
    )
    BertTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), initializer_range=0.1,
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, max_position_embeddings=32,
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, classifier_dropout=0.3,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def fitted(bert: Path) -> SequenceClassifier:
    return fit(bert, texts(120, 1), texts(30, 2), SETTINGS)


@pytest.mark.slow
def test_learns_what_training_texts_say(fitted: SequenceClassifier) -> None:
    captions, categories = texts(60, 3)
    assert fitted.categories == ("Boots", "Dress", "Trousers")
    assert np.mean([a == b for a, b in zip(fitted.predict(captions), categories, strict=True)]) > 0.95


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(bert: Path, fitted: SequenceClassifier) -> None:
    again = fit(bert, texts(120, 1), texts(30, 2), SETTINGS)
    for name, weight in again.model.state_dict().items():
        assert torch.equal(weight, fitted.model.state_dict()[name]), name
    other = fit(bert, texts(120, 1), texts(30, 2), SETTINGS.model_copy(update={"seed": 2}))
    assert not torch.equal(other.model.classifier.weight, fitted.model.classifier.weight)


def test_a_process_has_one_gpu_however_many_it_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainer would make batches for all of them: another batch size at the same learning rate."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    arguments = encoder._arguments(str(tmp_path), SETTINGS, "cuda")
    assert (arguments.n_gpu, arguments.train_batch_size) == (1, SETTINGS.batch_size)


def test_dropout_is_off_while_scoring(fitted: SequenceClassifier) -> None:
    """The study scored in training mode: the same caption got different categories."""
    captions = texts(40, 4)[0]
    fitted.model.train()
    first = fitted.logits(captions)
    fitted.model.train()
    assert np.array_equal(fitted.logits(captions), first)


@torch.no_grad()
def test_logits_are_those_of_the_model_one_text_at_a_time(fitted: SequenceClassifier) -> None:
    captions = [*texts(20, 5)[0], "", "boots " * 40, "…|||\n👗"]
    logits = fitted.logits(captions)
    for text, row in zip(captions, logits, strict=True):
        tokens = fitted.tokenizer(text, truncation=True, max_length=16, return_tensors="pt")
        np.testing.assert_allclose(row, fitted.model(**tokens).logits[0].numpy(), atol=1e-5)


def test_negative_logits_are_compared_as_they_are(fitted: SequenceClassifier) -> None:
    """The study put a ReLU on the logits: where all were negative, the first category won."""
    captions = texts(30, 6)[0]
    expected = fitted.predict(captions)
    with torch.no_grad():
        fitted.model.classifier.bias -= 100
    try:
        assert (fitted.logits(captions) < 0).all()
        assert fitted.predict(captions) == expected
        assert len(set(expected)) == 3
    finally:
        with torch.no_grad():
            fitted.model.classifier.bias += 100


def test_the_epoch_with_the_best_validation_loss_is_chosen(bert: Path, fitted: SequenceClassifier) -> None:
    """Validated by wrong categories, it gets worse the more it learns: the first epoch is the best, and is chosen."""
    captions, categories = texts(30, 2)
    wrong = captions, [list(NOUNS)[(list(NOUNS).index(category) + 1) % 3] for category in categories]
    stopped = fit(bert, texts(120, 1), wrong, SETTINGS.model_copy(update={"patience": 1}))

    def loss(model: SequenceClassifier) -> float:
        labels = torch.tensor([model.categories.index(category) for category in wrong[1]])
        return float(torch.nn.functional.cross_entropy(torch.from_numpy(model.logits(captions)), labels))

    assert loss(stopped) < 1.5 < loss(fitted)


def test_validation_items_of_other_categories_are_left_out(bert: Path, fitted: SequenceClassifier) -> None:
    captions, categories = texts(30, 2)
    more = fit(bert, texts(120, 1), ([*captions, "a hat"], [*categories, "Hat"]), SETTINGS)
    assert torch.equal(more.model.classifier.weight, fitted.model.classifier.weight)
    with pytest.raises(UserError, match="no validation item is of a category that training items have"):
        fit(bert, texts(12, 1), (["a hat"], ["Hat"]), SETTINGS)


def test_what_is_no_text_model_is_refused(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no-bert: no model here"):
        fit(tmp_path / "no-bert", texts(12, 1), texts(6, 2), SETTINGS)
    with pytest.raises(UserError, match="tiny-clip: not a model that can classify texts"):
        fit(ROOT / "data/models/tiny-clip", texts(12, 1), texts(6, 2), SETTINGS)
    pickled = shutil.copytree(bert, tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(UserError, match="pickled: not a model that can classify texts"):
        fit(pickled, texts(12, 1), texts(6, 2), SETTINGS)
    empty = shutil.copytree(bert, tmp_path / "empty")
    config = json.loads((empty / "config.json").read_text())
    (empty / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    with pytest.raises(UserError, match=r"empty: .* of its weights are not there"):
        fit(empty, texts(12, 1), texts(6, 2), SETTINGS)


@pytest.mark.slow
def test_the_stage_fine_tunes_writes_and_scores(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    yaml = YAML()
    params = yaml.load(ROOT / "studies/sample.yaml")
    params["caption_classifier"] |= {
        "encoder": "tiny-bert",
        "seed": 1,
        "patience": 5,
        "epochs": 8,
        "lr": 5e-3,
        "batch_size": 8,
        "max_tokens": 16,
    }
    yaml.dump(params, Path("params.yaml"))
    Path("data/models").mkdir(parents=True)
    shutil.copytree(bert, "data/models/tiny-bert")
    Path("data/prepared").mkdir()
    captions, categories = texts(180, 7)
    items = pd.DataFrame(
        {"item_id": [f"{number:03}" for number in range(180)], "description": captions, "category": categories}
    )
    items["split"] = ["train"] * 120 + ["validation"] * 30 + ["test"] * 30
    items.to_parquet("data/prepared/items.parquet")
    classifier.main()
    metrics = json.loads(Path("metrics/classifier.json").read_text())
    assert metrics["test_accuracy"] > 0.95
    assert 0 <= metrics["test_accuracy_zero_shot"] <= 1
    assert not list(Path("data/classifier").glob("*.bin"))
    predicted, nearest = accuracy.classify(captions, Path("data/classifier"))
    scores = accuracy.compare(categories, predicted, nearest)
    assert scores["accuracy"][items["split"].eq("test")].mean() == metrics["test_accuracy"]
    again = load(Path("data/classifier"))
    assert isinstance(again, SequenceClassifier)
    assert again.max_tokens == 16
    assert again.predict(captions) == predicted
    Path("data/classifier/categories.json").write_text('["a", "b"]')
    with pytest.raises(UserError, match="2 categories but 3 logits"):
        load(Path("data/classifier"))


def test_an_encoder_that_is_not_there_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "studies/sample.yaml").read_text()
    Path("params.yaml").write_text(text.replace("encoder: minilm", "encoder: bert-bse"))
    (tmp_path / "data/models/bert-base").mkdir(parents=True)
    with pytest.raises(UserError, match=r"bert-bse: no model here; .*did you mean bert-base"):
        classifier.main()
