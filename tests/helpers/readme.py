"""python -m tests.helpers.readme: rewrite the figures of README.md and docs from metrics/, and print what changed.

These pages have blocks between `<!-- figures: NAME -->` and `<!-- end of figures -->`. Each is written by a function of
this module from metrics/ and params.yaml alone, sentences included, so that no figure and no word of the answer is
typed by hand. tests/test_readme.py compares the blocks with the metrics in git.
"""

import contextlib
import difflib
import io
import itertools
import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dvc.compare import show_diff

from lookbook.comparison import headline
from lookbook.comparison.rows import group_rows
from lookbook.comparison.settings import Study
from lookbook.reporting.answer import write_answer
from lookbook.reporting.formatting import format_interval, format_value, name_of
from lookbook.reporting.ranked import PICTURES, Ranked, find_metric
from lookbook.reporting.sources import label_source, sort_sources, split_source
from lookbook.reporting.tables.tuning import TITLES, describe_edges, find_edges
from pipeline.core.params import load
from recsys.scoring.arms import build_name, list_text_recommenders

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/recommenders.md", "docs/sharing.md")
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n)(.*?)(<!-- end of figures -->)", re.DOTALL)
WIDTH = 140
CONTROLS = ("shuffled", "replaced")  # sources that the first screen leaves to the report

Read = Callable[[str], Any]  # the name of a file of metrics/ without its ending -> its content; empty where none is


def read_working_file(name: str) -> Any:
    """Read a file of metrics/ as it lies there."""
    path = ROOT / "metrics" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def read_study(**changes: Any) -> Study:
    """Read the axes of params.yaml."""
    params = load(ROOT / "params.yaml") | changes
    return Study(**{key: params[key] for key in Study.model_fields})


def read_ranked(read: Read, study: Study) -> Ranked | None:
    """Read the results of new arrivals; None where there are none yet."""
    first = study.primary.recommender
    recommenders = sorted(study.content_recommenders, key=lambda name: name != first)
    names = list_text_recommenders(recommenders, study.arrival_features)
    metrics = {name: values for name in names if (values := read(f"arrivals/{name}"))}
    images = [name for name in study.image_features if name in study.arrival_features]
    rows = group_rows(read("comparison")["rows"])["arrivals"]
    return Ranked(metrics, rows, recommenders, images, study.writer) if study.primary.name in metrics else None


def write_sentences(read: Read) -> str:
    """Write the answer: the verdict, then a point for each comparison, the warm case, and the caption scores."""
    study, comparison = read_study(), read("comparison")
    tables = comparison | group_rows(comparison["rows"])
    answer = write_answer(tables, read("recommendations"), study.primary.name)
    points = [" ".join([f"**{answer.verdict}**", *answer.basis])]
    points += [" ".join([f"**{first}**", *rest[:1]]) for first, *rest in answer.secondary]
    points += [" ".join(sentences) for sentences in (answer.others, answer.warm) if sentences]
    points.append(write_caption_scores(read("captions")[study.writer], study.writer))
    return "\n".join(wrap(point) for point in points) + "\n"


def write_caption_scores(scores: Any, writer: str) -> str:
    """Write what fine-tuning changed in the captions of the writer."""
    names = {"bleu_4": "BLEU-4", "cider": "CIDEr", "core_type": "type named right"}
    pairs = [
        f"{title} {scores['pt'][metric]:.3f} to {scores['ft'][metric]:.3f}"
        for metric, title in names.items()
        if metric in scores["pt"] and metric in scores["ft"]
    ]
    return f"From the pre-trained to the fine-tuned captions of {writer}, caption scores change: {', '.join(pairs)}."


def wrap(point: str) -> str:
    """Write a point of a list in lines of the page's width."""
    indent = {"initial_indent": "- ", "subsequent_indent": "  "}
    return textwrap.fill(point, WIDTH, break_long_words=False, break_on_hyphens=False, **indent)


