"""The reader of caption files: of several ids one counts, in every format. test_score.py tests its refusals."""

import json
from pathlib import Path

import pandas as pd
import pytest

from captioning.families.file import IDS, read_caption_rows
from captioning.interchange.caption_files import read_caption_file, read_groups

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
