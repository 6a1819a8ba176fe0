"""The stages caption_generate_pt and _ft: which items get a caption, and what is written about each."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from captioning import generate
from captioning.modelling import apply_lora, load, pixel_values
from catalogue.images import ImageStore
from pipeline.errors import UserError

FAMILIES = ["blip2_opt", "blip2_t5", "llava"]
TO_CAPTION = [f"{number:010d}" for number in range(32, 38)]  # 4 test items, 2 without description
Project = Callable[..., Path]


def run_stage(monkeypatch: pytest.MonkeyPatch, family: str, adapter: str | None = None) -> pd.DataFrame:
    options = ["generate", "--captioner", "tiny", "--family", family, *(["--adapter", adapter] if adapter else [])]
    monkeypatch.setattr(sys, "argv", options)
    generate.main()
    return pd.read_parquet(f"data/captions/tiny-{'ft' if adapter else 'pt'}.parquet")


def save_adapter(family: str, folder: Path) -> None:
    """An adapter that matters: LoRA's second matrix, zero before training, is not."""
    torch.manual_seed(0)
    captioner = apply_lora(load("data/models/tiny", family, torch.float32), "all-linear", 4, 64, 0.0, True)
    for name, parameter in captioner.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    captioner.model.save_pretrained(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_test_items_and_items_without_description_get_a_caption(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], family: str
) -> None:
    tiny_project(family)
    table = run_stage(monkeypatch, family)
    assert table["item_id"].tolist() == TO_CAPTION
    assert table["tokens"].between(1, 6).all()
    assert (table["finished"] | (table["tokens"] == 6)).all()
    types = {field.name: str(field.type) for field in pq.read_schema("data/captions/tiny-pt.parquet")}
    assert list(types) == ["item_id", "caption", "tokens", "finished"]
    assert (types["tokens"], types["finished"]) == ("int32", "bool")
    line = capsys.readouterr().out.strip().splitlines()[-1]
    assert line.startswith("done: wrote data/captions/tiny-pt.parquet: 6 captions, ")
    assert f"{table['finished'].mean():.1%} finished" in line


@pytest.mark.parametrize("family", FAMILIES)
def test_each_caption_belongs_to_its_image(tiny_project: Project, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """In a batch of 4 an item gets the caption that it gets alone."""
    tiny_project(family)
    table = run_stage(monkeypatch, family).set_index("item_id")
    captioner, store = load("data/models/tiny", family, torch.float32), ImageStore(generate.IMAGES)
    for item in TO_CAPTION[::-1]:
        alone = captioner.family.generate(captioner, pixel_values(captioner, [store[item]]), 6)[0]
        assert (alone.text, alone.tokens, alone.finished) == tuple(table.loc[item])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_adapter_is_used(tiny_project: Project, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    tiny_project(family)
    save_adapter(family, Path("adapter"))
    plain, tuned = run_stage(monkeypatch, family), run_stage(monkeypatch, family, "adapter")
    assert tuned["item_id"].tolist() == plain["item_id"].tolist()
    assert tuned["caption"].tolist() != plain["caption"].tolist()


def test_the_same_bytes_every_time(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("llava")
    run_stage(monkeypatch, "llava")
    first = Path("data/captions/tiny-pt.parquet").read_bytes()
    run_stage(monkeypatch, "llava")
    assert Path("data/captions/tiny-pt.parquet").read_bytes() == first


def test_the_batch_size_does_not_matter(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("blip2_opt")
    by_four = run_stage(monkeypatch, "blip2_opt")
    params = Path("params.yaml")
    params.write_text(
        params.read_text().replace("max_new_tokens: 6\n  batch_size: 4", "max_new_tokens: 6\n  batch_size: 1")
    )
    pd.testing.assert_frame_equal(run_stage(monkeypatch, "blip2_opt"), by_four)


def test_nothing_to_caption_is_a_table_without_rows(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("blip2_opt")
    items = pd.read_parquet(generate.ITEMS)
    items[items["split"] == "train"].to_parquet(generate.ITEMS)
    table = run_stage(monkeypatch, "blip2_opt")
    assert table.columns.tolist() == ["item_id", "caption", "tokens", "finished"]
    assert table.empty


def test_what_is_missing_is_named(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tiny_project("llava")
    with pytest.raises(UserError, match=r"adapter_model\.safetensors"):
        run_stage(monkeypatch, "llava", "data/adapters/tiny")
    (project / generate.ITEMS).unlink()
    with pytest.raises(UserError, match=r"items\.parquet: no such file"):
        run_stage(monkeypatch, "llava")


def test_captions_do_not_wait_for_the_trainer(tiny_project: Project) -> None:
    """Trainer and what it imports cost seconds that a cell of captions need not spend."""
    tiny_project("llava")
    code = (
        "import sys; sys.argv = ['generate', '--captioner', 'tiny', '--family', 'llava']\n"
        "from captioning.generate import main; main()\n"
        "print([name for name in ('transformers.trainer', 'dvclive', 'sklearn', 'codecarbon') if name in sys.modules])"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert found.stdout.splitlines()[-1] == "[]", found.stderr
