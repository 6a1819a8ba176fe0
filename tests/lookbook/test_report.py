"""The stage `report` on a small study: self-contained pages, the answer by its rule, tables equal to their inputs."""

import csv
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lookbook import compare, report
from lookbook.comparison.rows import read_comparison
from lookbook.reporting.answer import write_answer, write_other_answers
from lookbook.reporting.garments import read_garments
from pipeline.core.errors import UserError

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
def built_report(built_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the study's report once for all tests of this module."""
    folder = tmp_path_factory.mktemp("report") / "study"
    shutil.copytree(built_study, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        compare.main()
        report.main()
    return folder


@pytest.fixture
def reported(built_report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the report's folder in a copy of that study; the copy is the working directory."""
    folder = tmp_path / "study"
    shutil.copytree(built_report, folder)
    monkeypatch.chdir(folder)
    return folder / "reports"


def masked_row(difference: float, low: float, high: float, p_holm: float) -> dict[str, Any]:
    row = {
        "recommender": "vbpr-sbert",
        "metric": "ndcg_masked_12",
        "a": "ft",
        "b": "pt",
        "n": 1200,
        "confirmatory": True,
    }
    return row | {"difference": difference, "low": low, "high": high, "p_holm": p_holm}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            masked_row(0.02, 0.01, 0.03, 0.002),
            "raised NDCG@12 on the garments they describe by 0.0200 [+0.0100, +0.0300]",
        ),
        (
            masked_row(-0.02, -0.03, -0.01, 0.002),
            "lowered NDCG@12 on the garments they describe by 0.0200 [−0.0300, −0.0100]",
        ),
        (
            masked_row(0.01, -0.02, 0.04, 0.4),
            "no difference in NDCG@12 on the garments they describe was shown: +0.0100 [−0.0200, +0.0400]",
        ),
        (
            masked_row(0.02, 0.001, 0.04, 0.09),
            "one of up to 0.0400 remains possible",
        ),  # clear before Holm's correction only
    ],
)
def test_the_words_of_the_answer_follow_from_the_numbers(row: dict[str, Any], words: str) -> None:
    sentence = write_answer([row], "tiny-llava", ["sbert", "clip"])
    assert words in sentence
    assert "tiny-llava" in sentence
    assert "1,200 users" in sentence
    assert len(re.findall(r"\.(?:\s|$)", sentence)) == 1  # one sentence


def test_the_results_of_the_other_text_features_are_stated() -> None:
    rows = [masked_row(0.02, 0.01, 0.03, 0.002), masked_row(-0.01, -0.02, 0.01, 0.4) | {"recommender": "vbpr-clip"}]
    text = write_other_answers(rows, ["sbert", "clip"])
    assert text == "The same with the other text features: VBPR clip −0.0100 [−0.0200, +0.0100], corrected p = 0.40."
    assert write_other_answers(rows, ["sbert"]) == write_other_answers([], []) == ""


def test_the_answer_is_about_the_first_text_feature_of_the_study() -> None:
    row = masked_row(0.02, 0.01, 0.03, 0.01)
    assert "no masked experiment" in write_answer([row], "tiny-llava", ["clip", "sbert"])
    assert "no masked experiment" in write_answer([], "tiny-llava", [])


def test_pages_are_self_contained(reported: Path) -> None:
    for path in PAGES:
        links = page(path)
        assert "script" not in links.tags
        assert all(
            address.startswith("data:") or address in ("index.html", "garments.html") for address in links.addresses
        )
        assert not re.search(r"(src|href)\s*=\s*[\"']?https?:|url\(|@import", Path(path).read_text(encoding="utf-8"))


def test_the_answer_stands_first_and_is_that_of_the_masked_row(reported: Path) -> None:
    rows = read_comparison(report.COMPARISON)["masked"]
    sentence = write_answer(rows, "tiny-blip2-opt", ["sbert"])
    text = page(PAGES[0]).text
    assert "raised" in sentence
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
        "captions",
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
        "masked.svg",
        "captions.svg",
        "catalogues.svg",
        "curves.svg",
    }


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
    assert "caption_spice" not in read_json("metrics/headline.json")
    for name in ("captions", "captions-differences"):
        assert "spice: params.yaml says skip" in Path(f"reports/tables/{name}.md").read_text()
    assert "n/a" in Path("reports/tables/captions.md").read_text()


def test_a_study_without_purchases_has_a_report_on_captions(study: Path, write_params: Any) -> None:
    write_params(study, catalogues=[], texts=[])
    compare.main()
    report.main()
    text = page(PAGES[0]).text
    assert "no masked experiment" in text
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
