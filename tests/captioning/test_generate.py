"""The stages caption_generate_pt and _ft: which items get a caption, and what the table says of each."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from captioning import generate
from captioning.families import llava
from captioning.generation import batch_files
from captioning.modelling import load, prepare_images
from catalogue.prepared.images import ImageStore
from pipeline.core.errors import UserError
from tests.captioning.families import auto_models
from tests.helpers.code_deps import code_deps
from tests.helpers.generation import FAMILIES, TO_CAPTION, Project, change_params, run_stage, save_adapter


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
        alone = captioner.family.generate(captioner, prepare_images(captioner, [store[item]]), 6)[0]
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
    change_params("max_new_tokens: 6\n  batch_size: 4", "max_new_tokens: 6\n  batch_size: 1")
    pd.testing.assert_frame_equal(run_stage(monkeypatch, "blip2_opt"), by_four)


def test_bfloat16_writes_captions_too(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("llava", {"caption_generate.precision": "bf16"})
    dtypes: list[torch.dtype] = []
    real = llava.generate
    monkeypatch.setattr(
        llava, "generate", lambda captioner, *rest: (dtypes.append(captioner.base.dtype), real(captioner, *rest))[1]
    )
    assert len(run_stage(monkeypatch, "llava")) == len(TO_CAPTION)
    assert set(dtypes) == {torch.bfloat16}


def test_four_bits_write_captions_too(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("llava", {"caption_generate.quantization": "nf4"})
    in_4bit: list[bool] = []
    real = llava.generate
    monkeypatch.setattr(
        llava,
        "generate",
        lambda captioner, *rest: (in_4bit.append(captioner.base.is_loaded_in_4bit), real(captioner, *rest))[1],
    )
    assert len(run_stage(monkeypatch, "llava")) == len(TO_CAPTION)
    assert set(in_4bit) == {True}


def test_out_of_memory_names_what_to_lower(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("llava")

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(llava, "generate", full)
    with pytest.raises(UserError, match=r"lower caption_generate\.batch_size \(4\), .*Tried to allocate 2 GiB"):
        run_stage(monkeypatch, "llava")


def test_out_of_memory_while_loading_is_reported_too(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("llava")

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(llava.MODEL, "from_pretrained", full)
    with pytest.raises(UserError, match=r"out of memory: .*quantization: nf4 .*Tried to allocate 2 GiB"):
        run_stage(monkeypatch, "llava")


def test_images_opened_ahead_on_threads_get_the_same_captions(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project("llava")
    change_params("max_new_tokens: 6\n  batch_size: 4", "max_new_tokens: 6\n  batch_size: 5")
    expected = run_stage(monkeypatch, "llava")
    monkeypatch.setattr(batch_files, "reader_threads", lambda device: 3)
    monkeypatch.setattr(batch_files, "OPENED_TOGETHER", 2)
    pd.testing.assert_frame_equal(run_stage(monkeypatch, "llava"), expected)


def test_a_missing_gpu_is_refused(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("llava", {"device": "cuda"})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="device: cuda, but PyTorch finds no GPU here; use device: cpu"):
        run_stage(monkeypatch, "llava")


@pytest.mark.parametrize("variant", ["pt", "ft"])
def test_captions_of_a_file_enter_the_line(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variant: str
) -> None:
    tiny_project("llava")
    folder = Path("data/models/replay")
    folder.mkdir()
    rows = [{"id": item, "caption": f"a garment, number {item}"} for item in reversed(TO_CAPTION)]
    pd.DataFrame(rows).to_csv(folder / "captions.csv", index=False)
    adapter = ["--adapter", "data/adapters/replay"] if variant == "ft" else []
    monkeypatch.setattr(sys, "argv", ["generate", "--captioner", "replay", "--family", "file", *adapter])
    generate.main()
    table = pd.read_parquet(f"data/captions/replay-{variant}.parquet")
    assert table.to_dict("list") == {
        "item_id": TO_CAPTION,
        "caption": [f"a garment, number {item}" for item in TO_CAPTION],
        "tokens": [4] * 6,
        "finished": [True] * 6,
    }
    assert f"replay-{variant}.parquet: 6 captions, 100.0% finished, 4.0 tokens" in capsys.readouterr().out


def test_any_other_model_is_a_captioner(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its images differ in size and so in tokens: batches are padded on the left."""
    project = tiny_project("llava")
    shutil.rmtree(project / "data/models/tiny")
    auto_models.save("qwen2_vl", project / "data/models/tiny")
    save_adapter("auto", Path("adapter"))
    plain, tuned = run_stage(monkeypatch, "auto"), run_stage(monkeypatch, "auto", "adapter")
    assert plain["item_id"].tolist() == tuned["item_id"].tolist() == TO_CAPTION
    assert plain["caption"].tolist() != tuned["caption"].tolist()


