"""The stage `report` on a small study: self-contained pages, the answer by its rule, tables equal to their inputs."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lookbook import compare, report
from lookbook.comparison.rows import read_comparison
from lookbook.reporting.answer import NO_ARRIVALS, write_answer
from lookbook.reporting.garments import read_garments
from pipeline.core.errors import UserError
from tests.helpers.arrivals import arrivals_row, row_with_finding
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
        assert all(
            address.startswith("data:") or address in ("index.html", "garments.html") for address in links.addresses
        )
        assert not re.search(r"(src|href)\s*=\s*[\"']?https?:|url\(|@import", Path(path).read_text(encoding="utf-8"))


def test_the_answer_stands_first_and_is_that_of_the_rows(reported: Path, read_json: Any) -> None:
    rows, recommendations = read_comparison(report.COMPARISON), read_json("metrics/recommendations.json")
    answer = write_answer(rows, recommendations, "tiny-blip2-opt", "vbpr-sbert")
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
        f"{name}.{kind}" for name in names for kind in ("md", "tex", "csv")
    }
    assert {path.name for path in (reported / "figures").iterdir()} == {
        "arrivals.svg",
        "masked.svg",
        "quality.svg",
        "captions.svg",
        "catalogues.svg",
        "curves.svg",
    }


def replace_arrivals(*rows: dict[str, Any]) -> None:
    """Replace the rows of the arrivals among the comparisons."""
    comparison = json.loads(report.COMPARISON.read_text())
    comparison["rows"] = [row for row in comparison["rows"] if row["table"] != "arrivals"] + list(rows)
    report.COMPARISON.write_text(json.dumps(comparison))


def test_new_arrivals_come_first_and_their_answer_before_all(reported: Path) -> None:
    ft, pt = "tiny-blip2-opt-ft", "tiny-blip2-opt-pt"
    replace_arrivals(
        row_with_finding(ft, pt, "better", "primary"),
        row_with_finding(ft, "none", "better", "secondary"),
        row_with_finding(ft, "ridge-resnet50", "not shown", "secondary"),
        arrivals_row("reference", pt, 0.07),
    )
    report.main()
    text = page(PAGES[0]).text
    parts = [
        "Fine-tuned captions by tiny-blip2-opt rank new arrivals better than pre-trained ones.",
        "That captions help is not shown",
        "Words of the arrivals",
        "+0.0700 [+0.0500, +0.0900]",
        "cannot rank arrivals",
        "Which caption score predicts recommendations?",
        "Warm items",
        "floor: no content",
    ]
    assert [text.find(part) for part in parts] == sorted(text.find(part) for part in parts)
    assert -1 not in [text.find(part) for part in parts]
    assert (reported / "figures/arrivals.svg").exists()
    assert (reported / "tables/arrivals-tests.md").read_text().count("not shown") == 1


@pytest.mark.parametrize(("epochs", "edge"), [(8, ", epochs all 8"), (30, "")])
def test_a_choice_at_the_limit_of_the_studys_epochs_is_marked(
    reported: Path, write_params: Callable[..., None], epochs: int, edge: str
) -> None:
    write_params(Path(), rec_tune={"epochs": epochs, "patience": 4, "vbpr": {"learning_rate": [0.02, 0.005]}})
    report.main()
    with open(reported / "tables/tuning.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["edges"] for row in rows] == [f"learning_rate highest of 2{edge}"] * len(rows)


def test_training_is_summed_over_the_captioners(reported: Path) -> None:
    assert "Fine-tuning 2 captioners took 61 s, 0.0020 kWh and an estimated 0.0008 kg CO" in page(PAGES[0]).text


def test_the_captions_after_each_epoch_are_shown_and_escaped(reported: Path) -> None:
    index = page(PAGES[0])
    for captioner in ("tiny-blip2-opt", "tiny-llava"):
        assert f"Captions by {captioner} of the same 2 validation garments after each epoch" in index.text
        assert f"{captioner} after 1{captioner} after 2" in index.text
    assert index.text.count("the shop's <b>&") == 4
    assert "b" not in index.tags


def test_a_report_needs_no_run_records_or_curves(reported: Path) -> None:
    assert "Training" in page(PAGES[0]).text
    for folder in ("metrics/train", "metrics/curves", "data/samples"):
        for path in list(Path(folder).iterdir()):
            path.unlink()
    report.main()
    assert "Training" not in page(PAGES[0]).text


def test_garments_come_from_every_category_in_turn_and_are_escaped(reported: Path) -> None:
    garments = read_garments(report.ITEMS, report.IMAGES, report.CAPTIONS, ["tiny-llava"])
    items = pd.read_parquet("data/prepared/items.parquet").set_index("item_id")
    assert all(items.loc[garment["item_id"], "split"] == "test" for garment in garments)
    assert {garment["category"] for garment in garments[:3]} == {"dress", "shirt", "socks"}
    text = page(PAGES[1]).text
    for garment in garments:
        assert items.loc[garment["item_id"], "description"] in text  # holds <b>&, which must not become a tag
        assert garment["captions"] == {
            "tiny-llava": {"pt": "a garment by tiny-llava pt", "ft": "a garment by tiny-llava ft"}
        }
    assert "b" not in page(PAGES[1]).tags


def test_twice_gives_the_same_bytes(reported: Path) -> None:
    first = {path: path.read_bytes() for path in reported.rglob("*") if path.is_file()}
    report.main()
    assert {path: path.read_bytes() for path in reported.rglob("*") if path.is_file()} == first


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


def test_a_study_without_purchases_has_a_report_on_captions(study: Path, write_params: Any) -> None:
    write_params(study, catalogues=[], texts=[], arrival_features=[])
    compare.main()
    report.main()
    text = page(PAGES[0]).text
    assert NO_ARRIVALS in text
    assert "BLEU-4" in text
    assert not Path("reports/tables/recommendations.md").exists()


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
