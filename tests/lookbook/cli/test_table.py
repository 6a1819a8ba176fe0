"""`lookbook table` and `lookbook figure`: what they print and write, and what they refuse."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from lookbook.cli.main import app
from lookbook.reporting.tables.published import CAPTION_METRICS, read_published
from tests.helpers.repository import ROOT


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the repository: its metrics are in git."""
    monkeypatch.chdir(ROOT)


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_a_table_is_printed_in_each_format_with_the_chosen_columns() -> None:
    text = call("table", "captions", "--format", "csv", "--columns", "cider,bleu_4").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["captioner", "variant", "cider", "bleu_4"]
    latex = call("table", "captions", "--columns", "bleu_4").stdout
    assert r"\begin{tabular}{llr}" in latex
    markdown = call("table", "captions", "--format", "markdown", "--columns", "bleu_4").stdout
    assert "| Captioner | Captions | BLEU-4 |" in markdown


@pytest.mark.parametrize(
    ("name", "columns", "kept", "left_out"),
    [
        ("masked", "n", ["recommender", "a", "b", "n"], ["mean_a", "difference", "p_holm"]),
        ("captions-differences", "p,n", ["captioner", "a", "b", "p", "p_holm", "n"], ["mean_b", "low", "wins"]),
        ("arrivals", "similarity", ["source", "features", "similarity"], ["vbpr", "difference_PT", "low_no words"]),
        ("warm", "on_all_items", ["arm", "recommender", "ndcg_12"], ["ndcg_masked_12"]),
    ],
)
def test_a_csv_has_the_columns_that_name_a_row_and_those_chosen(
    name: str, columns: str, kept: list[str], left_out: list[str]
) -> None:
    names = call("table", name, "--format", "csv", "--columns", columns).stdout.splitlines()[0].split(",")
    assert [column for column in names if column in kept] == kept
    assert not set(names) & set(left_out)


def test_the_layout_of_the_original_study_has_its_columns_and_rows_alone() -> None:
    """So that both tables can stand side by side in a paper."""
    for name, dataset in (("captions", "facad"), ("recommendations", "")):
        table = pd.read_csv(io.StringIO(call("table", name, "--layout", "study", "--format", "csv").stdout))
        published = read_published(name)
        if dataset:
            published = published.drop(columns="dataset").rename(columns=CAPTION_METRICS)
        assert table.columns.tolist() == published.columns.tolist()
        second = table.columns[1]
        assert set(table[second].str.lower()) <= set(published[second].str.lower())
    scored = json.loads((ROOT / "metrics/captions.json").read_text())
    captions = pd.read_csv(io.StringIO(call("table", "captions", "--layout", "study", "--format", "csv").stdout))
    assert captions["cider"].tolist() == [
        scored[row.captioner][row.variant.lower()]["cider"] for row in captions.itertuples()
    ]
    latex = call("table", "recommendations", "--layout", "study").stdout
    assert r"NDCG@5 & NDCG@12 & MAP-Elliot@5 & MAP-Elliot@12 \\" in latex
    assert "Textual (SentenceBERT)" in latex


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("table", "caption"), "did you mean captions?"),
        (("table", "captions", "--columns", "blue_4"), "did you mean bleu_4?"),
        (("table", "captions", "--against", "published"), "this is captions of sample"),
        (("table", "captions", "--layout", "study", "--against", "published"), "leave one out"),
        (("table", "masked", "--layout", "study"), "printed captions and recommendations, not masked"),
        (("table", "cost", "--intervals"), "--intervals"),
        (("figure", "slop", "--out", "x.pdf"), "did you mean slope?"),
        (("figure", "slope", "--out", "x.jpg"), ".svg, .pdf, .png"),
        (("figure", "slope", "--out", "x.svg", "--items", "7"), "--items: for the figure examples alone"),
    ],
)
def test_what_there_is_not_is_one_clear_message(words: tuple[str, ...], message: str) -> None:
    result = call(*words)
    assert result.exit_code == 1
    assert message in result.stderr


def test_a_figure_is_written_with_a_table_of_what_is_drawn(tmp_path: Path) -> None:
    result = call("figure", "cost", "--width", "column", "--out", str(tmp_path / "fig.pdf"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "fig.pdf").read_bytes().startswith(b"%PDF")
    with open(tmp_path / "fig.csv", encoding="utf-8") as file:
        assert {row["stage"] for row in csv.DictReader(file)} >= {"fine-tuning tiny-llava"}
