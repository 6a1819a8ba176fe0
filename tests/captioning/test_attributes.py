import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from captioning import attributes
from captioning.tagging import extract
from captioning.tagging import vocabulary as vocabularies
from pipeline.core.errors import UserError
from sample.garments.attributes import sample
from sample.garments.wording import describe

ROOT = Path(__file__).parents[2]
ITEMS = pd.DataFrame(
    [
        ("0000000001", "red cotton shirt with long sleeves.", "red", "train"),
        ("0000000002", "shirt with a zip.", "other", "train"),
        ("0000000003", None, "blue", None),
        ("0000000004", "cotton skirt with a zip.", "blue", "test"),
        ("0000000005", "shirt with a zip.", "green", None),
    ],
    columns=["item_id", "description", "colour", "split"],
).assign(original=lambda items: items["split"].notna(), attributes=None)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/prepared").mkdir(parents=True)
    (tmp_path / "data/models").mkdir()
    (tmp_path / "data/models/tiny-stanza").symlink_to(ROOT / "data/models/tiny-stanza")
    ITEMS.to_parquet("data/prepared/items.parquet")
    shutil.copy(ROOT / "studies/sample.yaml", "params.yaml")
    return tmp_path


def set_params(project: Path, **switches: object) -> None:
    text = (project / "params.yaml").read_text()
    head, section = text.split("caption_attributes:\n")
    lines = section.splitlines(keepends=True)
    for key, value in switches.items():
        number = next(number for number, line in enumerate(lines) if line.startswith(f"  {key}:"))
        lines[number] = f"  {key}: {value}\n"
    (project / "params.yaml").write_text(head + "caption_attributes:\n" + "".join(lines))


def read_outputs() -> tuple[dict[str, list[str]], list[str]]:
    items = pd.read_parquet("data/attributes/items.parquet")
    return dict(zip(items["item_id"], map(list, items["attributes"]), strict=True)), json.loads(
        Path("data/attributes/vocabulary.json").read_text()
    )


def test_attributes_of_every_description_and_vocabulary_of_training(project: Path) -> None:
    set_params(project, min_count=1)
    attributes.main()
    items, vocabulary = read_outputs()
    assert items == {
        "0000000001": ["red", "cotton", "shirt", "long", "sleeve"],  # the colour once
        "0000000002": ["shirt", "zip"],  # "other" is no colour
        "0000000004": ["blue", "cotton", "skirt", "zip"],
        "0000000005": ["green", "shirt", "zip"],
    }
    assert vocabulary == ["cotton", "long", "red", "shirt", "sleeve", "zip"]


def test_a_tagger_takes_the_threads_of_the_machine_and_the_small_one_takes_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(params.replace("  threads: 2", "  threads: 3"))
    taken, torch_threads = [], extract.torch_threads

    def take(number: int) -> AbstractContextManager[None]:
        taken.append(number)
        return torch_threads(number)

    monkeypatch.setattr(extract, "torch_threads", take)
    attributes.main()
    monkeypatch.setattr(extract, "TINY", "another")
    attributes.main()
    assert list(dict.fromkeys(taken)) == [1, 3]


