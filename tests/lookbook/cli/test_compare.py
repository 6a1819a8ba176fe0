"""`lookbook compare`: the paired test of two caption files."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lookbook.cli.main import app
from lookbook.comparison.correction import holm
from tests.helpers.captions import golden

FAST = "bleu,rouge_l,cider"  # METEOR takes seconds to load
METRICS = f"{FAST},meteor"
ITEMS = 100


def compare(*options: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, options)])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Write COCO captions, and a copy that lacks every second word of two in three; in groups of two."""
    folder = tmp_path_factory.mktemp("files")
    rows = [row | {"group": index // 2} for index, row in enumerate(golden("coco_val_a.captions")[:ITEMS])]
    worse = [
        row | {"caption": " ".join(row["caption"].split()[:: 2 if index % 3 else 1])} for index, row in enumerate(rows)
    ]
    for name, table in (("a", rows), ("b", worse[::-1])):
        (folder / f"{name}.json").write_text(json.dumps(table))
    return folder / "a.json", folder / "b.json"


@pytest.fixture(scope="module")
def compared(files: tuple[Path, Path]) -> tuple[dict[str, Any], str]:
    out = files[0].with_name("out.json")
    ended = compare(*files, "--json", out, "--metrics", METRICS)
    assert ended.exit_code == 0, ended.output
    return json.loads(out.read_text()), ended.output


@pytest.mark.slow
def test_it_says_which_is_better_by_how_much_and_what_could_have_been_shown(compared: Any) -> None:
    result, output = compared
    assert (result["items"], result["groups"], result["draws"]) == (ITEMS, ITEMS // 2, 10_000)
    for metric, row in result["metrics"].items():
        assert row["mean_a"] > row["mean_b"], metric
        assert row["difference"] == pytest.approx(row["mean_a"] - row["mean_b"], abs=1e-12)
        assert 0 < row["low"] <= row["difference"] <= row["high"]
        assert row["wins"] + row["ties"] + row["losses"] == row["n"] == ITEMS
        assert row["ties"] >= ITEMS // 3  # captions that are the same
        assert 0 < row["detectable"] < 2 * row["difference"]
    tested = [row for metric, row in result["metrics"].items() if metric != "length_ratio"]
    assert holm([row["p"] for row in tested]) == [row["p_holm"] for row in tested]
    assert "p_holm" not in result["metrics"]["length_ratio"]
    assert "win / tie / loss" in output
    assert output.rstrip().endswith("of two fine-tuned captioners this compares one training run each.")


@pytest.mark.slow
def test_the_figures_are_those_of_lookbook_score(files: tuple[Path, Path], compared: Any, tmp_path: Path) -> None:
    for file, key, metrics in zip(files, ("mean_a", "mean_b"), (METRICS, FAST), strict=True):
        out = tmp_path / "scores.json"
        ended = CliRunner().invoke(app, ["score", str(file), "--json", str(out), "--metrics", metrics])
        assert ended.exit_code == 0, ended.output
        for metric, value in json.loads(out.read_text()).items():
            assert compared[0]["metrics"][metric][key] == pytest.approx(value, abs=1e-12), metric


def test_a_file_against_itself_differs_by_nothing(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert compare(files[0], files[0], "--json", out, "--metrics", "bleu,rouge_l").exit_code == 0
    for row in json.loads(out.read_text())["metrics"].values():
        assert (row["difference"], row["low"], row["high"], row["p"], row["ties"]) == (0, 0, 0, 1, ITEMS)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(rows))
    return path


def test_what_cannot_be_paired_is_left_out_and_counted_or_refused(tmp_path: Path) -> None:
    rows = [
        {"id": index, "caption": f"a cap {index}", "references": ["a red cap"], "group": index} for index in range(9)
    ]
    a = write(tmp_path / "a.json", rows)
    ended = compare(a, write(tmp_path / "b.json", rows[2:]), "--metrics", "rouge_l")
    assert f"left out: 2 items of {a} that the other file lacks" in ended.output
    for changed, message in (
        ([row | {"id": f"x{row['id']}"} for row in rows], "no id in common (first 0 against x0)"),
        ([row | {"references": ["a cap"]} for row in rows], "the references of 9 of 9 ids differ; first 0, 1, 2, 3, 4"),
        ([row | {"group": 0} for row in rows], "the groups of 8 ids differ; first 1, 2, 3, 4, 5"),
        (
            [*({**row} for row in rows[1:]), {key: rows[0][key] for key in ("id", "caption", "references")}],
            "row 9 has no `group`",
        ),
    ):
        ended = compare(a, write(tmp_path / "b.json", changed), "--metrics", "rouge_l")
        assert ended.exit_code == 1
        assert message in ended.output
