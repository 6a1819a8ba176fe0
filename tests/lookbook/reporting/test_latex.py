"""Tables for papers: best and second, marks, hostile texts, and that pdflatex compiles all of it."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lookbook.reporting.formatting import MARKS, Table
from lookbook.reporting.latex import MOST_ROWS, escape, name_macro, write_document, write_latex, write_numbers
from lookbook.reporting.page.pages import TEMPLATES
from lookbook.reporting.rendering import make_environment
from lookbook.reporting.tables.recommendations import beyond_accuracy_table
from tests.helpers.hostile import HOSTILE

ROWS = [
    ["one", "PT", "10.0", "0.50"],
    ["one", "FT", "30.0***", "0.90"],
    ["two", "PT", "20.0", "1.20"],
    ["", "ceiling", "99.0", "1.00"],
]


HEADER = ("Captioner", "Captions", "BLEU-4", "Length")
HEADING_OF = {"bleu_4": "BLEU-4", "length_ratio": "Length"}


def table(rows: list[list[str]] = ROWS, **more: Any) -> Table:
    frame = pd.DataFrame({"captioner": ["one", "one", "two", ""], "bleu_4": [0.1, 0.3, 0.2, 0.99], "length_ratio": 1.0})
    return Table("name", "A title", list(HEADER), rows, 2, frame, heading_of=HEADING_OF, **more)


def row(**more: Any) -> dict[str, Any]:
    figures = {"difference": -0.01, "low": -0.02, "high": 0.0, "p_holm": 0.0004, "n": 1100, "metric": "ndcg_12"}
    return {"table": "arrivals", "recommender": "vbpr-sbert", "a": "tiny-ft", "b": "tiny-pt"} | figures | more


def test_the_best_is_bold_and_the_second_underlined_among_what_may_be_compared() -> None:
    text = write_latex(table(compared=[0, 1, 2]))
    assert r"\textbf{30.0}$^{***}$" in text
    assert r"\underline{20.0}" in text
    assert r"\textbf{0.90}" in text  # a ratio of lengths: nearest to 1
    assert r"\underline{1.20}" in text
    assert r"99.0" in text
    assert r"\textbf{99.0}" not in text


def test_what_bold_and_underlined_figures_are_is_said_in_papers_and_on_the_page() -> None:
    said = "Best of each column bold, second underlined; floors, ceilings, controls and published figures apart."
    environment = make_environment(TEMPLATES)
    environment.filters["latex"] = lambda _: ""
    show = environment.get_template("macros.j2").module.show  # type: ignore[attr-defined]
    for write in (write_latex, show):
        assert said in write(table(compared=[0, 1, 2]))
        assert "Best of each column in each captioner bold" in write(table(compared=[0, 1], best_within_label=True))
        assert "Best of each" not in write(table())


def test_nothing_is_best_where_nothing_may_be_compared_or_all_are_alike() -> None:
    assert "textbf" not in write_latex(table())
    assert "textbf" not in write_latex(table([["a", "b", "1.0", "1.0"]] * 3, compared=[0, 1, 2]))


def test_the_best_of_each_label_where_others_are_another_task() -> None:
    ranks = table(compared=[0, 1, 2], best_within_label=True).rank()
    assert {place: rank for place, rank in ranks.items() if place[1] == 2} == {(0, 2): 2, (1, 2): 1}


def test_marks_are_stars_letters_or_none() -> None:
    marked = table(beats={(1, 2): 0})
    assert "30.0$^{***}$" in write_latex(marked)
    assert "***" not in write_latex(marked, "none")
    letters = write_latex(marked, "letters")
    assert "PT$^{a}$ & 10.0" in letters
    assert "30.0$^{a}$" in letters


def test_stars_are_explained_where_they_are_printed() -> None:
    marked = table(notes=["In percent.", f"{MARKS}: fine-tuned against pre-trained, CIDEr only."])
    assert "CIDEr only" in write_latex(marked)
    for text in (write_latex(marked, "letters"), write_latex(marked, "none")):
        assert "In percent." in text
        assert "CIDEr only" not in text


def test_intervals_stand_in_a_line_of_their_own() -> None:
    text = write_latex(table(intervals={(1, 2): "[+1.0, +2.0]"}, interval_note="Intervals."), intervals=True)
    assert r" &  & \scriptsize {[}+1.0, +2.0{]} &  \\" in text
    assert "Intervals." in text
    assert "scriptsize" not in write_latex(table(intervals={(1, 2): "[+1.0, +2.0]"}))


def test_a_table_is_as_wide_as_the_longest_cells_of_its_columns() -> None:
    short, long = "1.0", "1.0" * 8
    assert "resizebox" not in write_latex(table([[short] * 4] * 2))
    one_long_cell_a_row = [[long if place == column else short for place in range(4)] for column in range(4)]
    assert "resizebox" in write_latex(table(one_long_cell_a_row))


def test_a_long_table_ends_where_the_page_does_and_says_so() -> None:
    text = write_latex(table([[f"row {n}", "PT", "1.0", "1.0"] for n in range(MOST_ROWS + 5)]))
    assert f"row {MOST_ROWS - 1} " in text
    assert f"row {MOST_ROWS} " not in text
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 5} rows; the others are in name.csv." in text


def test_columns_are_chosen_by_the_names_of_their_headings() -> None:
    chosen = table(beats={(1, 2): 0}).select(["length", "bleu_4"])
    assert chosen.header == ["Captioner", "Captions", "Length", "BLEU-4"]
    assert chosen.rows[1] == ["one", "FT", "0.90", "30.0***"]
    assert chosen.beats == {(1, 3): 0}
    assert list(chosen.frame.columns) == ["captioner", "length_ratio", "bleu_4"]
    only = table().select(["length"])
    assert list(only.frame.columns) == ["captioner", "length_ratio"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_has_no_command_left(text: str) -> None:
    escaped = escape(text)
    known = r"\\(textbackslash|textasciitilde|textasciicircum|textbar|textquotedbl|textasciigrave|textendash|ldots)\{\}"
    rest = re.sub(
        known + r"|\\[&%$#_{}]|\$[<>]\$|\$\\(times|pm|rightarrow|cdot)\$|\$-\$|\{\[\}|\{\]\}|\{\*\}", "", escaped
    )
    rest = re.sub(r"-\{\}-|\{[`']+\}", "", rest)
    assert not set(rest) & set("\\{}$%&#_^~[]|")
    assert all(sign.isascii() or sign.isalpha() for sign in rest)


def test_every_figure_is_a_macro_with_a_name_of_letters() -> None:
    text = write_numbers(
        {"headline": {"ft_pt": 0.0668, "p": 0.0004}, "captions": {"a": {"items": 247}}}, [row(), row()]
    )
    names = re.findall(r"\\newcommand\{\\([^}]*)\}", text)
    assert all(re.fullmatch("lb[A-Za-z]+", name) for name in names)
    assert len(names) == len(set(names))
    assert r"\newcommand{\lbHeadlineFtPt}{\ensuremath{0.0668}}" in text
    assert r"\newcommand{\lbHeadlineP}{\ensuremath{< 0.001}}" in text
    assert r"\newcommand{\lbCaptionsAItems}{\ensuremath{247}}" in text
    name = name_macro("arrivals", "vbpr-sbert", "tiny-ft", "tiny-pt", "ndcg_12")
    assert rf"\newcommand{{\{name}}}{{\ensuremath{{-0.0100}}}}" in text
    assert {f"{name}{end}" for end in ("", "Low", "High", "P", "N")} <= set(names)


def test_macros_have_what_the_tables_of_arrivals_and_beyond_accuracy_print() -> None:
    arrivals = {"similarity": 0.7069, "share_12": 0.110660, "everyone_ndcg_12": 0.070900, "ndcg_12_all": 0.033326}
    beyond = {"coverage_12": 0.99971, "gini_12": 0.2023, "novelty_12": 7.76826, "long_tail_12": 0.803355}
    beyond |= {"popularity_12": 10.6526, "popularity_lift_12": -0.527488}
    text = write_numbers(
        {"arrivals": {"vbpr-sbert": {"none": arrivals}}, "recommendations": {"all": {"bpr": beyond}}}, []
    )
    macros = dict(re.findall(r"\\newcommand\{\\(lb[A-Za-z]+)\}\{\\ensuremath\{([^}]*)\}\}", text))
    assert [macros[name_macro("arrivals", "vbpr-sbert", "none", metric)] for metric in arrivals] == [
        *("0.71", "0.1107", "0.0709", "0.0333")
    ]
    assert [macros[name_macro("recommendations", "all", "bpr", metric)] for metric in beyond] == [
        *("1.000", "0.202", "7.77", "0.803", "10.7", "-0.53")
    ]
    axes = {"catalogues": ["all"], "recommenders": ["bpr"], "texts": [], "warm_content_recommenders": []}
    axes |= {"warm_image_features": [], "warm_text_features": []}
    printed = beyond_accuracy_table({"all": {"bpr": beyond}}, axes, 12).rows[0][2:]
    assert sorted(cell.replace("\N{MINUS SIGN}", "-") for cell in printed) == sorted(
        macros[name_macro("recommendations", "all", "bpr", metric)] for metric in beyond
    )


@pytest.mark.slow
def test_pdflatex_compiles_every_table_and_macro_of_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex: apt-get install texlive-latex-base texlive-latex-recommended")
    from lookbook.reporting.page import pages
    from lookbook.reporting.page.build import build_report, write_report
    from lookbook.reporting.settings import ReportedStudy
    from pipeline.core.params import read
    from tests.helpers.repository import ROOT

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(pages, "KINDS", ("svg",))
    write_report(tmp_path, build_report(read(ReportedStudy), is_whole=False))
    hostile = Table(
        "hostile", HOSTILE[5], ["a", "b"], [[text, "1.0"] for text in HOSTILE], 1, pd.DataFrame(), [*HOSTILE]
    )
    (tmp_path / "tables/hostile.tex").write_text(write_latex(hostile), encoding="utf-8")
    names = sorted(path.stem for path in (tmp_path / "tables").glob("*.tex") if path.stem != "all")
    (tmp_path / "tables/all.tex").write_text(write_document(names), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path / "tables", capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Overfull" not in done.stdout
