"""Builds a report: the stage from all results, `lookbook report` from those that are there."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lookbook.reporting import files, formatting
from lookbook.reporting.answer import write_answer
from lookbook.reporting.charts import Chart
from lookbook.reporting.charts.study import list_charts
from lookbook.reporting.files import Reader
from lookbook.reporting.formatting import Table, Values
from lookbook.reporting.latex import write_numbers
from lookbook.reporting.page.examples import chart_examples
from lookbook.reporting.page.garments import IN_GROUP, Garments, read_garments
from lookbook.reporting.page.limits import list_limits
from lookbook.reporting.page.pages import write_pages
from lookbook.reporting.page.provenance import read_provenance
from lookbook.reporting.page.training import read_samples
from lookbook.reporting.results import Results, read_results
from lookbook.reporting.settings import ReportedStudy
from lookbook.reporting.tables.study import list_tables
from lookbook.workspace.licences import DATASETS


@dataclass(frozen=True)
class Report:
    """A report, before it is written.

    Attributes:
        tables: Its tables.
        charts: Its figures.
        page: The values of both page templates.
        numbers: Scores and comparisons as macros, in LaTeX.
    """

    tables: list[Table]
    charts: list[Chart]
    page: Values
    numbers: str


def build_report(study: ReportedStudy, is_whole: bool) -> Report:
    """Read the results of a study and build its report.

    Args:
        study: Its axes.
        is_whole: Whether all results must be there.

    Raises:
        UserError: Results are missing, and all must be there.
    """
    reader = Reader()
    results = read_results(study, reader)
    garments = read_garments(study, results.captioners, reader) if results.captioners else Garments()
    if is_whole:
        reader.require_all()
    tables, charts = list_tables(study, results), list_charts(study, results)
    is_shown = study.writer in results.captioners
    examples = chart_examples(garments.by_rule[:IN_GROUP], study.writer) if is_shown else None
    charts += [] if examples is None else [examples]
    page = fill_page(study, results, garments, reader) | {
        "tables": {table.name: table for table in tables},
        "charts": {chart.name: chart for chart in charts},
    }
    page |= {"sections": list_sections(page), "short_captions": _shorten_captions(page["tables"])}
    return Report(tables, charts, page, write_macros(results))


OF_A_SHOP = "what its owner allows, which Lookbook does not know."
SHORT = ("bleu_4", "cider", "spice", "map", "mar", "core", "acc", "length")  # columns of captions that all see
SECTIONS = {  # section of the page -> title, and what of the page's values it is for
    "arrivals": ("New arrivals", "has_arrivals"),
    "quality": ("Which caption score predicts recommendations?", "has_quality"),
    "captions": ("Captions", "has_captioners"),
    "ratings": ("What people say", "has_ratings"),
    "garments": ("Garments", "has_captioners"),
    "warm": ("Warm items", "has_recommendations"),
    "recommendations": ("Recommendations", "has_recommendations"),
    "published": ("Beside the original study", "has_published"),
    "training": ("Training", "has_captioners"),
    "cost": ("Cost", "has_cost"),
    "data": ("Data sheet", ""),
    "skipped": ("What was skipped, and limits", ""),
    "tested": ("How it was tested", ""),
    "provenance": ("Provenance", ""),
    "files": ("Files", ""),
}
NEEDS = {  # section of the page -> the files and folders without which it shows nothing
    "arrivals": (files.ARRIVALS,),
    "quality": (files.CAPTION_SCORES, files.ARRIVALS, files.COMPARISON),
    "captions": (files.CAPTION_METRICS,),
    "garments": (files.ITEMS, files.IMAGES, files.CAPTIONS, files.CAPTION_METRICS, files.CAPTION_SCORES),
    "warm": (files.REC_METRICS, files.COMPARISON),
    "recommendations": (files.REC_METRICS, files.COMPARISON),
    "data": (files.CATALOGUE,),
}
TABLES_OF_MACROS = ("arrivals", "captions", "catalogues", "masked", "slices")


def list_sections(page: Values) -> list[tuple[str, str]]:
    """List the sections of the page: their names and titles, in order."""
    has = page | {
        "has_quality": page["has_arrivals"] and page["has_captioners"],
        "has_published": any(name.startswith("published-") for name in page["tables"]),
        "has_ratings": page["has_captioners"] and "ratings" in page["tables"],
        "has_cost": not {"cost", "cost-stages"}.isdisjoint(page["tables"]),
    }
    return [(name, title) for name, (title, condition) in SECTIONS.items() if not condition or has[condition]]


def list_stages(missing: Iterable[files.Missing], needs: Iterable[Path]) -> list[str]:
    """List the stages that write what is missing of some files and folders.

    >>> list_stages([files.Missing(Path("metrics/captions.json"), "caption_score")], [Path("metrics")])
    ['caption_score']
    """
    wanted = list(needs)
    stages = (each.stage for each in missing if any(each.path.is_relative_to(need) for need in wanted))
    return list(dict.fromkeys(stages))


def _shorten_captions(tables: dict[str, Table]) -> Table | None:
    """Return the table of captions with the columns that fit a page."""
    table = tables.get("captions")
    if table is None:
        return None
    known = [formatting.slug(name) for name in table.header]
    return table.select([name for name in SHORT if name in known])


def write_macros(results: Results) -> str:
    """Write the scores of captions, arrivals and lists and the comparisons as LaTeX macros."""
    arrivals = results.ranked.metrics if results.ranked else {}
    captions = {
        name: results.captions[name]
        for name in (*results.captioners, "ceiling", "reference")
        if name in results.captions
    }
    figures = {
        "headline": results.headline,
        "captions": captions,
        "arrivals": {name: metrics["sources"] for name, metrics in arrivals.items()},
        "recommendations": results.recommendations,
    }
    rows = [row for name in TABLES_OF_MACROS for row in results.comparison[name]]
    return write_numbers(figures, rows)


def fill_page(study: ReportedStudy, results: Results, garments: Garments, reader: Reader) -> Values:
    """Return the values of the page templates that are neither tables nor figures."""
    return {
        "dataset": study.dataset,
        "answer": write_answer(results.comparison, results.recommendations, study.primary.name),
        "definitions": formatting.DEFINITIONS,
        "rec_definitions": formatting.REC_DEFINITIONS,
        "headline": results.headline,
        "chosen": {"captions": study.captions, "catalogue": study.catalogue, "writer": study.writer},
        "draws": results.comparison["draws"],
        "samples": read_samples(files.SAMPLES, results.captioners),
        "garments": garments,
        "captioners": results.captioners,
        "skipped": results.captions.get("skipped", []),
        "limits": list_limits(study.dataset, results.captioners, results.line.params),
        "missing": reader.missing,
        "waiting": {name: list_stages(reader.missing, needs) for name, needs in NEEDS.items()},
        "is_compared": files.COMPARISON not in {missing.path for missing in reader.missing},
        "licence": DATASETS.get(study.dataset, OF_A_SHOP),
        "has_captioners": bool(study.captioners),
        "has_recommendations": study.has_recommendations,
        "has_arrivals": bool(study.arrival_features),
        "provenance": read_provenance(results.line, results.costs),
    }


def write_report(folder: Path, report: Report) -> None:
    """Write a report into an empty folder."""
    write_pages(folder, report.page, report.tables, report.charts, report.numbers)
