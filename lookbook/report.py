"""python -m lookbook.report: write reports/ with index.html, garments.html, tables and figures.

Tables are Markdown, LaTeX and CSV, figures are SVG. Both pages are self-contained: styles inline, images as data URIs,
no scripts. The report shows the seconds and emissions of training, but the stage does not depend on them: they differ
on every run, and the report is not written again for that alone.
"""

from pathlib import Path

import pandas as pd
from pydantic import ConfigDict

from lookbook.comparison.rows import read_comparison
from lookbook.comparison.settings import Study
from lookbook.reporting import formatting
from lookbook.reporting.answer import write_answer
from lookbook.reporting.figures import draw_arrivals, draw_figures
from lookbook.reporting.formatting import Table, Values
from lookbook.reporting.garments import read_garments
from lookbook.reporting.pages import encode_figures, write_report
from lookbook.reporting.results import Results, read_ranked, read_tuning
from lookbook.reporting.tables.study import list_tables
from lookbook.reporting.training import read_curves, read_samples, sum_energy
from pipeline.core.outputs import new_folder, read_json, read_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
CAPTIONS = Path("data/captions")
SAMPLES = Path("data/samples")
ATTRIBUTES = Path("data/scores/attributes.parquet")
CONFUSIONS = Path("data/scores/confusions.parquet")
CATALOGUE = Path("metrics/catalogue.json")
CAPTION_METRICS = Path("metrics/captions.json")
REC_METRICS = Path("metrics/recommendations.json")
ARRIVALS = Path("metrics/arrivals")
TUNING = Path("metrics/tune")
COMPARISON = Path("metrics/comparison.json")
HEADLINE = Path("metrics/headline.json")
CHOSEN = Path("metrics/chosen.json")
CURVES = Path("metrics/curves")
RUN_RECORDS = Path("metrics/train")
REPORTS = Path("reports")


class Budget(Section):
    """What `report` reads of the section `rec_tune`."""

    model_config = ConfigDict(extra="ignore")  # its other keys, and the recommenders' grids

    epochs: int


class Params(Study):
    """What `report` reads of params.yaml."""

    dataset: str
    rec_tune: Budget


def main() -> None:
    """Read the study's results and write them as pages, tables and figures."""
    params = read(Params)
    results = read_results(params)
    tables = list_tables(params, params.dataset, results)
    figures = draw_figures(results.comparison, read_curves(CURVES, params.captioners))
    if results.ranked:
        figures |= draw_arrivals(results.ranked, params.primary.name, results.captions)
    page = fill_page(params, results, tables, figures)
    with new_folder(REPORTS) as folder:
        write_report(folder, page, tables, figures)
    print_summary(
        f"wrote {REPORTS}/index.html, garments.html, {len(tables)} tables, {len(figures)} figures. "
        f"{page['answer'].verdict}"
    )


def read_results(params: Params) -> Results:
    """Read the results of the axes that the study has."""
    has_captions = bool(params.captioners)
    comparison = read_comparison(COMPARISON)
    return Results(
        comparison=comparison,
        catalogue=read_json(CATALOGUE),
        captions=read_json(CAPTION_METRICS) if has_captions else {},
        recommendations=read_json(REC_METRICS) if params.has_recommendations else {},
        attributes=read_parquet(ATTRIBUTES) if has_captions else pd.DataFrame(),
        confusions=read_parquet(CONFUSIONS) if has_captions else pd.DataFrame(),
        ranked=read_ranked(ARRIVALS, params, comparison),
        tuning=read_tuning(TUNING, params),
        most_epochs=params.rec_tune.epochs,
    )


def fill_page(params: Params, results: Results, tables: list[Table], figures: dict[str, bytes]) -> Values:
    """Return the values of both page templates."""
    captioners = list(params.captioners)
    return {
        "dataset": params.dataset,
        "answer": write_answer(results.comparison, results.recommendations, params.writer, params.primary.name),
        "tables": {table.name: table for table in tables},
        "figures": encode_figures(figures),
        "definitions": formatting.DEFINITIONS,
        "rec_definitions": formatting.REC_DEFINITIONS,
        "headline": read_json(HEADLINE) | read_json(CHOSEN),
        "chosen": {"captions": params.captions, "catalogue": params.catalogue, "writer": params.writer},
        "draws": results.comparison["draws"],
        "energy": sum_energy(RUN_RECORDS, captioners),
        "samples": read_samples(SAMPLES, captioners),
        "garments": read_garments(ITEMS, IMAGES, CAPTIONS, captioners) if captioners else [],
        "captioners": captioners,
    }


if __name__ == "__main__":
    run(main)