def test_a_shops_colours_are_words_that_a_caption_can_match(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    colours = ["Black", "Navy Blue", "blue", "Black/White", "Zq7"]
    ITEMS.assign(colour=colours).to_parquet("data/prepared/items.parquet")
    set_params(project, min_count=1, corpus="all")
    attributes.main()
    items, vocabulary = read_outputs()
    assert items["0000000001"] == ["black", "red", "cotton", "shirt", "long", "sleeve"]
    assert items["0000000002"] == ["navy", "blue", "shirt", "zip"]
    assert items["0000000004"] == ["black", "white", "cotton", "skirt", "zip"]
    assert items["0000000005"] == ["zq7", "shirt", "zip"]
    assert vocabulary == sorted(word for word in vocabulary if word.islower() and " " not in word)
    assert "warning" not in capsys.readouterr().err


def test_the_small_tagger_on_a_shops_own_words_warns(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("dataset: sample", "dataset: boutique"))
    attributes.main()
    warning = capsys.readouterr().err
    assert "warning: caption_attributes.tagger: tiny-stanza is trained on the sample's sentences alone" in warning
    assert "stanza.download('en', model_dir='data/models/stanza-en'" in warning


def test_corpus_colour_and_min_count(project: Path) -> None:
    set_params(project, min_count=2, corpus="all", colour="false")
    attributes.main()
    items, vocabulary = read_outputs()
    assert items["0000000004"] == ["cotton", "skirt", "zip"]
    assert vocabulary == ["cotton", "shirt", "zip"]  # item 5 is no original


def test_attributes_that_come_with_the_data_are_taken_as_they_are(project: Path) -> None:
    """FACAD's: no tagger runs, and the vocabulary has every attribute, however rare."""
    own = [["Red", "crew neck"], ["zip"], ["unseen"], [], ["zip"]]
    ITEMS.assign(attributes=own).to_parquet("data/prepared/items.parquet")
    (project / "data/models/tiny-stanza").unlink()
    attributes.main()
    items, vocabulary = read_outputs()
    assert items == {
        "0000000001": ["red", "crew neck"],
        "0000000002": ["zip"],
        "0000000004": [],
        "0000000005": ["zip"],
    }
    assert vocabulary == ["crew neck", "red", "zip"]


def test_same_bytes_on_every_run(project: Path) -> None:
    attributes.main()
    first = Path("data/attributes/items.parquet").read_bytes()
    attributes.main()
    assert Path("data/attributes/items.parquet").read_bytes() == first


def test_a_missing_tagger_leaves_nothing_behind(project: Path) -> None:
    set_params(project, tagger="real-stanza")
    with pytest.raises(UserError, match=r"data/models/real-stanza: no Stanza pipeline"):
        attributes.main()
    assert not list(project.glob("data/attributes*"))


def test_wrong_switches_are_all_named(project: Path) -> None:
    set_params(project, unit="lemmas", min_count=0, hyphen="joined")
    with pytest.raises(UserError, match=r"3 error") as error:
        attributes.main()
    assert "caption_attributes.unit: 'lemmas' is not allowed" in str(error.value)
    assert "did you mean lemma?" in str(error.value)


def write_many(count: int) -> None:
    """Write so many items with different descriptions."""
    rng = Random(5)
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts[describe(sample(rng), rng).lower()] = None
    table = pd.DataFrame({"item_id": [f"{number:010}" for number in range(count)], "description": list(texts)})
    table.assign(colour="red", split="train", original=True, attributes=None).to_parquet("data/prepared/items.parquet")


def test_tagged_chunks_are_stored_until_the_attributes_are_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(vocabularies, "write_parquet", full)
        with pytest.raises(OSError, match="disk full"):
            attributes.main()
    chunks = list(project.glob(".checkpoints/caption_attributes-*/*.safetensors"))
    assert len(chunks) == 2  # of descriptions, and of colours
    attributes.main()
    assert not list(project.glob(".checkpoints/*"))


@pytest.mark.slow
def test_killed_in_the_middle_and_run_again_gives_the_same_bytes(project: Path) -> None:
    write_many(2200)
    command = [sys.executable, "-m", "captioning.attributes"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 120
    while not (chunks := list(project.glob(".checkpoints/*/attributes-*.safetensors"))):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not list(project.glob("data/attributes*"))
    before = {path: path.stat().st_mtime_ns for path in chunks}
    again = subprocess.Popen(command, env=environment)
    reused = True
    while again.poll() is None:
        seen = {path: path.stat().st_mtime_ns for path in before if path.exists()}
        reused = reused and all(before[path] == moment for path, moment in seen.items())
        time.sleep(0.02)
    assert again.returncode == 0
    assert reused  # no finished chunk was written again
    resumed = [Path("data/attributes", name).read_bytes() for name in ("items.parquet", "vocabulary.json")]
    subprocess.run(command, env=environment, check=True)
    assert [Path("data/attributes", name).read_bytes() for name in ("items.parquet", "vocabulary.json")] == resumed
