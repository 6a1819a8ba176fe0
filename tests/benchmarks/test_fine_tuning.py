"""The arms of the fine-tuning benchmark: padding changes no loss, and the table says what was measured."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, Blip2ForConditionalGeneration

import captioning.training.fine_tuning
from captioning.modelling import collate, load, make_example, tokenize

ROOT = Path(__file__).parent.parent.parent


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


fine_tuning = module("fine_tuning")
full_shapes = module("full_shapes")
plain_trainer = module("plain_trainer")
Clock = module("clock").Clock


def test_padding_to_512_changes_no_loss() -> None:
    """The small model has 160 positions, but OPT counts them by the mask."""
    captioner = load(ROOT / fine_tuning.MODEL, "blip2_opt", torch.float32)
    captions = tokenize(captioner, ["a red shirt", "striped blue trousers in cotton twill with a zip fly and button"])
    torch.manual_seed(0)
    images = [{"pixel_values": torch.randn(1, 3, 64, 64)} for _ in captions]
    batch = collate([make_example(captioner, None, ids) for ids in captions], images, captioner.pad_id)
    wide = plain_trainer.pad(batch, fine_tuning.STUDY_TOKENS, captioner.pad_id)
    assert {wide[name].shape[1] for name in ("input_ids", "attention_mask", "labels")} == {512}
    with torch.no_grad():
        torch.testing.assert_close(captioner.model(**wide).loss, captioner.model(**batch).loss, rtol=1e-5, atol=0)


def row(wall: float, cpu: float, preparing: float) -> dict[str, float]:
    measured = {"loss": 0.2, "captions": 400, "tokens": 12_000, "epochs": 4, "peak_mb": 900.0}
    return {"wall": wall, "cpu": cpu, "preparing": preparing, **measured}


def test_the_table_shows_medians_and_ratios_to_ours() -> None:
    results = {
        "plain": [row(30.0, 20.0, 0.0), row(31.0, 40.0, 0.0), row(90.0, 30.0, 0.0)],
        "ours": [row(20.0, 10.0, 4.0)],
    }
    _, plain, ours = [line.split() for line in fine_tuning.table(results, by_wall=False)]
    assert plain[:3] == ["plain", "13.3", "3.00"]  # 400 captions in 30 CPU seconds
    # 10 epochs: 4 s to prepare, and 10 x 4 s
    assert ours == ["ours", "40.0", "1.00", "0.2000", "10.0", "20.0", "4.0", "600", "44.0", "900"]
    by_wall = [line.split() for line in fine_tuning.table(results, by_wall=True)]
    assert by_wall[1][:3] == ["plain", "12.9", "1.55"]


def test_a_phase_is_timed_where_it_happens() -> None:
    watched, clock = SimpleNamespace(load=lambda size: sum(range(size))), Clock()
    clock.watch(watched, "load", "loading")
    assert watched.load(2_000_000) == sum(range(2_000_000))
    first = clock.parts["loading"]
    watched.load(2_000_000)
    assert clock.parts["loading"][0] > first[0] > 0
    assert clock.parts["loading"][1] > first[1] > 0
    assert clock.parts.keys() == {"loading"}


def test_the_phases_that_are_timed_are_functions_of_fine_tuning() -> None:
    """Renamed there, the benchmark would stop before its first step."""
    assert all(callable(getattr(captioning.training.fine_tuning, name)) for name in fine_tuning.TIMED)


def test_without_prepared_data_it_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fine_tuning.py"])
    with pytest.raises(SystemExit, match="dvc repro catalogue_prepare"):
        fine_tuning.main()


@pytest.mark.slow
def test_full_shapes_are_those_of_the_published_model(tmp_path: Path) -> None:
    """They have 3.74 billion parameters; a model of a quarter of the widths and depths loads and runs."""
    tokenizer = AutoTokenizer.from_pretrained(ROOT / fine_tuning.MODEL)
    with torch.device("meta"):
        model = Blip2ForConditionalGeneration(full_shapes.config(tokenizer, 1))
    assert 3.74e9 < sum(weights.numel() for weights in model.parameters()) < 3.75e9
    folder = full_shapes.write(tmp_path / "model", 4, ROOT / fine_tuning.MODEL)
    captioner = load(folder, "blip2_opt", torch.bfloat16)
    assert captioner.family.count_image_tokens(captioner) == 32
    assert captioner.base.num_parameters() < 0.1e9


def test_a_ratio_stands_beside_the_losses_at_which_it_holds() -> None:
    plain = [row(30.0, 30.0, 0.0), row(30.0, 20.0, 0.0)]
    ours = [row(10.0, 15.0, 0.0), row(10.0, 5.0, 0.0)]
    said = fine_tuning.verdict({"plain": plain, "ours": ours}, by_wall=False)
    assert said.startswith("ours/plain: 3.00 × (2.00 to 4.00) over 2 seeds")
    assert "(+0.00%): the same within 0.5%" in said
    worse = [values | {"loss": 0.2012} for values in ours]
    assert "(+0.60%): NOT the same" in fine_tuning.verdict({"plain": plain, "ours": worse}, by_wall=False)
    assert "ours/plain: 3.00 × (3.00 to 3.00)" in fine_tuning.verdict({"plain": plain, "ours": ours}, by_wall=True)
