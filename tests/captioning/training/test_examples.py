"""Training data: read with care, prepared at once or one by one, in an order that can be found again."""

import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import BatchSampler

from captioning.modelling import IGNORED, Captioner, ImageInputs, collate, example, image_inputs, token_ids
from captioning.train import IMAGES, ITEMS
from captioning.training import examples, order
from captioning.training.loss import summed_loss
from catalogue.prepared.images import ImageStore
from pipeline.core.errors import UserError

LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=120)
SEEDS = st.integers(0, 2**32 - 1)


def epoch_order(lengths: list[int], batch_size: int, seed: int, epoch: int) -> list[int]:
    sampler = order.EpochOrder(lengths, batch_size, seed)
    sampler.set_epoch(epoch)
    return list(sampler)


@given(LENGTHS, st.integers(1, 20), SEEDS, st.integers(0, 50))
def test_the_order_is_a_permutation_that_depends_on_seed_and_epoch_alone(
    lengths: list[int], batch_size: int, seed: int, epoch: int
) -> None:
    torch.manual_seed(1)
    first = epoch_order(lengths, batch_size, seed, epoch)
    torch.manual_seed(2)
    used = order.EpochOrder(lengths, batch_size, seed)
    list(used)  # an epoch before leaves no trace
    used.set_epoch(epoch)
    assert list(used) == first
    assert sorted(first) == list(range(len(lengths)))


@given(LENGTHS, st.integers(15, 40), SEEDS)
def test_batches_hold_captions_of_neighbouring_lengths(lengths: list[int], batch_size: int, seed: int) -> None:
    """All items fit in one pool here: whole batches, put in order of length, do not overlap. The incomplete one is last."""
    found = epoch_order(lengths, batch_size, seed, 0)
    batches = [[lengths[row] for row in found[at : at + batch_size]] for at in range(0, len(found), batch_size)]
    assert all(batch == sorted(batch, reverse=True) for batch in batches)
    whole = sorted(batch for batch in batches if len(batch) == batch_size)
    assert all(shorter[0] <= longer[-1] for shorter, longer in pairwise(whole))
    assert all(len(batch) == batch_size for batch in batches[:-1])


@given(st.integers(1, 40), SEEDS)
def test_items_are_not_always_in_the_same_company(batches: int, seed: int) -> None:
    """Of equal length, an epoch is a plain shuffle: no caption's neighbours in the data follow it into its batches."""
    found = epoch_order([7] * (4 * batches), 4, seed, 0)
    random = torch.Generator().manual_seed(seed * 1_000_003)
    shuffled = torch.randperm(4 * batches, generator=random).view(-1, 4).tolist()
    assert sorted(found[at : at + 4] for at in range(0, len(found), 4)) == sorted(shuffled)


def test_long_data_is_sorted_in_pools() -> None:
    """More than a pool: its batches differ between epochs, and pad far less than shuffled ones."""
    lengths = torch.randint(3, 40, (5_000,), generator=torch.Generator().manual_seed(0)).tolist()
    epochs = [epoch_order(lengths, 16, 42, epoch) for epoch in range(2)]
    sets = [{frozenset(rows[at : at + 16]) for at in range(0, 5_000, 16)} for rows in epochs]
    assert not sets[0] & sets[1]
    assert padded(lengths, epochs[0], 16) < 1.15 * sum(lengths) < 1.5 * sum(lengths) < padded(lengths, range(5_000), 16)


