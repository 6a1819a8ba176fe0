"""`lookbook export`: an adapter, or the merged model, with a model card of what was really used."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from dvc.repo import Repo
from peft import PeftModel
from ruamel.yaml import YAML
from transformers import AutoModelForImageTextToText, Blip2ForConditionalGeneration
from typer.testing import CliRunner

from captioning.modelling import Captioner, apply_lora, load, prepare_images
from lookbook.cli.main import app
from sample.pretraining.examples import draw_pictures
from tests.helpers.params_files import read_sample, write_values

ROOT = Path(__file__).parents[3]
NAME = "tiny-blip2-opt"
CELL = f"caption_train@{NAME}"
DATA = {"data/prepared/items.parquet": "e85b85f7", "data/prepared/images": "c3dfdc15.dir"}
LINE = """
stages:
  caption_train:
    foreach: ${captioners}
    do:
      cmd: python -m captioning.train --captioner ${key}
      outs:
      - data/adapters/${key}
  caption_generate_ft:
    foreach: ${captioners}
    do:
      cmd: python -m captioning.generate --captioner ${key}
      deps:
      - data/adapters/${key}
      outs:
      - data/captions/${key}-ft.parquet
  caption_score:
    cmd: python -m captioning.score
    deps:
    - data/captions
    outs:
    - metrics/captions.json: {cache: false}
"""
SCORES = "metrics/captions.json"
CAPTIONS = f"data/captions/{NAME}-ft.parquet"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a study whose `tiny-blip2-opt` is trained and scored: adapter, dvc.lock, scores and the run's record."""
    (tmp_path / "data").mkdir()
    shutil.copytree(ROOT / "data/models" / NAME, tmp_path / "data/models" / NAME)
    shutil.copy(ROOT / "studies/sample.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    captioner = apply_lora(load(Path("data/models") / NAME, "blip2_opt", torch.float32), "all-linear", 4, 64, 0.0, True)
    for name, weight in captioner.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    captioner.model.save_pretrained(Path("data/adapters") / NAME)
    write_records()
    return tmp_path


def write_records() -> None:
    for folder in ("metrics", "metrics/train", "data/captions"):
        Path(folder).mkdir()
    training = {
        "validation_loss": 0.125,
        "seconds": 31.5,
        "kg_co2": 0.00042,
        "facts": [{"model_class": "Blip2ForConditionalGeneration"}],
    }
    Path(f"metrics/train/{NAME}.json").write_text(json.dumps(training))
    scores = {NAME: {"pt": {"bleu_4": 0.0}, "ft": {"bleu_4": 0.7361}}, "skipped": ["spice: not asked for"]}
    Path(SCORES).write_text(json.dumps(scores))
    Path(CAPTIONS).write_text("captions by this adapter")
    Path("dvc.yaml").write_text(LINE)
    with Repo.init(no_scm=True) as repo:
        for cell in (CELL, f"caption_generate_ft@{NAME}", "caption_score"):
            repo.commit(cell, force=True)
    deps, outs = ([{"path": path, "hash": "md5", "md5": digest} for path, digest in DATA.items()] for _ in range(2))
    with locked() as stages:
        stages[CELL] |= {"deps": deps, "params": {"params.yaml": {"lr": 0.0003, "lora_rank": 4}}}
        params = {"params.yaml": {"dataset": "sample"}}
        stages["catalogue_prepare"] = {"cmd": "python -m catalogue.prepare", "outs": outs, "params": params}


@contextmanager
def locked() -> Iterator[dict[str, Any]]:
    """Yield the stages of dvc.lock, and write their changes back."""
    path, yaml = Path("dvc.lock"), YAML()
    lock = yaml.load(path)
    yield lock["stages"]
    yaml.dump(lock, path)


def replace_file(path: Path | str, text: str) -> None:
    """Write a file anew: DVC may have linked it to its cache."""
    Path(path).unlink()
    Path(path).write_text(text)


def train_again() -> None:
    config = Path("data/adapters") / NAME / "adapter_config.json"
    replace_file(config, config.read_text() + "\n")
    commit(CELL)


def caption_again() -> None:
    replace_file(CAPTIONS, "other captions")
    commit(f"caption_generate_ft@{NAME}")


def commit(cell: str) -> None:
    with Repo() as repo:
        repo.commit(cell, force=True)
    if cell == CELL:
        with locked() as stages:
            stages[CELL]["deps"] = [{"path": path, "md5": digest} for path, digest in DATA.items()]
            stages[CELL]["params"] = {"params.yaml": {"lr": 0.0001}}


def export(*words: str, warning: str = "") -> Path:
    ended = CliRunner().invoke(app, ["export", NAME, *words])
    assert ended.exit_code == 0, ended.output
    assert ended.stderr == warning
    assert "above all the licences" in ended.stdout
    return Path(ended.stdout.split()[1].rstrip(":"))


def refuse(*words: str) -> str:
    ended = CliRunner().invoke(app, ["export", *words])
    assert ended.exit_code == 1
    return ended.stderr


def caption_pictures(captioner: Captioner) -> list[str]:
    images = prepare_images(captioner, [picture.image for picture in draw_pictures(4, seed=5)])
    return [caption.text for caption in captioner.family.generate(captioner, images, 20)]


def load_adapted() -> Captioner:
    return load(Path("data/models") / NAME, "blip2_opt", torch.float32, adapter=Path("data/adapters") / NAME)


def test_the_adapter_comes_out_as_it_is(project: Path) -> None:
    folder = export()
    assert folder == Path("exports") / NAME
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "lookbook.json",
    ]
    weights = Path("data/adapters") / NAME / "adapter_model.safetensors"
    assert (folder / "adapter_model.safetensors").read_bytes() == weights.read_bytes()
    loaded = load(Path("data/models") / NAME, "blip2_opt", torch.float32, adapter=folder)
    assert caption_pictures(loaded) == caption_pictures(load_adapted())