def write_table(read: Read) -> str:
    """Write NDCG of new arrivals by source of their words; controls are left to the report."""
    study = read_study()
    ranked = read_ranked(read, study)
    if ranked is None:
        return "The figures of new arrivals are not in `metrics/` yet: `dvc repro`.\n"
    metric = find_metric(ranked.metrics[study.primary.name])
    names = [build_name(recommender, study.primary.features) for recommender in ranked.recommenders]
    rows = [
        ["words of the new garments", *map(name_of, names), "minus PT, 95 %", "similarity"],
        ["---", *["--:"] * (len(names) + 2)],
    ]
    sources = [source for source in ranked.metrics[names[0]]["sources"] if split_source(source)[0] not in CONTROLS]
    for source in sort_sources(sources):
        row = ranked.find_row(names[0], source, f"{ranked.writer}-pt")
        figures = [format_value(metric, ranked.read_source(name, source).get(metric)) for name in names]
        similarity = ranked.read_source(names[0], source).get("similarity")
        similar = "" if similarity is None else format_value("similarity", similarity)
        rows.append([label_source(source), *figures, format_interval(metric, row) if row else "", similar])
    for image in ranked.image_features:
        arms = [build_name(recommender, image) for recommender in ranked.recommenders]
        figures = [format_value(metric, ranked.read_source(arm, PICTURES).get(metric)) for arm in arms]
        row = ranked.find_row(arms[0], PICTURES, f"{ranked.writer}-pt", names[0])
        interval = format_interval(metric, row) if row else ""
        rows.append([f"{label_source(PICTURES)}, {image}", *figures, interval, ""])
    return write_rows(rows)


def write_diff(read: Read) -> str:
    """Write what `dvc metrics diff HEAD pt` prints, where pt is an experiment with `captions: pt`."""
    old, new = (headline.split_figures(select_figures(read, captions=captions)) for captions in ("ft", "pt"))
    changed = {
        file: {
            key: {"old": before[key], "new": after[key], "diff": after[key] - before[key]}
            for key in before
            if key in after and before[key] != after[key]
        }
        for file, before, after in zip(("headline", "chosen"), old, new, strict=True)
    }
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        show_diff(changed, title="Metric", no_path=True, precision=3, round_digits=True, a_rev="HEAD", b_rev="pt")
    lines = [line.rstrip() for line in shown.getvalue().splitlines()]
    return "\n".join(["```", *lines, "```"]) + "\n"


def write_switches(read: Read) -> str:
    """Write what each choice of captions and catalogue shows of the headline."""
    keys = ("chosen", "bleu_4", "warm")
    rows = [["captions", "catalogue", *keys], ["---", "---", *["--:"] * len(keys)]]
    for captions, catalogue in itertools.product(("ft", "pt"), ("augmented", "original")):
        figures = select_figures(read, captions=captions, catalogue=catalogue)
        rows.append([captions, catalogue, *(f"{figures[key]:.4f}" if key in figures else "" for key in keys)])
    return write_rows(rows)


def write_edges(read: Read) -> str:
    """Write the choices of the tuning that lie at an edge of what was tried, and how many do."""
    study, limit = read_study(), load(ROOT / "params.yaml")["rec_tune"]["epochs"]
    names = [*study.recommenders, *list_text_recommenders(study.content_recommenders, study.arrival_features)]
    tuned = {(kind, name): read(f"tune/{kind}/{name}") for kind in ("arrivals", "warm") for name in names}
    edges = {key: find_edges(results, limit) for key, results in tuned.items() if results and results["trials"]}
    rows = [["experiment", "recommender", "chosen at an edge"], ["---", "---", "---"]]
    for (experiment, name), found in edges.items():
        chosen = ", ".join(f"{key} ({edge})" for key, edge in found.items())
        rows += [[TITLES[experiment], name_of(name), chosen]] if found else []
    note = textwrap.fill(f"In the sample, {describe_edges(edges, limit)}", WIDTH)
    return note + "\n\n" + write_rows(rows)


def write_rows(rows: list[list[str]]) -> str:
    """Write rows of cells as a table of the page."""
    return "\n".join("|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|" for row in rows) + "\n"


def select_figures(read: Read, **changes: str) -> dict[str, float]:
    """Return the headline of this study with other captions or another catalogue, then the figures beside it."""
    study, comparison = read_study(**changes), read("comparison")
    cutoff = comparison["cutoff"]
    figures = headline.select_caption_figures(read("captions"), study)
    figures |= headline.select_warm_figures(read("recommendations"), study, cutoff)
    arrivals = read(f"arrivals/{study.primary.name}")
    if arrivals:
        figures |= headline.select_arrival_figures(arrivals, comparison["rows"], study)
    return figures


BLOCKS: dict[str, Callable[[Read], str]] = {
    "answer": write_sentences,
    "arrivals": write_table,
    "diff": write_diff,
    "edges": write_edges,
    "switches": write_switches,
}


def fill(text: str, read: Read) -> str:
    """Write every block of a page again."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]](read)}\n{match[4]}", text)


def main() -> None:
    """Rewrite the pages, and print the lines that changed."""
    for name in PAGES:
        before = (ROOT / name).read_text(encoding="utf-8")
        after = fill(before, read_working_file)
        (ROOT / name).write_text(after, encoding="utf-8")
        changes = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=0)
        print("\n".join(changes) or f"{name}: as metrics/ says")


if __name__ == "__main__":
    main()
