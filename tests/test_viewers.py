"""What DVC's viewers show: few metrics, and plots that are drawn from the values that were measured."""

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import vl_convert
from ruamel.yaml import YAML

from captioning.training.history import write_curve
from lookbook.comparison.headline import HEADLINE
from lookbook.comparison.rows import flatten_tables
from pipeline.core.outputs import write_json
from tests.helpers.repository import ROOT, dvc

MOST_METRICS = 120
FIGURES = ("metrics/headline.json", "metrics/chosen.json")
QUALITY = "Caption scores and new arrivals"
SLOPE = "Caption scores before and after fine-tuning"
METRICS = re.compile(r"metrics/(headline|chosen|catalogue|classifier|train/[\w.-]+)\.json")
CURVE = [
    {"step": 1, "loss": 5.0, "validation_loss": None, "lr": 0.1},
    {"step": 2, "loss": 4.0, "validation_loss": 4.5, "lr": 0.1},
    {"step": 3, "loss": 3.0, "validation_loss": None, "lr": 0.0},
    {"step": 4, "loss": 2.5, "validation_loss": 3.5, "lr": 0.0},
]


def count_values(values: Any) -> int:
    return sum(map(count_values, values.values())) if isinstance(values, dict) else 1


def show_plots(folder: Path) -> dict[str, Any]:
    """Return the specification of each plot that `dvc plots show` draws; it must not warn."""
    result = dvc(folder, "plots", "show", "--json")
    assert "WARNING" not in result.stderr
    shown = json.loads(result.stdout)
    assert "errors" not in shown
    return {name: plots[0]["content"] for name, plots in shown["data"].items() if plots}


def curve_values(specification: dict[str, Any], kind: str) -> list[tuple[float, float]]:
    rows = specification["data"]["values"]
    return [(float(row["step"]), float(row["value"])) for row in rows if row["kind"] == kind]


def drawn_losses(specification: dict[str, Any]) -> list[float]:
    """Return the losses at which the rendered plot has a point: one for each epoch."""
    svg = ElementTree.fromstring(vl_convert.vegalite_to_svg(specification, vl_version="5.8"))
    labels = [mark.get("aria-label", "") for mark in svg.iter() if mark.get("aria-roledescription") == "point"]
    return [float(match[1]) for label in labels if (match := re.search(r"loss: ([\d.]+)", label))]


@pytest.fixture
def other_study(tmp_path: Path) -> Path:
    """Another study's folder as after `dvc repro`, with captioners of its own, one of them without training."""
    dvc(tmp_path, "init", "--no-scm")
    shutil.copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["captioners"] = {name: {"family": "llava"} for name in ("first", "second", "third", "fourth", "replay")}
    params["writer"] = "first"
    yaml.dump(params, tmp_path / "params.yaml")
    for name in params["captioners"]:
        path = tmp_path / f"metrics/curves/{name}.csv"
        write_curve(path, [] if name == "replay" else CURVE)
    shutil.copy(ROOT / "metrics/comparison.json", tmp_path / "metrics")
    write_json(tmp_path / "metrics/captions.json", {"first": {"pt": {"cider": 0.1}, "ft": {"cider": 0.2}}})
    write_json(tmp_path / "metrics/recommendations.json", {"all": {"bpr": {"ndcg_12": 0.1}}})
    write_json(tmp_path / "metrics/ratings.json", {"rounds": {"first": {"a": "first-ft", "judgements": 110}}})
    for name in ("tune", "arrivals"):  # of the recommenders, which are the sample's
        shutil.copytree(ROOT / "metrics" / name, tmp_path / "metrics" / name)
    return tmp_path


def test_few_values_are_metrics_and_they_are_those_of_few_files() -> None:
    files = json.loads(dvc(ROOT, "metrics", "show", "--json").stdout)[""]["data"]
    assert [name for name in files if not METRICS.fullmatch(name)] == []
    assert {"metrics/headline.json", "metrics/catalogue.json", "metrics/classifier.json"} <= files.keys()
    assert sum(count_values(file["data"]) for file in files.values()) <= MOST_METRICS


@pytest.mark.slow
def test_a_diff_of_metrics_fits_a_terminal() -> None:
    lines = dvc(ROOT, "metrics", "diff", "--all", "HEAD", "--targets", *FIGURES).stdout.splitlines()
    assert len(lines) == 1 + sum(count_values(json.loads((ROOT / name).read_text())) for name in FIGURES)
    assert max(map(len, lines)) <= 120


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_figures_side_by_side_fit_a_terminal_whatever_their_values(name: str, tmp_path: Path) -> None:
    """`dvc metrics show` gives each value a column: a minus and five decimals are the widest."""
    keys = dict.fromkeys([*json.loads((ROOT / name).read_text()), *(HEADLINE if "headline" in name else ())])
    keys.pop("ft_pt", None)  # `difference`, which is wider, takes its place
    write_json(tmp_path / name, dict.fromkeys(keys, -0.123456789))
    header, row = dvc(tmp_path, "metrics", "show", name).stdout.splitlines()
    assert header.split()[1:] == sorted(keys)
    assert row.split()[1:] == ["-0.12346"] * len(keys)
    assert max(len(header), len(row)) <= 120


