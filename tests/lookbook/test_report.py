"""The stage `report` on a small study: self-contained pages, the answer by its rule, tables equal to their inputs."""

import csv
import itertools
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from lookbook import compare, report
from lookbook.cli.main import app
from lookbook.comparison.rows import read_comparison
from lookbook.ratings.rounds import Round
from lookbook.reporting import files
from lookbook.reporting.answer import NO_ARRIVALS, write_answer
from lookbook.reporting.cells import list_cells
from lookbook.reporting.files import Reader
from lookbook.reporting.page import pages
from lookbook.reporting.page.garments import read_garments
from lookbook.reporting.results import read_results
from lookbook.reporting.settings import ReportedStudy
from lookbook.reporting.tables.prediction import HEADINGS
from lookbook.reporting.tables.study import list_tables
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_json
from pipeline.core.params import load, read
from pipeline.core.record import find_cost_file
from recsys.scoring.arms import BUYERS
from tests.helpers.arrivals import arrivals_row, row_with_finding
from tests.helpers.ratings import analyse_said, toss
from tests.helpers.repository import ROOT
from tests.helpers.tables import list_without_columns
from tests.lookbook.conftest import run_in_copy

PAGES = ("reports/index.html", "reports/garments.html")


class Links(HTMLParser):
    """Collects the addresses of a page, its tags and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


def page(path: str) -> Links:
    links = Links()
    links.feed(Path(path).read_text(encoding="utf-8"))
    return links


@pytest.fixture(scope="module")
def built_report(compared_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the study's report once for all tests of this module."""
    return run_in_copy(compared_study, tmp_path_factory.mktemp("report"), report.main)


@pytest.fixture(autouse=True)
def without_figure_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write no SVG, PDF and PNG where a test writes a report again: the first report has them, and they take long."""
    monkeypatch.setattr(pages, "KINDS", ())


@pytest.fixture
def reported(built_report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the report's folder in a copy of that study; the copy is the working directory."""
    folder = run_in_copy(built_report, tmp_path)
    monkeypatch.chdir(folder)
    return folder / "reports"


def test_pages_are_self_contained(reported: Path) -> None:
    for path in PAGES:
        links = page(path)
        assert "script" not in links.tags
        assert all(address.startswith(("data:", "#")) or (reported / address).exists() for address in links.addresses)
        text = Path(path).read_text(encoding="utf-8")
        assert not re.search(r"(src|href)\s*=\s*[\"']?https?:|url\((?!#)|@import", text)


def test_the_answer_stands_first_and_is_that_of_the_rows(reported: Path, read_json: Any) -> None:
    rows, recommendations = read_comparison(files.COMPARISON), read_json("metrics/recommendations.json")
    answer = write_answer(rows, recommendations, "vbpr-sbert")
    text = page(PAGES[0]).text
    for sentence in (answer.verdict, *answer.basis, *answer.warm):
        assert sentence in text
        assert text.index(sentence) < text.index("BLEU-4")


def test_the_tables_hold_the_figures_of_the_json_files(reported: Path, read_json: Any) -> None:
    metrics = read_json("metrics/captions.json")
    with open(reported / "tables/captions.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["captioner"], row["variant"]) for row in rows if row["captioner"]] == [
        (c, v) for c in ("tiny-blip2-opt", "tiny-llava") for v in ("pt", "ft", "floor")
    ]
    for row in rows:
        values = metrics[row["captioner"]][row["variant"]] if row["captioner"] else metrics["ceiling"]
        assert {name: float(text) for name, text in row.items() if name not in ("captioner", "variant")} == {
            name: values[name] for name in row if name in values
        }
    recommendations = read_json("metrics/recommendations.json")
    with open(reported / "tables/recommendations.csv", encoding="utf-8") as file:
        values = {(row["catalogue"], row["recommender"]): float(row["ndcg_12_common"]) for row in csv.DictReader(file)}
    assert values["augmented", "bpr"] == recommendations["all"]["bpr"]["ndcg_12_common"]
    assert values["unfilled", "vbpr-clip"] == recommendations["unfilled"]["vbpr-clip"]["ndcg_12_common"]
    assert f"{values['augmented', 'bpr']:.4f}" in page(PAGES[0]).text


