"""Training data: which descriptions fit the model, and images prepared at once or one by one."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image

from captioning.modelling import IGNORED, Captioner, ImageInputs, collate, make_example, prepare_images, tokenize
from captioning.train import IMAGES, ITEMS
from captioning.training import examples, order
from captioning.training.loss import sum_loss
from catalogue.prepared.images import ImageStore
from pipeline.core.errors import UserError


@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5", "llava"])
def test_nothing_of_an_empty_row_is_supervised(
    family: str, tiny_captioner: Callable[[str], Captioner], tiny_project: Callable[..., Path]
) -> None:
    tiny_project(family)
    captioner, items = tiny_captioner(family), examples.read_split(ITEMS, "validation")
    rows = examples.CaptionedImages(captioner, ImageStore(IMAGES), items, torch.float32)
    empty = rows[order.EMPTY_ROW]
    assert set(empty["example"].labels) == {IGNORED}
    batch = examples.make_collator(captioner.pad_id)([empty, rows[0]])
    alone = examples.make_collator(captioner.pad_id)([rows[0]])
    with torch.no_grad():
        together, single = (sum_loss(captioner, captioner.model, part) for part in (batch, alone))
    torch.testing.assert_close(together, single, rtol=1e-5, atol=0)


def make_items(*descriptions: str) -> pd.DataFrame:
    return pd.DataFrame({"item_id": [str(row) for row in range(len(descriptions))], "description": descriptions})


def test_descriptions_that_are_too_long_for_a_model_are_left_out_and_counted(
    tiny_captioner: Callable[[str], Captioner], caplog: pytest.LogCaptureFixture
) -> None:
    """OPT has a learned vector for each of its positions, and no more."""
    captioner, text = tiny_captioner("blip2_opt"), "a red shirt with short sleeves "
    assert captioner.positions is not None
    n = captioner.positions - len(captioner.prompt_ids) - 1
    words = captioner.tokenizer(text * n, add_special_tokens=False)["input_ids"]
    longest, longer = (captioner.tokenizer.decode(words[:length]) for length in (n, n + 1))
    lengths = list(map(len, tokenize(captioner, [longest, longer])))
    assert lengths == [n, n + 1]
    fitting = examples.drop_too_long(captioner, make_items("a shirt", longer, longest), Path("items.parquet"))
    assert fitting["item_id"].tolist() == ["0", "2"]
    assert f"1 of 3 descriptions are longer than the {n} tokens" in caplog.text
    image = prepare_images(captioner, [Image.new("RGB", (32, 32))])[0]
    batch = collate([make_example(captioner, image, words[:n])], [image], captioner.pad_id)
    assert captioner.model(**batch).loss.isfinite()
    with pytest.raises(UserError, match=r"1 of 1 descriptions are longer .*another captioner"):
        examples.drop_too_long(captioner, make_items(longer), Path("items.parquet"))


@pytest.mark.parametrize("family", ["blip2_t5", "llava"])
def test_models_without_learned_positions_take_any_description(
    family: str, tiny_captioner: Callable[[str], Captioner]
) -> None:
    items = make_items("a red shirt " * 200)
    assert len(examples.drop_too_long(tiny_captioner(family), items, Path("items.parquet"))) == 1


@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5", "llava"])
@pytest.mark.parametrize("meaning", ["eos_id", "image_token_id"])
def test_a_description_with_a_token_that_means_something_else_is_refused_by_id(
    family: str, meaning: str, tiny_captioner: Callable[[str], Captioner]
) -> None:
    captioner = tiny_captioner(family)
    items = make_items("a shirt", f"a{captioner.tokenizer.decode([getattr(captioner, meaning)])}shirt")
    with pytest.raises(UserError, match=r"items\.parquet: the description of 1 of 2 items .*first 1; remove it"):
        examples.drop_too_long(captioner, items, Path("items.parquet"))


def test_validation_begins_with_the_longest(tiny_captioner: Callable[[str], Captioner]) -> None:
    items = pd.DataFrame({"item_id": ["1", "2", "3"], "description": ["red", "a red shirt", "blue"]})
    assert examples.sort_longest_first(tiny_captioner("blip2_opt"), items)["item_id"].tolist()[0] == "2"


def test_pixel_values_are_the_same_prepared_at_once_or_one_by_one(
    tiny_captioner: Callable[[str], Captioner], tiny_project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project("llava")
    captioner, store, items = tiny_captioner("llava"), ImageStore(IMAGES), examples.read_split(ITEMS, "train")
    at_once = examples.CaptionedImages(captioner, store, items, torch.float32)
    monkeypatch.setattr(examples, "PREPARED_BYTES", 0)
    one_by_one = examples.CaptionedImages(captioner, store, items, torch.float32)
    assert at_once.prepared is not None
    assert one_by_one.prepared is None
    assert len(at_once) == len(one_by_one) == 24
    for row in range(24):
        assert at_once[row]["example"] == one_by_one[row]["example"]
        assert torch.equal(at_once[row]["image"]["pixel_values"], one_by_one[row]["image"]["pixel_values"])


def test_a_batch_opened_on_threads_is_the_same(
    tiny_captioner: Callable[[str], Captioner], tiny_project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project("llava")
    captioner, store, items = tiny_captioner("llava"), ImageStore(IMAGES), examples.read_split(ITEMS, "train")
    monkeypatch.setattr(examples, "PREPARED_BYTES", 0)
    rows = examples.CaptionedImages(captioner, store, items, torch.float32)
    expected, threads = [rows[row] for row in (5, 1, order.EMPTY_ROW, 7)], set()
    monkeypatch.setattr(examples, "reader_threads", lambda device: 3)
    monkeypatch.setattr(rows, "_prepare", _record_thread(rows._prepare, threads))
    for alone, row in zip(expected, rows.__getitems__([5, 1, order.EMPTY_ROW, 7]), strict=True):
        assert row["example"] == alone["example"]
        assert torch.equal(row["image"]["pixel_values"], alone["image"]["pixel_values"])
    assert threading.main_thread() not in threads


def _record_thread(
    prepare: Callable[[list[int]], list[ImageInputs]], threads: set[threading.Thread]
) -> Callable[..., Any]:
    return lambda rows: (threads.add(threading.current_thread()), prepare(rows))[1]


def test_rows_of_a_split_come_sorted(tmp_path: Path) -> None:
    rows = [("2", "b", "train"), ("1", "a", "train"), ("3", "c", "test"), ("4", None, None)]
    pd.DataFrame(rows, columns=["item_id", "description", "split"]).to_parquet(tmp_path / "items.parquet")
    assert examples.read_split(tmp_path / "items.parquet", "train").to_numpy().tolist() == [["1", "a"], ["2", "b"]]