def test_an_output_in_git_is_a_metric_or_a_plot() -> None:
    """DVC keeps no run cache of a stage with a plain output that is not cached."""
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    bodies = {name: stage.get("do", stage) for name, stage in stages.items() if not stage.get("frozen")}
    plain = {name: [out for out in body.get("outs", []) if isinstance(out, dict)] for name, body in bodies.items()}
    assert {name: outs for name, outs in plain.items() if outs} == {}


@pytest.mark.slow
def test_the_plots_of_another_study_are_drawn_from_what_was_measured(other_study: Path) -> None:
    plots = show_plots(other_study)
    trained = [f"metrics/curves/{name}.csv" for name in ("first", "second", "third", "fourth")]
    assert sorted(plots) == sorted([*trained, "metrics/comparison.json", QUALITY, SLOPE])
    for name in trained:
        assert "" not in {cell for row in plots[name]["data"]["values"] for cell in row.values()}
        assert curve_values(plots[name], "validation_loss") == [(2, 4.5), (4, 3.5)]
        assert curve_values(plots[name], "loss") == [(1, 5.0), (2, 4.0), (3, 3.0), (4, 2.5)]
        assert drawn_losses(plots[name]) == [4.5, 3.5]


@pytest.mark.slow
def test_the_plots_of_the_sample_can_be_rendered() -> None:
    plots = show_plots(ROOT)
    captioners = YAML(typ="safe").load(ROOT / "params.yaml")["captioners"]
    curves = {f"metrics/curves/{name}.csv" for name in captioners}
    assert plots.keys() == {"metrics/comparison.json", QUALITY, SLOPE, *curves}
    for name, specification in plots.items():
        svg = vl_convert.vegalite_to_svg(specification, vl_version="5.8")
        marks = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")
        drawn = [mark for mark in marks if mark.get("aria-roledescription") in ("point", "line mark", "rule mark")]
        has_points = any(row.get("scope") == "points" for row in specification["data"]["values"])
        assert drawn or (name == QUALITY and not has_points), name
        assert "NaN" not in svg


@pytest.mark.slow
def test_caption_scores_are_drawn_against_ndcg(other_study: Path) -> None:
    comparison = json.loads((other_study / "metrics/comparison.json").read_text())
    points = []
    sources = {"first-pt": (0.07, 0.09), "first-ft": (4.1, 0.13), "second": (6.4, 0.17)}
    for metric in ("cider", "core_precision"):
        for source, (score, ndcg) in sources.items():
            row = {"table": "prediction", "scope": "points", "recommender": "vbpr-sbert", "metric": metric, "a": source}
            row |= {"score": score, "value": ndcg, "low": ndcg - 0.02, "high": ndcg + 0.02}
            points.append(row)
    comparison["rows"] = flatten_tables({"captions": comparison["rows"][:9], "prediction": points})
    write_json(other_study / "metrics/comparison.json", comparison)
    svg = vl_convert.vegalite_to_svg(show_plots(other_study)[QUALITY], vl_version="5.8")
    marks = [mark for mark in ElementTree.fromstring(svg).iter() if mark.get("aria-roledescription") == "point"]
    assert len(marks) == 6
    labels = [mark.get("aria-label", "") for mark in marks]
    for variant in ("fine-tuned", "pre-trained", "true description"):
        assert len([label for label in labels if variant in label]) == 2


@pytest.mark.slow
def test_caption_scores_are_drawn_from_pre_trained_to_fine_tuned(other_study: Path) -> None:
    comparison = json.loads((other_study / "metrics/comparison.json").read_text())
    scores = ("bleu_4", "cider", "spice", "attribute_precision", "attribute_recall", "core_precision")
    rows = [row for row in comparison["rows"] if row["table"] == "captions" and row["metric"] in scores]
    svg = vl_convert.vegalite_to_svg(show_plots(other_study)[SLOPE], vl_version="5.8")
    marks = [mark for mark in ElementTree.fromstring(svg).iter() if mark.get("aria-roledescription") == "point"]
    labels = [mark.get("aria-label", "") for mark in marks]
    assert len(marks) == 2 * len(rows)
    assert len([text for text in labels if "captions: PT" in text]) == len(rows)