def test_nothing_to_caption_is_a_table_without_rows(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("blip2_opt")
    items = pd.read_parquet(generate.ITEMS)
    items[items["split"] == "train"].to_parquet(generate.ITEMS)
    table = run_stage(monkeypatch, "blip2_opt")
    assert table.columns.tolist() == ["item_id", "caption", "tokens", "finished"]
    assert table.empty


def test_a_name_that_no_captioner_may_have_is_refused(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project("llava")
    monkeypatch.setattr(sys, "argv", ["generate", "--captioner", "warm-tiny", "--family", "llava"])
    with pytest.raises(UserError, match="--captioner: 'warm-tiny' is no name for a captioner"):
        generate.main()


def test_what_is_missing_is_named(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tiny_project("llava")
    with pytest.raises(UserError, match=r"adapter_model\.safetensors"):
        run_stage(monkeypatch, "llava", "data/adapters/tiny")
    (project / generate.ITEMS).unlink()
    with pytest.raises(UserError, match=r"items\.parquet: no such file"):
        run_stage(monkeypatch, "llava")


@pytest.mark.slow
def test_captions_wait_for_neither_the_trainer_nor_adapters(tiny_project: Project) -> None:
    """Trainer, peft and what they import take seconds, which a captioner without adapter does not need."""
    tiny_project("llava")
    code = (
        "import sys; sys.argv = ['generate', '--captioner', 'tiny', '--family', 'llava']\n"
        "from captioning.generate import main; main()\n"
        "heavy = ('transformers.trainer', 'dvclive', 'sklearn', 'codecarbon', 'peft', 'bitsandbytes')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert ended.stdout.splitlines()[-1] == "[]", ended.stderr


@pytest.mark.parametrize("variant", ["pt", "ft"])
def test_the_key_covers_the_code_that_the_line_names(variant: str) -> None:
    """tests/test_line.py compares the deps of dvc.yaml with what a cell imports."""
    of_file = {"pipeline/cells/missing.py", "pipeline/cells/rows.py"}  # read by family file, which keeps no checkpoint
    assert {*generate.CODE, "captioning/families/llava.py"} == code_deps(
        f"caption_generate_{variant}", "llava"
    ) - of_file


@pytest.mark.slow
def test_adapters_of_single_epochs_caption_the_test_items(
    tiny_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As each does alone; another run leaves nothing of this one, and the pre-trained captioner has no epochs."""
    tiny_project("llava")
    run_stage(monkeypatch, "llava")
    assert not Path("data/captions/epochs").exists()
    save_adapter("llava", Path("adapter/epochs/10"))
    alone = run_stage(monkeypatch, "llava", "adapter/epochs/10")
    assert list(Path("data/captions/epochs/tiny").iterdir()) == []
    shutil.copytree("adapter/epochs/10", "other")
    save_adapter("llava", Path("adapter"), seed=1)
    shutil.copytree("other", "adapter/epochs/9")
    whole = run_stage(monkeypatch, "llava", "adapter")
    assert whole["caption"].tolist() != alone["caption"].tolist()
    assert sorted(path.name for path in Path("data/captions/epochs/tiny").iterdir()) == ["10.parquet", "9.parquet"]
    for number in (9, 10):
        table = pd.read_parquet(f"data/captions/epochs/tiny/{number}.parquet")
        pd.testing.assert_frame_equal(table, alone[alone["item_id"].isin(table["item_id"])])
        assert table["item_id"].tolist() == TO_CAPTION[:4]
    shutil.rmtree("adapter/epochs")
    pd.testing.assert_frame_equal(run_stage(monkeypatch, "llava", "adapter"), whole)
    assert list(Path("data/captions/epochs/tiny").iterdir()) == []
