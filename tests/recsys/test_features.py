"""The stage of feature sets: its own section alone is read, unknown names are refused first."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from features.files import read_features
from pipeline.core.errors import UserError
from pipeline.core.params import read
from pipeline.names import with_sections
from recsys import extractors, features
from recsys.encoding.feature_sets import NOTE
from tests.recsys.encoding.examples import IDS, write_study
from tests.test_line import CELLS, COMMANDS, covers, needed_by

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight items, two texts, and the sample's parameters with these texts."""
    monkeypatch.chdir(tmp_path)
    write_study()
    text = (ROOT / "params.yaml").read_text()
    axis = text[text.index("\ntexts:") : text.index("\nrecommenders:")]
    Path("params.yaml").write_text(text.replace(axis, "\ntexts:\n- original\n- augmented"))
    return tmp_path


def test_the_stage_extracts_text_features(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["recsys.features", "--extractor", "sbert"])
    features.main()
    assert "2 texts of 8 items, 4 different, 384 dimensions" in capsys.readouterr().out
    rows = read_features("data/features/text/augmented/sbert").take(sorted(IDS))
    np.testing.assert_array_equal(rows[3], rows[6])  # both without words
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    left_out = Path("data/features/text/masked-ft/sbert")
    assert [path.name for path in left_out.iterdir()] == [NOTE]
    assert not (Path("data/features/text/original/sbert") / NOTE).exists()


@pytest.mark.parametrize(
    ("name", "message"), [("sbrt", "did you mean sbert?"), ("zzz", "must be one of: clip, resbert, resnet50, sbert")]
)
def test_an_unknown_extractor_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["recsys.features", "--extractor", name])
    with pytest.raises(UserError, match=f"^{name!r} is no known extractor.*{re.escape(message)}"):
        features.main()


NAMES = ("clip", "resbert", "resnet50", "sbert")
REFUSALS = """
import json, sys
from recsys.features import main
messages = {}
for name in sys.argv[1:]:
    sys.argv[1:] = ["--extractor", name]
    try:
        main()
    except Exception as error:
        messages[name] = str(error)
print(json.dumps([messages, "torch" in sys.modules]))
"""


def test_wrong_params_are_found_before_torch_is_imported(tmp_path: Path) -> None:
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    for name in NAMES:
        params["rec_features"][name]["batch_size"] = 0
    yaml.dump(params, tmp_path / "params.yaml")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", REFUSALS, *NAMES]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    messages, has_torch = json.loads(ended.stdout)
    assert all(f"rec_features.{name}.batch_size: 0 is not allowed" in messages[name] for name in NAMES)
    assert not has_torch


def test_the_sections_of_other_extractors_are_not_read(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("image_size: 96", "image_size: 7"))
    assert read(with_sections(features.Params, ["sbert"])).rec_features.sbert.model == "minilm"
    monkeypatch.setattr(sys, "argv", ["recsys.features", "--extractor", "resnet50"])
    with pytest.raises(UserError, match=r"rec_features\.resnet50\.image_size: 7 is not allowed"):
        features.main()


def folder_of(name: str) -> Path:
    """The checkpoints of an extractor by the params.yaml here."""
    params = read(with_sections(features.Params, [name]))
    return features.checkpoint_folder(name, extractors.load(name), getattr(params.rec_features, name), params)


@pytest.mark.parametrize(
    ("old", "new", "other"),
    [
        ("image_size: 96", "image_size: 64", {"resnet50"}),
        ("model: tiny-clip", "model: other-clip", {"clip"}),
        ("- augmented\n", "", {"sbert", "resbert", "clip"}),
        (
            "precision: fp32 # fp32, bf16\n    reduce",
            "precision: bf16\n    reduce",
            {"clip", "resbert", "resnet50", "sbert"},
        ),
        ("lr: 0.0005", "lr: 0.0001", set()),
    ],
)
def test_checkpoints_go_by_what_an_extractor_reads(study: Path, old: str, new: str, other: set[str]) -> None:
    names = ["clip", "resbert", "resnet50", "sbert"]
    before = {name: folder_of(name) for name in names}
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new))
    assert {name for name in names if folder_of(name) != before[name]} == other


@pytest.mark.parametrize("name", [name for name in COMMANDS if "recsys.features " in CELLS[name]["cmd"]])
def test_checkpoints_go_by_the_code_that_a_cell_imports(name: str) -> None:
    own = f"recsys/extractors/{CELLS[name]['cmd'].partition('--extractor ')[2].split()[0]}.py"
    listed = {Path(path) for path in (*features.CODE, own)}
    imported = {path for path in needed_by(name) if path.parts[0] != "pipeline"}
    assert sorted(str(path) for path in imported if not any(covers(code, path) for code in listed)) == []