def test_plain_peft_loads_it(project: Path) -> None:
    base = Blip2ForConditionalGeneration.from_pretrained(f"data/models/{NAME}", dtype=torch.float32)
    plain = PeftModel.from_pretrained(base, export()).eval()
    ours = load_adapted()
    assert caption_pictures(Captioner(plain, ours.processor, ours.family)) == caption_pictures(ours)


def test_the_merged_model_needs_nothing_else(project: Path) -> None:
    folder = export("--merged", "--out", "whole")
    expected = caption_pictures(load_adapted())
    shutil.rmtree("data")
    assert not list(folder.glob("*.bin")) + list(folder.glob("adapter*"))
    merged = load(folder, "blip2_opt", torch.float32)
    assert caption_pictures(merged) == expected
    auto = AutoModelForImageTextToText.from_pretrained(folder)
    assert caption_pictures(Captioner(auto, merged.processor, merged.family)) == expected


def test_the_merged_model_comes_with_a_script_for_vllm(project: Path) -> None:
    folder = export("--merged", "--vllm")
    compile((folder / "caption_with_vllm.py").read_text(), "caption_with_vllm.py", "exec")
    settings = json.loads((folder / "vllm.json").read_text())
    assert (settings["family"], settings["dtype"], settings["max_tokens"]) == ("blip2_opt", "float32", 64)
    assert (folder / "model.safetensors").exists()


def test_what_vllm_cannot_read_is_refused(project: Path) -> None:
    assert "--vllm: needs --merged" in refuse(NAME, "--vllm")
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("family: blip2_opt", "family: blip2_t5"))
    assert "vLLM has no models of family blip2_t5" in refuse(NAME, "--merged", "--vllm")
    assert not Path("exports").exists()


