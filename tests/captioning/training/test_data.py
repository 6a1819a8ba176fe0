"""Training data: read with care, prepared at once or one by one, in an order that can be found again."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from captioning.modelling import Captioner
from captioning.train import IMAGES, ITEMS
from captioning.training import data
from catalogue.images import ImageStore
from pipeline.errors import UserError


def order(items: int, seed: int, epoch: int) -> list[int]:
    sampler = data.EpochOrder(range(items), seed)
    sampler.set_epoch(epoch)
    return list(sampler)


@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.integers(0, 50))
def test_the_order_is_a_permutation_that_depends_on_seed_and_epoch_alone(items: int, seed: int, epoch: int) -> None:
    torch.manual_seed(1)
    first = order(items, seed, epoch)
    torch.manual_seed(2)
    assert order(items, seed, epoch) == first
    assert sorted(first) == list(range(items))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    assert len({tuple(order(20, seed, epoch)) for seed in range(4) for epoch in range(4)}) == 16


def test_pixel_values_are_the_same_prepared_at_once_or_one_by_one(
    tiny_captioner: Callable[[str], Captioner], tiny_project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project("llava")
    captioner, store, items = tiny_captioner("llava"), ImageStore(IMAGES), data.read_split(ITEMS, "train")
    at_once = data.CaptionedImages(captioner, store, items, torch.float32)
    monkeypatch.setattr(data, "PREPARED_BYTES", 0)
    one_by_one = data.CaptionedImages(captioner, store, items, torch.float32)
    assert at_once.prepared is not None
    assert one_by_one.prepared is None
    assert len(at_once) == len(one_by_one) == 24
    for row in range(24):
        assert at_once[row]["example"] == one_by_one[row]["example"]
        assert torch.equal(at_once[row]["pixels"], one_by_one[row]["pixels"])


def test_rows_of_a_split_come_sorted(tmp_path: Path) -> None:
    rows = [("2", "b", "train"), ("1", "a", "train"), ("3", "c", "test"), ("4", None, None)]
    pd.DataFrame(rows, columns=["item_id", "description", "split"]).to_parquet(tmp_path / "items.parquet")
    assert data.read_split(tmp_path / "items.parquet", "train").to_numpy().tolist() == [["1", "a"], ["2", "b"]]


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([("1", "train")], ["item_id", "split"], "description"),
        ([("1", "a", "test")], ["item_id", "description", "split"], "no item with split train"),
        ([("1", None, "train")], ["item_id", "description", "split"], "1 items of split train have no description"),
    ],
)
def test_unusable_items_are_refused(tmp_path: Path, rows: list, columns: list[str], message: str) -> None:
    pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / "items.parquet")
    with pytest.raises(UserError, match=message):
        data.read_split(tmp_path / "items.parquet", "train")


def test_no_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        data.read_split(tmp_path / "items.parquet", "train")
    (tmp_path / "items.parquet").write_text("not parquet")
    with pytest.raises(UserError, match=r"items\.parquet"):
        data.read_split(tmp_path / "items.parquet", "train")
