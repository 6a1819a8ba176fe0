"""python -m lookbook.report: write reports/ with index.html, garments.html, tables, figures and numbers.tex.

Tables are Markdown, LaTeX and CSV; figures are SVG, PDF and PNG with a CSV of what is drawn. Both pages are
self-contained: styles inline, images as data URIs, no scripts. The report shows what cells cost (data/costs) and what
training cost (metrics/train), but the stage does not depend on them: they differ on every run, and the report is not
written again for that alone.
It needs all results of the study; `lookbook report` builds a report from those that are there.
"""

from lookbook.reporting.files import REPORTS
from lookbook.reporting.page.build import build_report, write_report
from lookbook.reporting.settings import ReportedStudy
from pipeline.core.outputs import new_folder
from pipeline.core.params import read
from pipeline.core.stage import print_summary, run


class Params(ReportedStudy):
    """What `report` reads of params.yaml."""


def main() -> None:
    """Read the study's results and write them as pages, tables and figures."""
    report = build_report(read(Params), is_whole=True)
    with new_folder(REPORTS) as folder:
        write_report(folder, report)
    print_summary(
        f"wrote {REPORTS}/index.html, garments.html, {len(report.tables)} tables, {len(report.charts)} figures. "
        f"{report.page['answer'].verdict}"
    )


if __name__ == "__main__":
    run(main)