def test_the_card_says_what_was_used_and_reached(project: Path) -> None:
    card = (export() / "README.md").read_text()
    front = YAML(typ="safe").load(card.split("---")[1])
    assert front["library_name"] == "peft"
    assert "base_model" not in front  # a folder of this project is nothing that a hub could link to
    for part in (
        "| bleu_4 | 0.0000 | 0.7361 |",
        "Not scored: spice: not asked for.",
        "| kg_co2 | 0.00042 |",
        "| validation_loss | 0.125 |",
        "lr: 0.0003\nlora_rank: 4",
        "| `data/prepared/images` | `c3dfdc15.dir` |",
        "Data (sample): drawn by Lookbook itself, Apache-2.0.",
        f"Base model (`data/models/{NAME}`): part of Lookbook, Apache-2.0.",
        "The prompt is empty",
    ):
        assert part in card, part


def test_a_model_of_the_hub_is_named_with_its_revision(project: Path) -> None:
    revision = "59a1ef6c1e5117b3f65523d1c6066825bcf315e3"
    pinned = {"id": "Salesforce/blip2-opt-2.7b", "revision": revision}
    Path(f"data/models/{NAME}/hub.json").write_text(json.dumps(pinned))
    folder = export()
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == (pinned["id"], revision)
    card = (folder / "README.md").read_text()
    assert YAML(typ="safe").load(card.split("---")[1])["base_model"] == pinned["id"]
    assert f'from_pretrained("{pinned["id"]}", revision="{revision}")' in card
    assert "MIT; its language model" in card


def test_the_card_names_restricted_data_though_params_yaml_names_other_data_by_now(project: Path) -> None:
    with locked() as stages:
        stages["catalogue_prepare"]["params"]["params.yaml"]["dataset"] = "hm"
    assert "dataset: sample" in Path("params.yaml").read_text()
    card = (export() / "README.md").read_text()
    assert "fine-tuned on `hm`" in card
    assert "Kaggle competition: non-commercial" in card
    assert "before you publish it" in card


def test_an_adapter_that_is_not_the_one_of_dvc_lock_is_refused(project: Path) -> None:
    config = Path("data/adapters") / NAME / "adapter_config.json"
    before = config.read_text()
    config.unlink()  # DVC may have linked it to its cache
    config.write_text(before + "\n")
    message = refuse(NAME)
    assert f"data/adapters/{NAME}: not the adapter that dvc.lock records" in message
    assert f"dvc repro {CELL}" in message
    assert not Path("exports").exists()
    config.write_text(before)
    export()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (train_again, f"data/adapters/{NAME} is not what dvc.lock records of caption_generate_ft@{NAME}"),
        (lambda: replace_file(CAPTIONS, "by hand"), f"{CAPTIONS} is not what dvc.lock records of caption_generate_ft"),
        (caption_again, "data/captions is not what dvc.lock records of caption_score"),
        (lambda: replace_file(SCORES, "{}"), f"{SCORES} is not what dvc.lock records of caption_score"),
        (lambda: Path(SCORES).unlink(), f"{SCORES} is not what dvc.lock records of caption_score"),
    ],
    ids=["trained again", "captions by hand", "captioned again", "other scores", "no scores"],
)
def test_scores_that_may_be_of_an_earlier_adapter_are_left_out(
    project: Path, change: Callable[[], Any], reason: str
) -> None:
    change()
    ended = CliRunner().invoke(app, ["export", NAME])
    assert ended.exit_code == 0, ended.output
    assert f"warning: README.md there has no scores: {reason}" in ended.stderr
    card = Path(f"exports/{NAME}/README.md").read_text()
    assert f"## Scores\n\nNone: {reason}" in card
    assert "to score this adapter run: dvc repro caption_score.\n" in card
    assert "bleu_4" not in card


