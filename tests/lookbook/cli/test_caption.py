"""`lookbook caption`: captions of any pictures, without and with an adapter."""

import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from captioning.modelling import apply_lora, load
from lookbook.cli.main import app
from sample.pretraining.examples import core_accuracy, draw_pictures
from tests.helpers.params_files import read_sample, write_values

ROOT = Path(__file__).parents[3]
NAME = "tiny-blip2-opt"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the study's parameters and models, and three pictures as PNG: `pictures(3, seed=5)`."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/models").symlink_to(ROOT / "data/models")
    shutil.copy(ROOT / "studies/sample.yaml", tmp_path / "params.yaml")
    for number, picture in enumerate(draw_pictures(3, seed=5)):
        picture.image.save(tmp_path / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save_adapter(folder: Path) -> None:
    """Write an adapter that changes captions: LoRA's second matrix, zero before training, is random."""
    torch.manual_seed(0)
    plain = load(Path("data/models") / NAME, "blip2_opt", torch.float32)
    captioner = apply_lora(plain, "all-linear", 4, 64, 0.0, True)
    for name, weight in captioner.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    captioner.model.save_pretrained(folder)


def caption_by_path(*words: str) -> dict[str, str]:
    """Run `lookbook caption` and return path -> caption."""
    ended = CliRunner().invoke(app, ["caption", *words])
    assert ended.exit_code == 0, ended.output
    return dict(line.split("\t") for line in ended.stdout.splitlines())


def refuse(*words: str) -> str:
    ended = CliRunner().invoke(app, ["caption", *words])
    assert ended.exit_code == 1
    assert ended.stdout == ""
    return ended.stderr


def test_a_line_for_each_picture(project: Path) -> None:
    captions = caption_by_path("2.png", "0.png", "1.png")
    assert list(captions) == ["2.png", "0.png", "1.png"]
    shown = [picture.garment for picture in draw_pictures(3, seed=5)]
    shares = core_accuracy([captions[f"{number}.png"] for number in range(3)], shown)
    assert sum(shares.values()) / len(shares) > 0.6


def test_another_captioner(project: Path) -> None:
    assert caption_by_path("0.png") == caption_by_path("0.png", "--captioner", NAME)  # the study's writer
    assert set(caption_by_path("0.png", "--captioner", "tiny-llava")) == {"0.png"}


def test_the_study_s_own_adapter_is_the_default(project: Path) -> None:
    plain = caption_by_path("0.png", "1.png")
    save_adapter(Path("data/adapters") / NAME)
    save_adapter(Path("elsewhere"))
    with_adapter = caption_by_path("0.png", "1.png")
    assert with_adapter != plain
    assert caption_by_path("0.png", "1.png", "--adapter", "elsewhere") == with_adapter
    assert caption_by_path("0.png", "1.png", "--pretrained") == plain


def test_what_cannot_be_captioned_is_refused(project: Path) -> None:
    assert "error: nothing.png: No such file" in refuse("0.png", "nothing.png")
    Path("text.png").write_text("no picture")
    assert "error: text.png: not an image" in refuse("text.png")
    assert "did you mean tiny-llava?" in refuse("0.png", "--captioner", "tiny-lava")
    assert "no adapter_model.safetensors" in refuse("0.png", "--adapter", "nowhere")
    assert "exclude each other" in refuse("0.png", "--adapter", "nowhere", "--pretrained")


def test_an_adapter_of_another_base_is_refused(project: Path) -> None:
    save_adapter(Path("adapter"))
    message = refuse("0.png", "--captioner", "tiny-blip2-t5", "--adapter", "adapter")
    assert f"adapter was trained on data/models/{NAME}, not on data/models/tiny-blip2-t5" in message


def test_a_captioner_of_family_file_is_refused(project: Path) -> None:
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("captioners:\n", "captioners:\n  replay:\n    family: file\n"))
    assert "data/models/replay: a captioner of family file has captions and no model" in refuse(
        "0.png", "--captioner", "replay"
    )


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("caption_generate", "batch_size", 0, "caption_generate.batch_size: 0 is not allowed"),
        ("caption_generate", "precision", "fp16", "caption_generate.precision: 'fp16' is not allowed"),
        ("captioners", "tiny-llava", {}, "captioners.tiny-llava.family: missing"),
    ],
)
def test_wrong_parameters_are_refused(project: Path, section: str, key: str, value: object, message: str) -> None:
    params = read_sample()
    params[section][key] = value
    write_values(params, "params.yaml")
    assert message in refuse("0.png", "--captioner", "tiny-llava")


def test_a_missing_gpu_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("device: cpu", "device: cuda"))
    assert "error: params.yaml: device: cuda, but PyTorch finds no GPU here" in refuse("0.png")