def test_every_table_is_written_as_markdown_latex_and_csv(reported: Path) -> None:
    names = {
        "arrivals",
        "arrivals-clip",
        "arrivals-all",
        "arrivals-tests",
        "prediction",
        "warm",
        "tuning",
        "tuning-trials",
        "captions",
        "captions-visibility",
        "captions-differences",
        "captions-spice",
        "captions-attributes",
        "captions-confusions",
        "cost",
        "recommendations",
        "recommendations-own",
        "recommendations-beyond",
        "catalogues",
        "masked",
        "masked-all",
        "slices",
        "catalogue",
    }
    assert {path.name for path in (reported / "tables").iterdir()} == {
        "all.tex",
        *(f"{name}.{kind}" for name in names for kind in ("md", "tex", "csv")),
    }
    figures = {"arrivals", "attributes", "captions", "catalogues", "confusion", "cost", "curves", "masked", "quality"}
    figures |= {"slices", "slope", "examples", "cold"}
    assert {path.name for path in (reported / "figures").iterdir()} == {
        f"{name}.{kind}" for name in figures for kind in ("svg", "pdf", "png", "csv")
    }
    assert (reported / "numbers.tex").exists()


def replace_arrivals(*rows: dict[str, Any]) -> None:
    """Replace the rows of the arrivals among the comparisons."""
    comparison = json.loads(files.COMPARISON.read_text())
    comparison["rows"] = [row for row in comparison["rows"] if row["table"] != "arrivals"] + list(rows)
    files.COMPARISON.write_text(json.dumps(comparison))


def test_columns_of_figures_have_columns_of_the_csv(reported: Path) -> None:
    replace_arrivals(row_with_finding("tiny-blip2-opt-ft", "tiny-blip2-opt-pt", "better", "primary"))
    study = read(ReportedStudy)
    tables = list_tables(study, read_results(study, Reader()))
    assert {table.name: found for table in tables if (found := list_without_columns(table))} == {
        "arrivals": ["− no words [95 %]"],  # not compared here
        "arrivals-clip": ["− PT [95 %]", "− no words [95 %]"],
        "prediction": list(HEADINGS),  # which are rows of its CSV
        "tuning": ["Worst / best"],
    }


def test_new_arrivals_come_first_and_their_answer_before_all(reported: Path) -> None:
    ft, pt = "tiny-blip2-opt-ft", "tiny-blip2-opt-pt"
    replace_arrivals(
        row_with_finding(ft, pt, "better", "primary"),
        row_with_finding(ft, "none", "better", "secondary"),
        row_with_finding(ft, "ridge-resnet50", "not shown", "secondary"),
        arrivals_row("reference", pt, 0.07),
    )
    report.main()
    whole = page(PAGES[0]).text
    contents, text = whole.index("How it was tested"), whole.index("The test garments are new")
    text = whole[:contents] + whole[text:]  # without the table of contents, which names all parts
    parts = [
        "Fine-tuned captions by tiny-blip2-opt rank new arrivals better than pre-trained ones.",
        "That captions help is not shown",
        "Words of the arrivals",
        "+0.0700 [+0.0500, +0.0900]",
        "cannot rank arrivals",
        "A caption score against NDCG",
        "Warm items: the same",
        "floor: no content",
    ]
    assert [text.find(part) for part in parts] == sorted(text.find(part) for part in parts)
    assert -1 not in [text.find(part) for part in parts]
    assert (reported / "figures/arrivals.csv").exists()
    assert (reported / "tables/arrivals-tests.md").read_text().count("not shown") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("epochs", "edge"), [(8, ", epochs all 8"), (30, "")])
