"""The table of a grid of parameters: what each cell reached."""

import pandas as pd

from lookbook.reporting.formatting import CAPTION_COLUMNS, Table, format_value

HEADINGS = {
    "validation_loss": "Validation loss",
    "best_epoch": "Best epoch",
    "seconds": "Seconds",
    "kg_co2": "kg CO2",
    "arrivals_ndcg": "NDCG",
}


def grid_table(frame: pd.DataFrame) -> Table:
    """Return a row per captioner and cell; n/a where the cell has not run.

    Args:
        frame: As lookbook.workspace.grid makes it: captioner, the cell's values, experiment, waiting, figures, best.
    """
    names = list(frame.columns)
    values = names[1 : names.index("experiment")]
    figures = [name for name in names[names.index("waiting") + 1 :] if name != "best"]
    rows = [
        [
            *(str(row[name]) for name in ("captioner", *values)),
            str(row["experiment"]) + (f", {row['waiting']}" if row["waiting"] else ""),
            *(_format(name, row[name]) for name in figures),
        ]
        for row in frame.to_dict("records")
    ]
    headings = [HEADINGS.get(name) or CAPTION_COLUMNS[name] for name in figures]
    best = [number for number, is_best in enumerate(frame["best"]) if is_best]
    return Table(
        "grid",
        "Cells of the grid",
        ["Captioner", *values, "Experiment", *headings],
        rows,
        2 + len(values),
        frame,
        [
            "Scores of fine-tuned captions in percent, CIDEr × 100; NDCG of new arrivals with them. A cell is one "
            "training run: another seed has another loss.",
            *(f"Lowest validation loss of {rows[n][0]}: {', '.join(rows[n][1 : 1 + len(values)])}." for n in best),
        ],
        heading_of=dict(zip(figures, headings, strict=True)),
    )


def _format(name: str, value: float | None) -> str:
    if value is None or value != value:
        return "n/a"
    if name == "arrivals_ndcg":
        return format_value("ndcg", value)
    return format_value(name, value) if name in CAPTION_COLUMNS else f"{value:,.4g}"
