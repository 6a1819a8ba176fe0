"""python -m lookbook.report: reports/ with index.html, garments.html, tables (Markdown, CSV) and figures (SVG).

Both pages are self-contained: styles inline, images as data URIs, no scripts. Seconds and emissions of training are
shown, but are no dependency of the stage: they differ on every run, and a report must not be made anew for that.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jinja2
import pandas as pd
import pyarrow.dataset

from lookbook import figures, printing, tables
from lookbook.figures import Bar, Panel
from lookbook.printing import Table
from pipeline.errors import UserError
from pipeline.outputs import new_folder
from pipeline.params import Section, read
from pipeline.stage import done, run

GARMENTS = 24  # shown on the page of garments
COMPARED = {
    "bleu_4": "BLEU-4",
    "cider": "CIDEr × 100",
    "attribute_precision": "MAP",
    "core_precision": "Core precision",
}
Values = dict[str, Any]


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
    comparison = _read_json("metrics/comparison.json")
    made = make_tables(params, comparison)
    drawn = make_figures(params, comparison)
    garments = garments_of(list(params.captioners)) if params.captioners else []
    page = {
        "dataset": params.dataset,
        "answer": answer(comparison["masked"], params.writer, params.text_features),
        "tables": {table.name: table for table in made},
        "figures": {name: _data_uri(svg, "image/svg+xml") for name, svg in drawn.items()},
        "definitions": printing.DEFINITIONS,
        "others": other_answers(comparison["masked"], list(params.text_features)),
        "rec_definitions": printing.REC_DEFINITIONS,
        "headline": _read_json("metrics/headline.json"),
        "chosen": {"captions": params.captions, "catalogue": params.catalogue, "writer": params.writer},
        "draws": comparison["draws"],
        "energy": training_energy(list(params.captioners)),
        "garments": garments,
        "captioners": list(params.captioners),
    }
    with new_folder("reports") as folder:
        _write(folder, page, made, drawn)
    done(f"wrote reports/index.html, garments.html, {len(made)} tables, {len(drawn)} figures. {page['answer']}")


def _write(folder: Path, page: Values, made: list[Table], drawn: dict[str, bytes]) -> None:
    for name in ("index.html", "garments.html"):
        if name == "index.html" or page["garments"]:
            (folder / name).write_text(render(name, page), encoding="utf-8")
    (folder / "tables").mkdir()
    for table in made:
        (folder / "tables" / f"{table.name}.md").write_text(table.markdown(), encoding="utf-8")
        (folder / "tables" / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
    (folder / "figures").mkdir()
    for name, svg in drawn.items():
        (folder / "figures" / f"{name}.svg").write_bytes(svg)


def render(template: str, page: Values) -> str:
    """The page as HTML; every value is escaped."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(f"{template}.j2").render(**page)


def answer(masked: list[Values], writer: str, text_features: list[str]) -> str:
    """The masked result in one sentence, its words chosen by rule.

    It is about fine-tuned against pre-trained captions and the first text feature of the study: chosen before any
    result. "raised" and "lowered" need an interval without zero and a Holm-corrected p below 0.05.
    """
    first = f"vbpr-{text_features[0]}" if text_features else ""
    rows = [
        row for row in masked if row["confirmatory"] and (row["recommender"], row["a"], row["b"]) == (first, "ft", "pt")
    ]
    if not rows:
        return "This study has no masked experiment, so it does not say whether captions help recommendations."
    row = rows[0]
    low, high = printing.shown("ndcg_12", row["low"], True), printing.shown("ndcg_12", row["high"], True)
    basis = f"({printing.name_of(row['recommender'])}, {row['n']:,} users, corrected p {printing.probability_said(row['p_holm'])})"
    measure = f"NDCG@{row['metric'].rpartition('_')[2]} on the garments they describe"
    if row["p_holm"] < 0.05 and (row["low"] > 0 or row["high"] < 0):
        verb = "raised" if row["difference"] > 0 else "lowered"
        size = printing.shown("ndcg_12", abs(row["difference"]))
        return (
            f"Fine-tuned captions by {writer} {verb} {measure} by {size} [{low}, {high}] over pre-trained ones {basis}."
        )
    largest = printing.shown("ndcg_12", max(abs(row["low"]), abs(row["high"])))
    effect = printing.shown("ndcg_12", row["difference"], True)
    return (
        f"Between fine-tuned and pre-trained captions by {writer}, no difference in {measure} was shown: "
        f"{effect} [{low}, {high}] {basis}; one of up to {largest} remains possible."
    )


