"""`lookbook score` as its users meet it: the references' figures in every format, and every wrong file a message."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from lookbook.cli.main import app
from tests.helpers.captions import golden
from tests.helpers.full import full

NAMES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider")
NO_SPICE = ("--metrics", "bleu,meteor,rouge_l,cider")
ROWS = [
    {"id": 7, "caption": "a red dress", "references": ["a red dress with sleeves", "the red dress"]},
    {"id": 8, "caption": "", "references": ["blue jeans in denim"]},
    {"id": 9, "caption": 'a "soft" cap, [new]', "references": ["a cap in soft cotton"]},
]


def score(file: Path, *more: object) -> Result:
    return CliRunner().invoke(app, ["score", str(file), *map(str, more)])


def scores_of(file: Path, folder: Path, *more: object) -> dict[str, float]:
    out = folder / "scores.json"
    ended = score(file, "--json", out, *more)
    assert ended.exit_code == 0, ended.output
    return json.loads(out.read_text())


def refusal(file: Path, *more: object) -> str:
    """Return the message of a refusal, which is one line without a traceback."""
    ended = score(file, *more)
    assert (ended.exit_code, ended.exception.__class__) == (1, SystemExit), ended.output
    assert ended.output.startswith("error: ")
    return ended.output


def as_json(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(rows))
    return path


def as_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    pd.DataFrame([row | {"references": json.dumps(row["references"])} for row in rows]).to_csv(path, index=False)
    return path


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pd.DataFrame(rows).to_parquet(path, index=False)
    return path


@pytest.mark.slow
def test_coco_has_the_references_figures(tmp_path: Path) -> None:
    """COCO's results and annotations give the scores of the official programs, per item too."""
    rows, golden_scores = golden("coco_val_a.captions"), golden("coco_val_a.scores")
    results = as_json(tmp_path / "results.json", [{"image_id": row["id"], "caption": row["caption"]} for row in rows])
    texts = [(row["id"], text) for row in rows for text in row["references"]]
    annotations = [
        {"image_id": image, "id": 1000 + index, "caption": text} for index, (image, text) in enumerate(texts)
    ]
    (tmp_path / "annotations.json").write_text(json.dumps({"images": [], "annotations": annotations}))
    items = tmp_path / "items.parquet"
    options = ("--references", tmp_path / "annotations.json", "--per-item", items, *NO_SPICE)
    scores = scores_of(results, tmp_path, *options)
    assert set(scores) == set(NAMES)
    table = pd.read_parquet(items)
    assert table["id"].tolist() == [str(row["id"]) for row in rows]
    table = table.set_index("id").loc[[str(item) for item in golden_scores["ids"]]]
    for name in NAMES:
        assert scores[name] == pytest.approx(golden_scores["corpus"][name], abs=1e-9), name
        np.testing.assert_allclose(table[name], golden_scores["items"][name], rtol=0, atol=1e-9, err_msg=name)


@full
@pytest.mark.slow
@pytest.mark.usefixtures("fetched_corenlp")
def test_coco_has_the_spice_of_the_official_program(tmp_path: Path) -> None:
    official = {str(row["image_id"]): row["scores"]["All"]["f"] for row in golden("spice_coco_val_a200")}
    rows = [row for row in golden("coco_val_a.captions") if str(row["id"]) in official]
    items = tmp_path / "items.csv"
    scores = scores_of(as_json(tmp_path / "coco.json", rows), tmp_path, "--per-item", items, "--metrics", "spice")
    table = pd.read_csv(items, dtype={"id": str}).set_index("id")["spice"]
    assert table.to_dict() == official
    assert scores["spice"] == pytest.approx(np.mean(list(official.values())), abs=1e-12)
    assert {"spice_object", "spice_attribute", "spice_relation", "spice_color"} <= set(scores)


@pytest.mark.slow
@pytest.mark.parametrize("write", [as_json, as_csv, as_parquet])
def test_every_format_gives_the_same_scores(
    tmp_path: Path, write: Callable[[Path, list[dict[str, Any]]], Path]
) -> None:
    suffix = write.__name__.removeprefix("as_")
    scores = scores_of(write(tmp_path / f"file.{suffix}", ROWS), tmp_path, "--metrics", "bleu,rouge_l")
    texts = [row | {"id": str(row["id"])} for row in ROWS]  # ids as text
    assert scores == scores_of(as_json(tmp_path / "texts.json", texts), tmp_path, "--metrics", "bleu,rouge_l")
    assert 0 < scores["rouge_l"] < 1


