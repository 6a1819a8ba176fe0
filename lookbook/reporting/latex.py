"""Tables and figures in words for papers: booktabs tables, macros, and a document that compiles all of them."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from lookbook.reporting.formatting import MARKS, MINUS, Table, Values, format_p, format_value, split_stars
from lookbook.reporting.text import replace_unknown

Marks = Literal["stars", "letters", "none"]
MOST_ROWS = 42  # that fit a page with title and notes
MOST_SIGNS = 90  # of a cell; the CSV has all
WIDE = 8  # columns; more need the width of the page
NARROW_SIGNS, PAGE_SIGNS = 48, 96  # of a table that fits a column, the page; wider ones are scaled down
NEEDS = "% needs \\usepackage{booktabs} and \\usepackage{graphicx}\n"
SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # behind the end of a row it would begin an argument
    "]": "{]}",
    "*": "{*}",
    MINUS: "$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "‘": "{`}",
    "’": "{'}",
    "“": "{``}",
    "”": "{''}",
    "…": r"\ldots{}",
    "°": r"\textdegree{}",
    "€": r"\texteuro{}",
    "→": r"$\rightarrow$",
    "·": r"$\cdot$",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}
ACCENTED = range(0xC0, 0x180)  # letters that every LaTeX has
DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
DOCUMENT = r"""\documentclass[a4paper,10pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs}
\usepackage{graphicx}
\input{../numbers}
\begin{document}
%s
\end{document}
"""


def escape(text: object) -> str:
    r"""Escape everything that LaTeX reads as a command; signs that pdflatex may not know stand by their numbers.

    >>> escape("100 % of a_b")
    '100 \\% of a\\_b'
    """
    known = replace_unknown(text, _is_known)
    return "".join(SIGNS.get(sign, sign) for sign in known).replace("--", "-{}-")  # no ligature


def _is_known(sign: str) -> bool:
    return sign.isascii() or sign in SIGNS or (ord(sign) in ACCENTED and sign.isalpha())


def write_latex(table: Table, marks: Marks = "stars", intervals: bool = False) -> str:
    """Write a table as a booktabs float: best of each column bold, second underlined, notes below.

    Args:
        table: The table.
        marks: How a claimed difference is marked: stars at the figure, or the letter of the row that it beats.
        intervals: Print the interval of each figure, where the table has one, in a line below it.
    """
    star = "*" if len(table.header) > WIDE else ""
    columns = "l" * table.labels + "r" * (len(table.header) - table.labels)
    head = " & ".join(map(escape, table.header)) + r" \\"
    body = _write_rows(table, marks, intervals)
    tabular = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    tabular.append(r"\end{tabular}")
    widths = [max(map(len, cells)) + 2 for cells in zip(table.header, *table.rows[:MOST_ROWS], strict=True)]
    if sum(widths) > (PAGE_SIGNS if star else NARROW_SIGNS):
        tabular = [
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            *tabular[:-1],
            tabular[-1] + "}",
        ]
    lines = [rf"\begin{{table{star}}}[tbp]", r"\centering", r"\footnotesize", rf"\caption{{{escape(table.title)}}}"]
    lines += [rf"\label{{tab:{table.name}}}", *tabular]
    notes = " ".join(map(escape, _shorten_notes(table, marks, intervals)))
    if notes:
        lines.append(rf"\par\smallskip\begin{{minipage}}{{\linewidth}}\footnotesize {notes}\end{{minipage}}")
    return NEEDS + "\n".join([*lines, rf"\end{{table{star}}}"]) + "\n"


def _write_rows(table: Table, marks: Marks, intervals: bool) -> list[str]:
    ranks = table.rank()
    lines: list[str] = []
    for number, row in enumerate(table.rows[:MOST_ROWS]):
        is_same = number > 0 and table.labels > 1 and row[0] == table.rows[number - 1][0]
        if number and table.labels > 1 and not is_same:
            lines.append(rf"\cmidrule{{1-{len(row)}}}")
        cells = [
            "" if is_same and column == 0 else escape(_cut(cell)) for column, cell in enumerate(row[: table.labels])
        ]
        if marks == "letters" and table.beats:
            cells[-1] += f"$^{{{_letter(number)}}}$"
        for column, cell in enumerate(row[table.labels :], table.labels):
            cells.append(_write_cell(cell, ranks.get((number, column)), marks, table.beats.get((number, column))))
        lines.append(" & ".join(cells) + r" \\")
        second = [table.intervals.get((number, column), "") for column in range(len(row))]
        if intervals and any(second):
            lines.append(" & ".join(rf"\scriptsize {escape(text)}" if text else "" for text in second) + r" \\")
    return lines


def _write_cell(cell: str, rank: int | None, marks: Marks, beaten: int | None) -> str:
    figure, stars = split_stars(_cut(cell))
    text = escape(figure)
    if rank == 1:
        text = rf"\textbf{{{text}}}".replace("$-$", r"$\mathbf{-}$")
    elif rank == 2:
        text = rf"\underline{{{text}}}"
    if marks == "stars" and stars:
        text += f"$^{{{stars}}}$"
    if marks == "letters" and beaten is not None:
        text += f"$^{{{_letter(beaten)}}}$"
    return text


def _letter(number: int) -> str:
    """Return a, b, …, z, aa, ab and so on."""
    before, here = divmod(number, 26)
    return (_letter(before - 1) if before else "") + chr(ord("a") + here)


def _cut(cell: str) -> str:
    return cell if len(cell) <= MOST_SIGNS else cell[: MOST_SIGNS - 1] + "…"


def _shorten_notes(table: Table, marks: Marks, intervals: bool) -> list[str]:
    """Return the notes as a paper has room for: what was not scored is one sentence."""
    notes = [note for note in table.notes if marks == "stars" or not note.startswith(MARKS)]
    skipped = [note.partition(": ")[2].partition(":")[0] for note in notes if note.startswith("Not scored:")]
    notes = [note for note in notes if not note.startswith("Not scored:")]
    if marks == "letters" and table.beats:
        notes.append("A letter at a figure: its difference from the row of that letter has a corrected p below 0.05.")
    notes += table.explain_ranks()
    if intervals and table.intervals:
        notes.append(table.interval_note)
    if skipped:
        notes.append(f"Not scored for some captions: {', '.join(skipped)}.")
    if len(table.rows) > MOST_ROWS:
        notes.append(f"The first {MOST_ROWS} of {len(table.rows)} rows; the others are in {table.name}.csv.")
    return notes


def write_document(names: Iterable[str]) -> str:
    """Write a document that compiles all tables of a folder."""
    inputs = [rf"\input{{{name}}}\clearpage" for name in names]
    return DOCUMENT % "\n".join(inputs or ["No tables."])


def write_numbers(figures: Values, comparisons: Sequence[Values]) -> str:
    r"""Write a macro for each of these figures, such as `\lbHeadlineFtPt`, and five for each comparison.

    Those of a comparison end in nothing (the difference), `Low`, `High`, `P` and `N`.

    Args:
        figures: headline, captions, recommendations and arrivals -> figures, nested: a macro is named by its path.
        comparisons: The rows of metrics/comparison.json.
    """
    macros: dict[str, str] = {}
    for path, value in _flatten(figures):
        _add(macros, name_macro(*path), _protect(_format(path, value)))
    for row in comparisons:
        if row["table"] == "prediction" or row.get("same_by_construction"):
            continue
        words = (row["table"], row.get("captioner"), row.get("recommender"), row.get("slice"), row["a"], row["b"])
        name, metric = name_macro(*(word for word in words if word), row["metric"]), row["metric"]
        for ending, key in (("", "difference"), ("Low", "low"), ("High", "high")):
            _add(macros, name + ending, _protect(format_value(metric, row[key], True)))
        p = row.get("p_holm") if row.get("p_holm") is not None else row.get("p")
        _add(macros, name + "P", _protect(format_p(p) or "n/a"))
        _add(macros, name + "N", f"{row['n']:,}")
    lines = ["% Figures of this study as macros: \\input{numbers}, then \\lbHeadlineFtPt. Written by the report."]
    return "\n".join([*lines, *(rf"\newcommand{{\{name}}}{{{value}}}" for name, value in macros.items())]) + "\n"


def name_macro(*words: str) -> str:
    r"""Return the name of a macro, which has letters alone: digits are written out.

    >>> name_macro("headline", "bleu_4"), name_macro("arrivals", "vbpr-sbert", "tiny-blip2-opt-ft")
    ('lbHeadlineBleuFour', 'lbArrivalsVbprSbertTinyBlipTwoOptFt')
    """
    parts = re.findall(r"[0-9]|[A-Za-z]+", " ".join(words))
    return "lb" + "".join(DIGITS[int(part)] if part.isdigit() else part[0].upper() + part[1:] for part in parts)


def _add(macros: dict[str, str], name: str, value: str) -> None:
    """Add a macro; names that differ in signs alone are told apart by an ending."""
    while name in macros:
        name += "Again"
    macros[name] = value


def _flatten(values: Values, path: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], float]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, (*path, str(key)))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield (*path, str(key)), value


HEADLINE = {
    "precision": "attribute_precision",
    "recall": "attribute_recall",
    "core": "core_precision",
}  # and caption scores
# Figures of the headline that are NDCG
OF_NDCG = ("chosen", "reference", "none", "best", "ft_pt", "difference", "low", "high", "masked", "warm")


def _format(path: Sequence[str], value: float) -> str:
    """Format a figure as the tables do."""
    first, last = path[0], path[-1]
    if isinstance(value, int):
        return f"{value:,}"
    if first == "headline":
        return (
            format_p(value)
            if last == "p"
            else format_value("ndcg" if last in OF_NDCG else HEADLINE.get(last, last), value)
        )
    return format_value(last, value)


def _protect(text: str) -> str:
    """Let a macro print the same in text and in formulas."""
    return rf"\ensuremath{{{text.replace(MINUS, '-')}}}" if re.fullmatch("[+<\N{MINUS SIGN} 0-9.,]+", text) else text