def padded(lengths: list[int], rows: Sequence[int], size: int) -> int:
    parts = [[lengths[row] for row in rows[at : at + size]] for at in range(0, len(rows), size)]
    return sum(len(part) * max(part) for part in parts)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_see_the_batches_of_one_process(processes: int) -> None:
    """Cut as accelerate does (parts of the batch in turn), all processes together hold what one would."""
    lengths = [number % 7 for number in range(64)]
    found = epoch_order(lengths, 16, 1, 0)
    parts = list(BatchSampler(found, 16 // processes, drop_last=False))
    shards = [
        list(BatchSamplerShard(BatchSampler(found, 16 // processes, False), processes, rank))
        for rank in range(processes)
    ]
    together = [[row for shard in shards for row in shard[step]] for step in range(4)]
    assert [sorted(batch) for batch in together] == [sorted(found[at : at + 16]) for at in range(0, 64, 16)]
    assert len(parts) == 4 * processes


@given(LENGTHS, st.integers(1, 4), st.integers(2, 4), SEEDS)
def test_an_order_is_filled_until_all_processes_have_as_much(
    lengths: list[int], size: int, processes: int, seed: int
) -> None:
    """Cut as accelerate does: as many whole batches for each, every item once, the rest empty places at the end."""
    filled = order.Filled(order.EpochOrder(lengths, size * processes, seed), size * processes)
    filled.set_epoch(3)
    rows = list(filled)
    assert rows[: len(lengths)] == epoch_order(lengths, size * processes, seed, 3)
    assert set(rows[len(lengths) :]) <= {order.NOTHING}
    assert len(rows) == len(filled) < len(lengths) + size * processes
    batches = BatchSampler(filled, size, drop_last=False)
    shards = [list(BatchSamplerShard(batches, processes, rank)) for rank in range(processes)]
    assert len({len(shard) for shard in shards}) == 1
    seen = [row for shard in shards for batch in shard for row in batch if row != order.NOTHING]
    assert sorted(seen) == list(range(len(lengths)))


@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5", "llava"])
def test_nothing_of_an_empty_place_is_supervised(
    family: str, tiny_captioner: Callable[[str], Captioner], tiny_project: Callable[..., Path]
) -> None:
    tiny_project(family)
    captioner, items = tiny_captioner(family), examples.read_split(ITEMS, "validation")
    rows = examples.CaptionedImages(captioner, ImageStore(IMAGES), items, torch.float32)
    empty = rows[order.NOTHING]
    assert set(empty["example"].labels) == {IGNORED}
    batch = examples.collator(captioner.pad_id)([empty, rows[0]])
    alone = examples.collator(captioner.pad_id)([rows[0]])
    with torch.no_grad():
        together, single = (summed_loss(captioner, captioner.model, one) for one in (batch, alone))
    torch.testing.assert_close(together, single, rtol=1e-5, atol=0)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    assert len({tuple(epoch_order([5] * 20, 4, seed, epoch)) for seed in range(4) for epoch in range(4)}) == 16


def items_of(*descriptions: str) -> pd.DataFrame:
    return pd.DataFrame({"item_id": [str(row) for row in range(len(descriptions))], "description": descriptions})


def test_descriptions_that_a_model_has_no_room_for_are_left_out_and_counted(
    tiny_captioner: Callable[[str], Captioner], caplog: pytest.LogCaptureFixture
) -> None:
    """OPT has learned a vector for each of its positions, and no more."""
    captioner, text = tiny_captioner("blip2_opt"), "a red shirt with short sleeves "
    assert captioner.positions is not None
    n = captioner.positions - len(captioner.prompt_ids) - 1
    words = captioner.tokenizer(text * n, add_special_tokens=False)["input_ids"]
    longest, longer = (captioner.tokenizer.decode(words[:length]) for length in (n, n + 1))
    lengths = list(map(len, token_ids(captioner, [longest, longer])))
    assert lengths == [n, n + 1]
    kept = examples.usable(captioner, items_of("a shirt", longer, longest), Path("items.parquet"))
    assert kept["item_id"].tolist() == ["0", "2"]
    assert f"1 of 3 descriptions are longer than the {n} tokens" in caplog.text
    image = image_inputs(captioner, [Image.new("RGB", (32, 32))])[0]
    batch = collate([example(captioner, image, words[:n])], [image], captioner.pad_id)
    assert captioner.model(**batch).loss.isfinite()
    with pytest.raises(UserError, match=r"1 of 1 descriptions are longer .*another captioner"):
        examples.usable(captioner, items_of(longer), Path("items.parquet"))


@pytest.mark.parametrize("family", ["blip2_t5", "llava"])
def test_models_without_learned_positions_have_room_for_any_description(
    family: str, tiny_captioner: Callable[[str], Captioner]
) -> None:
    items = items_of("a red shirt " * 200)
    assert len(examples.usable(tiny_captioner(family), items, Path("items.parquet"))) == 1


@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5", "llava"])
@pytest.mark.parametrize("meaning", ["eos_id", "image_token_id"])
def test_a_description_with_a_token_that_means_something_else_is_refused_by_id(
    family: str, meaning: str, tiny_captioner: Callable[[str], Captioner]
) -> None:
    captioner = tiny_captioner(family)
    items = items_of("a shirt", f"a{captioner.tokenizer.decode([getattr(captioner, meaning)])}shirt")
    with pytest.raises(UserError, match=r"items\.parquet: the description of 1 of 2 items .*first 1; remove it"):
        examples.usable(captioner, items, Path("items.parquet"))


def test_validation_begins_with_the_longest(tiny_captioner: Callable[[str], Captioner]) -> None:
    items = pd.DataFrame({"item_id": ["1", "2", "3"], "description": ["red", "a red shirt", "blue"]})
    assert examples.longest_first(tiny_captioner("blip2_opt"), items)["item_id"].tolist()[0] == "2"


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
    wanted, opened = [rows[row] for row in (5, 1, order.NOTHING, 7)], set()
    monkeypatch.setattr(examples, "reader_threads", lambda device: 3)
    monkeypatch.setattr(rows, "_inputs", _on_thread(rows._inputs, opened))
    for one, other in zip(wanted, rows.__getitems__([5, 1, order.NOTHING, 7]), strict=True):
        assert one["example"] == other["example"]
        assert torch.equal(one["image"]["pixel_values"], other["image"]["pixel_values"])
    assert threading.main_thread() not in opened


def _on_thread(inputs: Callable[[list[int]], list[ImageInputs]], seen: set[threading.Thread]) -> Callable[..., Any]:
    return lambda rows: (seen.add(threading.current_thread()), inputs(rows))[1]


def test_rows_of_a_split_come_sorted(tmp_path: Path) -> None:
    rows = [("2", "b", "train"), ("1", "a", "train"), ("3", "c", "test"), ("4", None, None)]
    pd.DataFrame(rows, columns=["item_id", "description", "split"]).to_parquet(tmp_path / "items.parquet")
    assert examples.read_split(tmp_path / "items.parquet", "train").to_numpy().tolist() == [["1", "a"], ["2", "b"]]