@pytest.mark.slow
def test_items_are_written_in_each_format(tmp_path: Path) -> None:
    file = as_json(tmp_path / "file.json", ROWS)
    tables = []
    for suffix, read in ((".parquet", pd.read_parquet), (".csv", pd.read_csv), (".json", pd.read_json)):
        ended = score(file, "--metrics", "bleu,cider", "--per-item", tmp_path / f"items{suffix}")
        assert ended.exit_code == 0, ended.output
        tables.append(read(tmp_path / f"items{suffix}"))
    for table in tables:
        assert table["id"].astype(int).tolist() == [7, 8, 9]
        assert table["caption"].fillna("").tolist() == [row["caption"] for row in ROWS]
        np.testing.assert_allclose(table["cider"], tables[0]["cider"], atol=1e-9)


def test_what_is_not_scored_is_na_and_never_0(tmp_path: Path) -> None:
    ended = score(as_json(tmp_path / "file.json", ROWS), "--metrics", "rouge_l,cider")
    lines = {line.split()[0]: line for line in ended.output.splitlines() if line.strip()}
    assert "n/a" in lines["SPICE"]
    assert "not in --metrics" in lines["METEOR"]
    assert "document frequencies from the references of these 3 items" in lines["CIDEr"]


def test_items_without_a_caption_are_counted(tmp_path: Path) -> None:
    """COCO's results may cover a part of the images; CIDEr of a single caption is always 0."""
    file = as_json(tmp_path / "results.json", [{"image_id": 1, "caption": "a red dress"}])
    annotations = [{"image_id": image, "id": image, "caption": "a red dress"} for image in (1, 2, 3)]
    (tmp_path / "annotations.json").write_text(json.dumps({"annotations": annotations}))
    ended = score(file, "--references", tmp_path / "annotations.json", "--metrics", "cider")
    assert "2 ids with references have no caption here; first 2, 3" in ended.output
    assert "always 0 for a single item" in ended.output


def test_spice_without_corenlp_is_one_message_that_says_what_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = refusal(as_json(tmp_path / "file.json", ROWS))
    assert "lookbook fetch corenlp" in message
    assert message.count("\n") == 1


def test_captions_without_references_are_counted_and_the_first_five_named(tmp_path: Path) -> None:
    rows = [{"id": index, "caption": "a cap"} for index in range(8)]
    file = as_json(tmp_path / "file.json", rows)
    assert "8 of 8 captions have no references; name a file" in refusal(file)
    others = as_json(tmp_path / "references.json", [{"id": 3, "references": ["a cap"]}, {"id": 9, "references": ["b"]}])
    message = refusal(file, "--references", others)
    assert "7 of 8 captions have no references in" in message
    assert "first 0, 1, 2, 4, 5, …\n" in message


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ([*ROWS, ROWS[0], ROWS[0] | {"id": "8"}], "2 ids come more than once, first 7, 8"),
        ([ROWS[0] | {"caption": float("nan")}], "1 captions are no text, first 7"),
        ([ROWS[0] | {"caption": None}], "1 captions are no text, first 7"),
        ([ROWS[0] | {"references": ["a cap", None]}], "1 ids have a reference that is no text, first 7"),
        ([ROWS[0] | {"references": []}], "1 of 1 captions have no references"),
        ([{"id": 7, "references": ["a"]}], "row 1 has no `caption`; it has id, references"),
        ([{"key": 7, "caption": "a"}], "no `id` (or item_id, image_id); it has key, caption"),
        ([ROWS[0] | {"id": 7.5}], "row 1 has the id 7.5; it must be a text or a whole number"),
        ([], "no rows"),
        ({"captions": []}, "expected a list of objects"),
    ],
)
def test_a_wrong_file_is_refused_with_a_message(tmp_path: Path, changed: Any, message: str) -> None:
    assert message in refusal(as_json(tmp_path / "file.json", changed), *NO_SPICE)


def test_missing_values_of_tables_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "file.csv"
    table.write_text('id,caption,references\n1,nan,"a cap"\n2,,"a cap"\n')
    assert "1 captions are no text, first 1" in refusal(table, *NO_SPICE)  # an empty cell is an empty caption
    pd.DataFrame({"id": [1, 2], "caption": ["a", None], "references": [["a"], ["b"]]}).to_parquet(
        tmp_path / "f.parquet"
    )
    assert "1 captions are no text, first 2" in refusal(tmp_path / "f.parquet", *NO_SPICE)


def test_wrong_options_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    assert "'cidre' is none of" in refusal(file, "--metrics", "bleu,cidre")
    assert "did you mean cider" in refusal(file, "--metrics", "bleu,cidre")
    assert "--per-item items.txt: the name must end in one of: .parquet, .csv, .json" in refusal(
        file, "--per-item", "items.txt"
    )
    assert "no such file" in refusal(file, *NO_SPICE)
    (tmp_path / "file.txt").write_text("x")
    assert "ends in .csv, .json, .parquet" in refusal(tmp_path / "file.txt", *NO_SPICE)
    file.write_text("{not json")
    assert "cannot be read as json" in refusal(file, *NO_SPICE)
