"""The reader of caption files: of several ids one counts, in every format. test_score.py tests its refusals."""

import json
from pathlib import Path

import pandas as pd
import pytest

from captioning.families.file import IDS, read_caption_rows
from captioning.interchange.caption_files import read_caption_file, read_groups
from captioning.scores.reference_based import score_captions
from pipeline.core.errors import UserError

CASES = Path(__file__).parents[2] / "cases"

ROWS = [
    {"id": 900, "image_id": 70, "item_id": "0007", "caption": "a red dress", "references": ["a red dress", "a dress"]},
    {"id": 901, "image_id": 80, "item_id": "0008", "caption": "a cap", "references": ["a cap"]},
]


def write(path: Path, rows: list[dict]) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".csv":
        pd.DataFrame([row | {"references": json.dumps(row["references"])} for row in rows]).to_csv(path, index=False)
    else:
        pd.DataFrame(rows).to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
@pytest.mark.parametrize(
    ("columns", "ids"),
    [
        (("item_id", "image_id", "id"), ["0007", "0008"]),
        (("item_id", "image_id"), ["0007", "0008"]),
        (("item_id", "id"), ["0007", "0008"]),
        (("image_id", "id"), ["70", "80"]),
        (("id",), ["900", "901"]),
    ],
)
def test_of_several_ids_the_first_of_one_order_counts(
    tmp_path: Path, ending: str, columns: tuple[str, ...], ids: list[str]
) -> None:
    left_out = set(IDS) - set(columns)
    rows = [{name: value for name, value in row.items() if name not in left_out} for row in ROWS]
    path = write(tmp_path / f"file.{ending}", [row | {"group": number} for number, row in enumerate(rows)])
    assert list(read_caption_rows(path)) == ids
    file = read_caption_file(path)
    assert file.captions == dict(zip(ids, ["a red dress", "a cap"], strict=True))
    assert file.references == dict(zip(ids, [["a red dress", "a dress"], ["a cap"]], strict=True))
    assert read_groups(path) == dict(zip(ids, ["0", "1"], strict=True))


def test_references_of_another_file_are_found_by_the_same_order(tmp_path: Path) -> None:
    captions = write(tmp_path / "captions.json", [{name: row[name] for name in ("item_id", "caption")} for row in ROWS])
    others = [{"item_id": "0009", "image_id": "0007", "references": ["a tie"]}]
    references = write(tmp_path / "references.csv", [{**row} for row in ROWS] + [{**ROWS[0], **others[0]}])
    file = read_caption_file(captions, references)
    assert file.references == {"0007": ["a red dress", "a dress"], "0008": ["a cap"]}
    assert file.uncaptioned == ["0009"]


def test_commas_at_the_end_of_rows_shift_nothing() -> None:
    file = read_caption_file(CASES / "05-trailing-comma/trailing.csv")
    assert file == read_caption_file(CASES / "05-trailing-comma/captions.csv")
    assert list(file.captions) == ["1", "2", "3"]


def test_references_that_numpy_wrote_are_six() -> None:
    numpy, lists = (read_caption_file(CASES / f"06-numpy-references/{name}.csv") for name in ("numpy", "lists"))
    assert numpy == lists
    assert sum(map(len, numpy.references.values())) == 6
    scores = score_captions({"": numpy.captions}, numpy.references, None, metrics=["bleu", "cider"]).corpus[""]
    assert 100 * scores["bleu_4"] == pytest.approx(100)
    assert 100 * scores["cider"] == pytest.approx(573.33, abs=0.005)


@pytest.mark.parametrize("where", ["caption", "references", "id"])
def test_half_a_character_is_refused_by_its_id(tmp_path: Path, where: str) -> None:
    with pytest.raises(UserError, match=r"sur\.json: 1 captions have half a character .*, first 1"):
        read_caption_rows(CASES / "29-surrogate/sur.json")
    rows = [{"id": "7", "caption": "a", "references": ["a"]}, {"id": "8", "caption": "b", "references": ["b"]}]
    rows[1] |= {where: ["b \ud83d"] if where == "references" else "b \ud83d"}
    path = write(tmp_path / "file.json", rows)
    with pytest.raises(UserError, match=r"half a character .*, first 8|row 2 has the id 'b \\ud83d'"):
        read_caption_file(path)
    rows[1] |= {where: ["\U0001f457"] if where == "references" else "\U0001f457"}
    assert len(read_caption_file(write(path, rows)).captions) == 2


@pytest.mark.parametrize("word", ["nan", "NaN", "NULL", "None", r"\N", "N/A", " null "])
def test_a_word_for_a_missing_text_is_none(tmp_path: Path, word: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"id,caption,references\n7,a cap,a cap\n8,{word},a tie\n")
    with pytest.raises(UserError, match=r"1 captions are no text, first 8"):
        read_caption_file(path)
    for references in (word, f'"{["a tie", word]}"'):
        path.write_text(f"id,caption,references\n7,a cap,a cap\n8,a tie,{references}\n")
        with pytest.raises(UserError, match=r"1 ids have a reference that is no text, first 8"):
            read_caption_file(path)
    path.write_text(f"id,caption,references\n7,,a cap\n8,{word} of them,{word} of these\n")
    assert list(read_caption_file(path).captions) == ["7", "8"]


@pytest.mark.parametrize(
    "text",
    [
        'id, caption , references\n7, a cap ,"a cap"\n'.replace(" ,", ","),
        '\ufeffid,caption,"references"\r\n7,a cap,a cap\r\n',
        "id,caption,references,\n7,a cap,a cap,\n",
        'id,caption,references,"a, note"\n7,a cap,a cap,"x\ny"\n',
    ],
)
def test_a_csv_in_any_style_has_the_same_captions(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert read_caption_file(tmp_path / "a.csv") == ({"7": "a cap"}, {"7": ["a cap"]}, [])


def test_json_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ROWS), encoding="utf-8-sig")
    assert list(read_caption_rows(tmp_path / "a.json")) == ["0007", "0008"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", b"[" * 100_000, "cannot be read as json"),
        ("a.json", b'[{"id": 1e999, "caption": "a"}]', "row 1 has the id inf"),
        ("a.json", b"\xff\xfe[", "cannot be read as json"),
        ("a.csv", b"id,caption\n7,a,b\n", "line 2: 3 cells for 2 columns"),
        ("a.csv", b"id,caption,caption\n7,a,b\n", "more than one column caption"),
        ("a.csv", b"id,caption,references\n7,a,\"['a' 'b'\"\n", "references that begin like a list and are none"),
        ("a.parquet", b"PAR1", "cannot be read as parquet"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_caption_file(tmp_path / name)