def test_an_adapter_without_scores_says_so(project: Path) -> None:
    replace_file(SCORES, json.dumps({NAME: {"pt": {"bleu_4": 0.0}}}))
    commit("caption_score")
    reason = f"metrics/captions.json has none of {NAME}; to score this adapter run: dvc repro caption_score"
    folder = export(warning=f"warning: README.md there has no scores: {reason}\n")
    assert f"None: {reason}.\n" in (folder / "README.md").read_text()


def test_data_that_was_prepared_after_training_is_not_taken_for_its_own(project: Path) -> None:
    with locked() as stages:
        stages["catalogue_prepare"]["outs"][0]["md5"] = "0a0a0a0a"
    message = refuse(NAME)
    assert f"data/prepared/items.parquet has changed since {CELL} was trained on it" in message
    assert f"dvc repro {CELL}" in message
    with locked() as stages:
        del stages["catalogue_prepare"]
    assert f"catalogue_prepare has not run here; run: dvc repro {CELL}" in refuse(NAME)


def test_without_dvc_nothing_is_claimed(project: Path) -> None:
    shutil.rmtree(".dvc")
    assert "DVC cannot tell whether" in refuse(NAME)


def test_what_cannot_be_exported_is_refused(project: Path) -> None:
    message = refuse("tiny-blip2-op")
    assert f"trained here: {NAME}; did you mean {NAME}?" in message
    assert "dvc repro caption_train@tiny-blip2-op" in message
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")
    assert "mine: exists and is no earlier export" in refuse(NAME, "--out", "mine")
    assert Path("mine/thesis.txt").exists()
    Path("dvc.lock").unlink()
    assert f"caption_train@{NAME} has not run here" in refuse(NAME)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("caption_generate", "precision", "fp16", "caption_generate.precision: 'fp16' is not allowed"),
        ("captioners", NAME, {}, f"captioners.{NAME}.family: missing"),
    ],
)
def test_wrong_parameters_are_refused(project: Path, section: str, key: str, value: object, message: str) -> None:
    params = read_sample()
    params[section][key] = value
    write_values(params, "params.yaml")
    assert message in refuse(NAME, "--merged")
    assert not Path("exports").exists()


def test_an_earlier_export_is_replaced(project: Path) -> None:
    folder = export()
    (folder / "README.md").write_text("old")
    (folder / "parts").mkdir()  # of captions by vLLM
    assert export() == folder
    assert (folder / "README.md").read_text() != "old"
    assert not (folder / "parts").exists()


@pytest.mark.parametrize(
    ("names", "about", "message"),
    [
        (["README.md", "notes.txt"], None, "exists and is no earlier export of a captioner"),
        (["README.md", "adapter_config.json", "adapter_model.safetensors"], None, "exists and is no earlier export"),
        (["README.md"], "[]", "exists and is no earlier export"),
        (["README.md"], '{"program": "elliot", "files": ["README.md"]}', "exists and is no earlier export"),
        (["README.md", "notes.txt"], '{"program": "hub", "files": ["README.md"]}', "an earlier export's, notes.txt"),
        (["README.md", ".git"], '{"program": "hub", "files": ["README.md"]}', "--out mine: holds .git"),
    ],
    ids=["notes", "another adapter", "no object", "an export for Elliot", "notes in an export", "a repository"],
)
def test_a_folder_with_anything_but_an_export_stays(
    project: Path, names: list[str], about: str | None, message: str
) -> None:
    Path("mine").mkdir()
    for name in names:
        Path("mine", name).write_text("mine")
    if about:
        Path("mine/lookbook.json").write_text(about)
    assert message in refuse(NAME, "--out", "mine")
    assert {Path("mine", name).read_text() for name in names} == {"mine"}


@pytest.mark.parametrize("out", [".", "..", "{project}", "data/.."])
def test_the_study_itself_is_not_replaced(project: Path, out: str) -> None:
    Path("README.md").write_text("of the study")
    assert "the working directory, or a folder above it" in refuse(NAME, "--out", out.format(project=project))
    assert Path("README.md").read_text() == "of the study"
