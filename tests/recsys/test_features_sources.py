"""The stage of the sources' features: its own section alone is read, and its folder has the sources of params.yaml."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.files import read_features
from pipeline.core.outputs import write_parquet
from pipeline.core.params import read
from pipeline.names import with_sections
from recsys import features_sources
from tests.recsys.encoding.examples import IDS, write_study
from tests.test_line import CELLS, COMMANDS, covers, needed_by

ROOT = Path(__file__).parents[2]
ARRIVALS = sorted(IDS)[:3]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight items, the text `original`, and two sources of three arrivals."""
    monkeypatch.chdir(tmp_path)
    write_study()
    text = (ROOT / "params.yaml").read_text()
    texts = text[text.index("\ntexts:") : text.index("\nrecommenders:")]
    sources = text[text.index("\nsources:") : text.index("\nimputations:")]
    text = text.replace(texts, "\ntexts:\n- original").replace(sources, "\nsources:\n- none\n- reference")
    Path("params.yaml").write_text(text)
    original = pd.read_parquet("data/texts/original.parquet").set_index("item_id")["text"]
    for source, words in {"none": [""] * 3, "reference": original[ARRIVALS].tolist()}.items():
        write_parquet(f"data/sources/{source}.parquet", pd.DataFrame({"item_id": ARRIVALS, "text": words}))
    return tmp_path


def run_stage(folder: Path, module: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_the_stage_writes_a_folder_for_each_source(study: Path) -> None:
    for module in ("recsys.features", "recsys.features_sources"):
        ended = run_stage(study, module, "--extractor", "sbert")
        assert ended.returncode == 0, ended.stderr
    assert "2 sources, 0 texts encoded (2 threads)" in ended.stdout  # original has the empty text too
    folder = Path("data/features/sources/sbert")
    assert sorted(path.name for path in folder.iterdir()) == ["none", "reference"]
    rows = read_features(folder / "reference").take(ARRIVALS)
    np.testing.assert_array_equal(rows, read_features("data/features/text/original/sbert").take(ARRIVALS))


def test_the_text_original_is_needed(study: Path) -> None:
    ended = run_stage(study, "recsys.features_sources", "--extractor", "sbert")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: data/features/text/original/sbert: no features with a columns.json")


@pytest.mark.parametrize(
    ("name", "message"),
    [("sbrt", "did you mean sbert?"), ("resnet50", "resnet50.py: no text_vectors: an extractor of text features")],
)
def test_an_extractor_that_reads_no_texts_is_refused(study: Path, name: str, message: str) -> None:
    ended = run_stage(study, "recsys.features_sources", "--extractor", name)
    assert ended.returncode == 1
    assert message in ended.stderr


@pytest.mark.parametrize(
    ("old", "new", "other"),
    [
        ("model: tiny-clip", "model: other-clip", {"clip"}),
        ("\n- none\n", "\n- table\n", {"sbert", "resbert", "clip"}),
        ("lr: 0.0005", "lr: 0.0001", set()),
    ],
)
def test_checkpoints_go_by_what_a_cell_reads(study: Path, old: str, new: str, other: set[str]) -> None:
    def folders() -> dict[str, Path]:
        found = {}
        for name in ("clip", "resbert", "sbert"):
            params = read(with_sections(features_sources.Params, [name]))
            found[name] = features_sources.checkpoint_folder(name, getattr(params.rec_features, name), params)
        return found

    before = folders()
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new))
    assert {name for name, folder in folders().items() if folder != before[name]} == other


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.startswith("rec_features_sources")])
def test_checkpoints_go_by_the_code_that_a_cell_imports(name: str) -> None:
    own = f"recsys/extractors/{CELLS[name]['cmd'].partition('--extractor ')[2].split()[0]}.py"
    listed = {Path(path) for path in (*features_sources.CODE, own)}
    imported = {path for path in needed_by(name) if path.parts[0] != "pipeline"}
    assert sorted(str(path) for path in imported if not any(covers(code, path) for code in listed)) == []
