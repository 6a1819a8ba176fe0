"""python -m lookbook.report: reports/ with index.html, garments.html, tables (Markdown, LaTeX, CSV) and figures (SVG).

Both pages are self-contained: styles inline, images as data URIs, no scripts. Seconds and emissions of training are
shown, but are no dependency of the stage: they differ on every run, and a report must not be made anew for that.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jinja2
import pandas as pd

from lookbook.reporting import figures, formatting
from lookbook.reporting.answer import answer, other_answers
from lookbook.reporting.figures import Bar, Panel
from lookbook.reporting.formatting import Table, Values
from lookbook.reporting.garments import data_uri, garments_of
from lookbook.reporting.tables import captions, catalogue, published, recommendations
from pipeline.core.outputs import new_folder, read_json, read_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run

COMPARED = {
    "bleu_4": "BLEU-4",
    "cider": "CIDEr × 100",
    "attribute_precision": "MAP",
    "core_precision": "Core precision",
}


class Params(Section):
    dataset: str
    captions: Literal["pt", "ft"]
    catalogue: Literal["original", "augmented"]
    writer: str
    captioners: dict[str, Any]
    texts: list[str]
    catalogues: list[str]
    recommenders: list[str]
    image_features: list[str]
    text_features: list[str]


def main() -> None:
    params = read(Params)
    comparison = read_json("metrics/comparison.json")
    made = make_tables(params, comparison)
    drawn = make_figures(params, comparison)
    garments = garments_of(list(params.captioners)) if params.captioners else []
    page = {
        "dataset": params.dataset,
        "answer": answer(comparison["masked"], params.writer, params.text_features),
        "tables": {table.name: table for table in made},
        "figures": {name: data_uri(svg, "image/svg+xml") for name, svg in drawn.items()},
        "definitions": formatting.DEFINITIONS,
        "others": other_answers(comparison["masked"], list(params.text_features)),
        "rec_definitions": formatting.REC_DEFINITIONS,
        "headline": read_json("metrics/headline.json"),
        "chosen": {"captions": params.captions, "catalogue": params.catalogue, "writer": params.writer},
        "draws": comparison["draws"],
        "energy": training_energy(list(params.captioners)),
        "samples": samples_of(list(params.captioners)),
        "garments": garments,
        "captioners": list(params.captioners),
    }
    with new_folder("reports") as folder:
        _write(folder, page, made, drawn)
    print_summary(
        f"wrote reports/index.html, garments.html, {len(made)} tables, {len(drawn)} figures. {page['answer']}"
    )


def _write(folder: Path, page: Values, made: list[Table], drawn: dict[str, bytes]) -> None:
    for name in ("index.html", "garments.html"):
        if name == "index.html" or page["garments"]:
            (folder / name).write_text(render(name, page), encoding="utf-8")
    (folder / "tables").mkdir()
    for table in made:
        (folder / "tables" / f"{table.name}.md").write_text(table.markdown(), encoding="utf-8")
        (folder / "tables" / f"{table.name}.tex").write_text(table.latex(), encoding="utf-8")
        (folder / "tables" / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
    (folder / "figures").mkdir()
    for name, svg in drawn.items():
        (folder / "figures" / f"{name}.svg").write_bytes(svg)


def render(template: str, page: Values) -> str:
    """The page as HTML; every value is escaped."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "reporting" / "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(f"{template}.j2").render(**page)


def make_tables(params: Params, comparison: Values) -> list[Table]:
    """The tables of this study, those of an empty axis left out."""
    made = []
    if params.captioners:
        metrics = read_json("metrics/captions.json")
        made.append(captions.captions_table(metrics, comparison["captions"], list(params.captioners)))
        made.append(captions.caption_differences_table(metrics, comparison["captions"]))
        made += [table for table in [captions.spice_table(metrics, list(params.captioners))] if table]
        attributes, confusions = (read_parquet(f"data/scores/{name}.parquet") for name in ("attributes", "confusions"))
        made.append(captions.attributes_table(attributes, list(params.captioners)))
        made.append(captions.confusions_table(confusions, list(params.captioners)))
    if params.catalogues or params.texts:
        axes = params.model_dump(include={"catalogues", "texts", "recommenders", "image_features", "text_features"})
        metrics = read_json("metrics/recommendations.json")
        if comparison["evaluation"] == "common":
            made.append(recommendations.recommendations_table(metrics, comparison["catalogues"], axes))
        made.append(recommendations.own_recommendations_table(metrics, axes))
        made.append(recommendations.beyond_accuracy_table(metrics, axes, comparison["cutoff"]))
    if comparison["catalogues"]:
        made.append(recommendations.catalogue_differences_table(comparison["catalogues"], comparison["cutoff"]))
    if comparison["masked"]:
        made.append(recommendations.masked_table(comparison["masked"], comparison["cutoff"]))
        made.append(recommendations.masked_all_table(comparison["masked"], comparison["cutoff"]))
    if comparison["slices"]:
        made.append(recommendations.slices_table(comparison["slices"], comparison["cutoff"]))
    counts = read_json("metrics/catalogue.json")
    made += [catalogue.catalogue_table(counts), *published_tables(params)]
    return [catalogue.with_warning(table, counts) for table in made]