def test_a_choice_at_the_limit_of_the_studys_epochs_is_marked(
    reported: Path, write_params: Callable[..., None], epochs: int, edge: str
) -> None:
    write_params(Path(), rec_tune={"epochs": epochs, "patience": 4, "vbpr": {"learning_rate": [0.02, 0.005]}})
    report.main()
    with open(reported / "tables/tuning.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["edges"] for row in rows] == [f"learning_rate highest of 2{edge}"] * len(rows)


@pytest.mark.slow
def test_what_people_say_stands_between_captions_and_garments(reported: Path) -> None:
    own = Round(a="tiny-llava-ft", b="tiny-llava-pt", items=40)
    assert "What people say" not in page(PAGES[0]).text
    Path("metrics/ratings.json").write_text(json.dumps(analyse_said(own, {"ann": toss(own, 0.8, 1)})))
    report.main()
    text = page(PAGES[0]).text
    text = text[text.index("The test garments are new") :]  # without the table of contents
    places = [text.index(part) for part in ("All caption scores", "What people prefer", "Test garments with the")]
    assert places == sorted(places)
    assert "buyer, <b>knits</b>" in text
    assert "b" not in page(PAGES[0]).tags
    assert (reported / "tables/ratings.tex").exists()


def test_slices_by_number_of_buyers_are_drawn_and_not_compared(reported: Path) -> None:
    assert not [row for row in read_comparison(files.COMPARISON)["slices"] if row["slice"].startswith(BUYERS)]
    drawn = pd.read_csv(reported / "figures/cold.csv")
    assert set(drawn["recommender"]) == {"userknn", "itemknn", "vbpr-resnet50", "vbpr-sbert"}
    rows = pd.read_parquet(files.REC_SLICES)
    for line in drawn.to_dict("records"):
        own = rows[(rows["arm"] == "original") & (rows["slice"] == line["slice"])]
        runs = own[own["recommender"] == line["recommender"]].groupby("run")["ndcg_12"]
        assert line["ndcg"] == pytest.approx(runs.mean().mean())
        assert line["users"] == runs.size().max()


def test_training_is_summed_over_the_captioners(reported: Path) -> None:
    with open(reported / "tables/cost.csv", encoding="utf-8") as file:
        rows = {row.pop("stage"): row for row in csv.DictReader(file)}
    assert rows["all fine-tuning"] == {"seconds": "61.0", "kwh": "0.002", "kg_co2": "0.0008"}
    assert rows["the original study"] == {"seconds": "604800.0", "kwh": "", "kg_co2": "29.03"}


def write_costs() -> None:
    """Give the study the line of the project, and costs of all cells: an hour on one of two cores, half a GiB."""
    shutil.copy(ROOT / "dvc.yaml", "dvc.yaml")
    machine = {"processor": "AMD EPYC", "cpus": 2, "memory_bytes": 8 * 2**30, "device": "cpu"}
    costs = {"seconds": 3600.0, "cpu_seconds": 3600.0, "peak_memory_bytes": 2**29} | machine
    params = load(Path("params.yaml"))
    for name, stage in YAML(typ="safe").load(Path("dvc.yaml"))["stages"].items():
        for cell in list_cells(stage, params):
            path = find_cost_file(f"{name}@{cell['key']}" if cell else name)
            assert path is not None
            write_json(path, costs)


@pytest.mark.slow
def test_every_stage_has_its_costs_beside_the_original_study(reported: Path) -> None:
    assert "No stage has costs in data/costs" in page(PAGES[0]).text
    write_costs()
    Path("data/costs/rec_fit/original-bpr.json").unlink()
    shutil.rmtree("data/costs/rec_fit_text")
    report.main()
    with open(reported / "tables/cost-stages.csv", encoding="utf-8") as file:
        rows = {row.pop("stage"): row for row in csv.DictReader(file)}
    stages = [name for name in YAML(typ="safe").load(Path("dvc.yaml"))["stages"] if name != "sample_models"]
    assert list(rows) == [*stages[:-1], "all stages", "the original study"]  # all but the report
    cells = {name: (row["recorded"], row["cells"], row["seconds"]) for name, row in rows.items()}
    assert cells["rec_score"] == ("1", "1", "3600.0")
    assert cells["rec_fit"] == ("9", "10", "32400.0")  # two catalogues of five recommenders
    assert cells["rec_fit_text"] == ("0", "16", "")
    assert cells["the original study"] == ("", "", "604800.0")
    watts = 2 * 4 * (0.1 + 0.9 * 0.5**3) + 10  # two unknown cores at half their load, two modules of memory
    assert float(rows["rec_score"]["kwh"]) == pytest.approx(watts / 1000)
    text = page(PAGES[0]).text
    assert "an estimate: codecarbon's model of power" in text
    assert "What each recommender cost" in text
    assert "9 of 10" in text
    assert "No stage has costs" not in text
    assert re.search(r"AMD EPYC, 2 cores, 8 GiB: \d+ cells", text)
    assert "Licence of the data set sample: drawn by Lookbook itself" in text
    assert (reported / "figures/cost-stages.csv").exists()


def test_the_captions_after_each_epoch_are_shown_and_escaped(reported: Path) -> None:
    index = page(PAGES[0])
    for captioner in ("tiny-blip2-opt", "tiny-llava"):
        assert f"Captions by {captioner} of the same 2 validation garments after each epoch" in index.text
        assert f"{captioner} after 1{captioner} after 2" in index.text
    assert index.text.count("the shop's <b>&") == 4
    assert "b" not in index.tags


@pytest.mark.slow
def test_a_report_needs_no_run_records_or_curves(reported: Path) -> None:
    assert "loss by optimiser step" in page(PAGES[0]).text
    for folder in ("metrics/train", "metrics/curves", "data/samples"):
        for path in list(Path(folder).iterdir()):
            path.unlink()
    report.main()
    text = page(PAGES[0]).text
    assert "loss by optimiser step" not in text
    assert "none was trained here" in text


def test_garments_come_from_every_category_in_turn_and_are_escaped(reported: Path) -> None:
    garments = read_garments(read(report.Params), ["tiny-llava"], Reader()).by_rule
    items = pd.read_parquet("data/prepared/items.parquet").set_index("item_id")
    assert all(items.loc[garment.item_id, "split"] == "test" for garment in garments)
    assert {garment.category for garment in garments[:3]} == {"dress", "shirt", "socks"}
    text = page(PAGES[1]).text
    for garment in garments:
        assert items.loc[garment.item_id, "description"] in text  # holds <b>&, which must not become a tag
        for variant in ("pt", "ft"):
            parts = garment.captions["tiny-llava"][variant].parts
            assert "".join(part.text for part in parts) == f"a garment by tiny-llava {variant}"
    assert "b" not in page(PAGES[1]).tags


def test_the_figure_of_examples_has_the_garments_that_are_asked_for(reported: Path) -> None:
    items = pd.read_parquet("data/prepared/items.parquet")
    chosen = items.loc[items["split"] == "test", "item_id"].iloc[[3, 1]].tolist()
    words = ["figure", "examples", "--out", "examples.svg", "--items"]
    assert CliRunner().invoke(app, [*words, ", ".join(chosen)]).exit_code == 0
    with open("examples.csv", encoding="utf-8") as file:
        rows = [(row["item_id"], row["variant"]) for row in csv.DictReader(file)]
    assert rows == [(item, variant) for item in chosen for variant in ("pt", "ft")]
    refused = CliRunner().invoke(app, [*words, "none"])
    assert "--items none: no test garment" in refused.stderr


def test_groups_of_garments_follow_the_scores_and_their_words_are_marked(reported: Path) -> None:
    groups = read_garments(read(report.Params), ["tiny-blip2-opt"], Reader()).groups
    best, worst = (groups[f"{word} fine-tuned captions"] for word in ("best", "worst"))
    assert [garment.scores["ft"] for garment in best] == sorted((g.scores["ft"] for g in best), reverse=True)
    assert max(garment.scores["ft"] for garment in worst) <= min(garment.scores["ft"] for garment in best)
    most = groups["most improved by fine-tuning"]
    changes = [garment.scores["ft"] - garment.scores["pt"] for garment in most]
    assert changes == sorted(changes, reverse=True)
    marked = best[0].captions["tiny-blip2-opt"]["ft"]
    assert [(part.text, part.kind) for part in marked.parts] == [
        *(("a ", ""), ("garment", "right"), (" by ", ""), ("tiny", "invented"), ("-blip2-opt ft", ""))
    ]
    assert marked.missed == ["dress"]
    index = Path(PAGES[0]).read_text(encoding="utf-8")
    assert '<span class="right">garment</span>' in index
    assert '<span class="invented">tiny<span class="hidden"> (invented)</span></span>' in index
    assert "missed: " in index


@pytest.mark.slow
def test_twice_gives_the_same_bytes(reported: Path) -> None:
    def read_files() -> dict[Path, bytes]:
        return {
            path: path.read_bytes() for path in reported.rglob("*") if path.suffix not in (".svg", ".pdf", ".png", "")
        }

    first = read_files()
    report.main()
    assert read_files() == first


@pytest.mark.slow
def test_why_spice_was_skipped_stands_below_every_table_of_captions(study: Path, read_json: Any) -> None:
    scores = pd.read_parquet("data/scores/captions.parquet")
    scores[scores["metric"] != "spice"].to_parquet("data/scores/captions.parquet", index=False)
    text = (
        Path("metrics/captions.json")
        .read_text()
        .replace('"skipped": []', '"skipped": ["spice: params.yaml says skip"]')
    )
    Path("metrics/captions.json").write_text(re.sub(r'"spice": [0-9.e-]+, ', "", text))
    compare.main()
    report.main()
    assert "spice" not in read_json("metrics/chosen.json")
    for name in ("captions", "captions-differences"):
        assert "spice: params.yaml says skip" in Path(f"reports/tables/{name}.md").read_text()
    assert "n/a" in Path("reports/tables/captions.md").read_text()


@pytest.mark.slow
def test_a_study_without_purchases_has_a_report_on_captions(study: Path, write_params: Any) -> None:
    write_params(study, catalogues=[], texts=[], arrival_features=[])
    compare.main()
    report.main()
    text = page(PAGES[0]).text
    assert NO_ARRIVALS in text
    assert "BLEU-4" in text
    assert not Path("reports/tables/recommendations.md").exists()


@pytest.mark.slow
def test_a_study_without_captioners_has_a_report_on_recommendations(study: Path, write_params: Any) -> None:
    write_params(study, captioners={})
    compare.main()
    report.main()
    assert not Path(PAGES[1]).exists()
    assert "ItemKNN" in page(PAGES[0]).text


def test_a_missing_input_is_one_clear_message_and_no_report(reported: Path) -> None:
    shutil.rmtree(reported)
    Path("metrics/captions.json").unlink()
    with pytest.raises(UserError, match=r"metrics/captions\.json: no such file"):
        report.main()
    assert not Path("reports").exists()


HALF = {  # what is not there -> what the report says to run, and what it has all the same
    "metrics/captions.json": ("dvc repro caption_score", "Words of the arrivals"),
    "metrics/comparison.json": ("dvc repro compare", "BLEU-4"),
    "metrics/recommendations.json": ("dvc repro rec_score", "BLEU-4"),
    "metrics/arrivals/vbpr-sbert.json": ("dvc repro rec_rank_arrivals_text", "BLEU-4"),
    "data/captions/tiny-llava-ft.parquet": ("dvc repro caption_generate_ft@tiny-llava", "BLEU-4"),
    "data/scores/caption_words.parquet": ("dvc repro caption_score", "BLEU-4"),
    "metrics/catalogue.json": ("dvc repro catalogue_prepare", "BLEU-4"),
}


ALWAYS = ("metrics/comparison.json", "data/captions/tiny-llava-ft.parquet")  # the others take long


@pytest.mark.parametrize(
    "path", [path if path in ALWAYS else pytest.param(path, marks=pytest.mark.slow) for path in HALF]
)
def test_a_half_finished_study_has_a_report_of_what_is_there(reported: Path, path: str) -> None:
    command, part = HALF[path]
    Path(path).unlink()
    result = CliRunner().invoke(app, ["report", "--out", "half"])
    assert result.exit_code == 0, result.output
    assert f"missing: {path}; run `{command}`" in result.output
    text = page("half/index.html").text
    assert "not finished" in text
    assert command in text
    assert part in text
    assert ("Nothing was skipped" in text) == (path != "metrics/captions.json")


@pytest.mark.parametrize(
    ("path", "sentences"),
    [
        (
            "metrics/captions.json",
            {"Captions of garments: not there yet. Run dvc repro caption_score.", "What was skipped: not there yet."},
        ),
        ("data/prepared/items.parquet", {"Captions of garments: not there yet. Run dvc repro catalogue_prepare."}),
        ("metrics/comparison.json", {"Recommendations of warm items: not there yet. Run dvc repro compare."}),
        ("metrics/recommendations.json", {"Recommendations of warm items: not there yet. Run dvc repro rec_score."}),
    ],
)
@pytest.mark.slow
def test_a_section_without_its_files_names_the_stage_that_writes_them(
    reported: Path, path: str, sentences: set[str]
) -> None:
    Path(path).unlink()
    assert CliRunner().invoke(app, ["report", "--out", "half"]).exit_code == 0
    text = " ".join(page("half/index.html").text.split())
    for sentence in sentences:
        assert sentence in text


def test_a_study_with_nothing_but_parameters_has_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_params: Any
) -> None:
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report"])
    assert result.exit_code == 0, result.output
    assert "There is no answer yet" in page("report-so-far/index.html").text


def test_a_folder_that_is_no_report_is_not_replaced(reported: Path) -> None:
    result = CliRunner().invoke(app, ["report", "--out", "data"])
    assert result.exit_code == 1
    assert "data: is no report alone" in result.output


def test_a_repository_of_pages_is_not_replaced(reported: Path) -> None:
    Path("site/.git").mkdir(parents=True)
    Path("site/index.html").touch()
    result = CliRunner().invoke(app, ["report", "--out", "site"])
    assert result.exit_code == 1
    assert "--out site: holds .git" in result.output
    assert Path("site/.git").exists()


def test_the_page_has_a_main_part_a_skip_link_and_headings_in_order(reported: Path) -> None:
    for path in PAGES:
        tags = page(path).tags
        text = Path(path).read_text(encoding="utf-8")
        assert tags.count("main") == tags.count("h1") == 1
        assert '<a class="skip" href="#main">' in text
        levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        ids = re.findall(r'\sid="([^"]*)"', text)
        assert len(ids) == len(set(ids))
        assert {found for found in re.findall(r'href="#([^"]*)"', text)} <= set(ids)