def other_answers(masked: list[Values], text_features: list[str]) -> str:
    """The same difference for the study's other text features, so that none is picked; empty where there is none."""
    found = {row["recommender"]: row for row in masked if row["confirmatory"] and (row["a"], row["b"]) == ("ft", "pt")}
    rows = [found[f"vbpr-{name}"] for name in text_features[1:] if f"vbpr-{name}" in found]
    said = [
        f"{printing.name_of(row['recommender'])} {printing.interval('ndcg_12', row)}, corrected p {printing.probability_said(row['p_holm'])}"
        for row in rows
    ]
    return f"The same with the other text features: {'; '.join(said)}." if said else ""


def make_tables(params: Params, comparison: Values) -> list[Table]:
    """The tables of this study, those of an empty axis left out."""
    made = []
    if params.captioners:
        metrics = _read_json("metrics/captions.json")
        made.append(tables.captions_table(metrics, comparison["captions"], list(params.captioners)))
        made.append(tables.caption_differences_table(metrics, comparison["captions"]))
    if params.catalogues or params.texts:
        axes = params.model_dump(include={"catalogues", "texts", "recommenders", "image_features", "text_features"})
        metrics = _read_json("metrics/recommendations.json")
        made.append(tables.recommendations_table(metrics, comparison["catalogues"], axes))
        made.append(tables.own_recommendations_table(metrics, axes))
    if comparison["catalogues"]:
        made.append(tables.catalogue_differences_table(comparison["catalogues"], comparison["cutoff"]))
    if comparison["masked"]:
        made.append(tables.masked_table(comparison["masked"], comparison["cutoff"]))
        made.append(tables.masked_all_table(comparison["masked"], comparison["cutoff"]))
    made.append(tables.catalogue_table(_read_json("metrics/catalogue.json")))
    return made


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
    return f"{printing.name_of(row['recommender'])}: {row['a']} − {row['b']}"


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
        Bar(label(row), scale * row["difference"], scale * row["low"], scale * row["high"], bool(printing.mark(row)))
        for row in rows
    ]
    return Panel(title, unit, bars)


def training_energy(captioners: list[str]) -> Values:
    """Sums over the captioners' run records: `captioners` counted, `seconds`, and `kwh`, `kg_co2` where recorded."""
    paths = [Path(f"metrics/train/{name}.json") for name in captioners]
    records = [_read_json(path) for path in paths if path.exists()]
    sums: Values = {"captioners": len(records)}
    for key in ("seconds", "kwh", "kg_co2"):
        values = [record[key] for record in records if key in record]
        if values and len(values) == len(records):
            sums[key] = sum(values)
    return sums


def garments_of(captioners: list[str]) -> list[Values]:
    """Test garments with image, reference and captions: the first of every category in turn, then the second, …"""
    items = pd.read_parquet("data/prepared/items.parquet")
    test = items[items["split"] == "test"].sort_values("item_id")
    turn = test.groupby("category").cumcount()
    chosen = test.assign(turn=turn).sort_values(["turn", "category", "item_id"]).head(GARMENTS)
    images = _jpegs(chosen["item_id"].tolist())
    captions = {(name, variant): _captions(name, variant) for name in captioners for variant in ("pt", "ft")}
    garments: list[Any] = chosen[["item_id", "category", "colour", "description"]].to_dict("records")
    for garment in garments:
        item = garment["item_id"]
        garment["image"] = _data_uri(images[item], "image/jpeg")
        garment["captions"] = {
            name: {variant: captions[name, variant].get(item, "") for variant in ("pt", "ft")} for name in captioners
        }
    return garments


def _captions(captioner: str, variant: str) -> dict[str, str]:
    table = pd.read_parquet(f"data/captions/{captioner}-{variant}.parquet", columns=["item_id", "caption"])
    return dict(zip(table["item_id"], table["caption"], strict=True))


def _jpegs(ids: list[str]) -> dict[str, bytes]:
    """The packed JPEGs of these items; the shards' other rows are not read into memory."""
    shards = pyarrow.dataset.dataset(
        sorted(str(path) for path in Path("data/prepared/images").glob("*.parquet")), format="parquet"
    )
    rows = shards.to_table(columns=["item_id", "jpeg"], filter=pyarrow.dataset.field("item_id").isin(ids))
    return dict(zip(rows["item_id"].to_pylist(), rows["jpeg"].to_pylist(), strict=True))


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _read_json(path: Path | str) -> Values:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run `dvc repro` to make it") from None


if __name__ == "__main__":
    run(main)