def published_tables(params: Params) -> list[Table]:
    """The original study's tables beside ours, where this study is about its data."""
    made = []
    if params.captioners:
        made.append(published.published_captions_table(params.dataset, read_json("metrics/captions.json")))
    if params.catalogues or params.texts:
        metrics = read_json("metrics/recommendations.json")
        made.append(published.published_recommendations_table(params.dataset, metrics))
    return [table for table in made if table]


def make_figures(params: Params, comparison: Values) -> dict[str, bytes]:
    """SVG by name; a figure without anything to show is left out."""
    measure = f"NDCG@{comparison.get('cutoff')}"
    masked = [row for row in comparison["masked"] if row["confirmatory"]]
    catalogues = [row for row in comparison["catalogues"] if not row["same_by_construction"]]
    panels = {
        "masked": [_panel(f"{measure} on the masked garments", "difference", masked, _arms_compared)],
        "captions": _caption_panels(comparison["captions"]),
        "catalogues": [_panel(f"{measure} by catalogue", "difference", catalogues, _arms_compared)],
    }
    drawn = {name: figures.interval_plot(shown) for name, shown in panels.items() if any(panel.bars for panel in shown)}
    curves = {name: Path(f"metrics/curves/{name}.csv") for name in params.captioners}
    found = {name: pd.read_csv(path) for name, path in curves.items() if path.exists()}
    return drawn | ({"curves": figures.learning_curves(found)} if found else {})


def _arms_compared(row: Values) -> str:
    return f"{formatting.name_of(row['recommender'])}: {row['a']} − {row['b']}"


def _caption_panels(rows: list[Values]) -> list[Panel]:
    panels = []
    for metric, title in COMPARED.items():
        members = [row for row in rows if row["metric"] == metric]
        if members:
            panels.append(
                _panel(
                    f"{title}, fine-tuned − pre-trained",
                    "percent points" if metric != "cider" else "",
                    members,
                    lambda row: row["captioner"],
                    100,
                )
            )
    return panels


def _panel(title: str, unit: str, rows: list[Values], label: Callable[[Values], str], scale: float = 1) -> Panel:
    bars = [
        Bar(label(row), scale * row["difference"], scale * row["low"], scale * row["high"], bool(formatting.mark(row)))
        for row in rows
    ]
    return Panel(title, unit, bars)


def training_energy(captioners: list[str]) -> Values:
    """Sums over the captioners' run records: `captioners` counted, `seconds`, and `kwh`, `kg_co2` where recorded."""
    paths = [Path(f"metrics/train/{name}.json") for name in captioners]
    records = [read_json(path) for path in paths if path.exists()]
    sums: Values = {"captioners": len(records)}
    for key in ("seconds", "kwh", "kg_co2"):
        values = [record[key] for record in records if key in record]
        if values and len(values) == len(records):
            sums[key] = sum(values)
    return sums


def samples_of(captioners: list[str]) -> dict[str, list[Values]]:
    """What each captioner said of the same few validation garments after each epoch; those that were not trained have nothing."""
    samples: dict[str, list[Values]] = {}
    for name, path in ((name, Path(f"data/samples/{name}.csv")) for name in captioners):
        if path.exists():
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            samples[name] = [
                {"item_id": item, "reference": rows["reference"].iloc[0], "captions": rows["caption"].tolist()}
                for item, rows in table.groupby("item_id", sort=False)
            ]
    return {name: garments for name, garments in samples.items() if garments}


if __name__ == "__main__":
    run(main)
