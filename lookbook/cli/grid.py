"""lookbook grid [FILE]: the cells of a grid as a table, from `dvc exp show`; with --queue, those that have not run are queued.

One that is queued or running already is not queued again.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookbook.cli import command

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

WIDE = 240  # columns of the table in a file or a pipe
LAST = (
    "spice",
    "attribute_precision",
    "meteor",
    "rouge_l",
    "best_epoch",
    "kg_co2",
    "seconds",
)  # given up first, in turn


@command
def grid(
    file: Annotated[Path, typer.Argument(help="lists of values under the names of root parameters")] = Path(
        "studies/grids/study.yaml"
    ),
    queue: Annotated[
        bool, typer.Option(help="queue the cells that have not run; `dvc queue start -j 1` runs them")
    ] = False,
    target: Annotated[
        list[str] | None, typer.Option(help="with --queue: what to run, instead of caption_score")
    ] = None,
    captioner: Annotated[list[str] | None, typer.Option(help="instead of all that params.yaml names")] = None,
    all_commits: Annotated[bool, typer.Option(help="look for experiments of earlier commits too")] = False,
    csv: Annotated[Path | None, typer.Option(help="write the table here too, at full precision")] = None,
) -> None:
    """What each cell of a grid of parameters reached: validation loss, scores, seconds, kg CO2."""
    from lookbook.workspace import grid as grids
    from pipeline.core.outputs import new_file
    from pipeline.core.params import load

    params = load(Path("params.yaml"))
    cells = grids.read_grid(file, params)
    names = captioner or list(params["captioners"])
    runs = grids.read_runs(names, all_commits)
    if queue:
        missing = [cell for cell in cells if any(grids.find(cell, runs, params, name) is None for name in names)]
        new = [cell for cell in missing if grids.find_waiting(cell, runs, params) is None]
        grids.queue(new, target or ["caption_score"])
        typer.echo(f"{len(new)} of {len(cells)} cells queued; run them with: dvc queue start -j 1")
        if len(new) < len(missing):
            typer.echo(f"{len(missing) - len(new)} were queued or running already; see them with: dvc queue status")
        return
    frame = grids.table(cells, runs, params, names)
    if csv:
        with new_file(csv) as partial:
            frame.to_csv(partial, index=False, lineterminator="\n")
    show(frame, file)


def show(frame: "pd.DataFrame", file: Path) -> None:
    """On the terminal, without some columns where it is narrow; `*` marks a captioner's lowest validation loss."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    view, hidden = as_table(frame, file), []
    for name in LAST:
        if console.measure(view, options=console.options.update(max_width=WIDE)).maximum <= console.width:
            break
        hidden.append(name)
        view = as_table(frame.drop(columns=hidden), file)
    console.print(view)
    if hidden:
        console.print(f"not shown on a terminal of this width: {', '.join(hidden)}; --csv FILE writes everything")


def as_table(frame: "pd.DataFrame", file: Path) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    waiting = frame["waiting"] != ""
    ran = ((frame["experiment"] != "") & ~waiting).sum()
    view = Table(
        box=SIMPLE_HEAD,
        title=f"{file}: {ran} of {len(frame)} cells have run{f', {waiting.sum()} queued or running' if waiting.any() else ''}",
        caption="* lowest validation loss of a captioner",
    )
    shown = frame.columns.drop(["best", "waiting"])
    for name in shown:
        view.add_column(name, justify="left" if frame[name].dtype == object else "right")
    for best, state, *values in frame[["best", "waiting", *shown]].itertuples(index=False):
        cells = [
            "" if value is None or value != value else f"{value:.4g}" if isinstance(value, float) else str(value)
            for value in values
        ]
        cells[list(shown).index("experiment")] += " *" if best else f", {state}" if state else ""
        view.add_row(*cells)
    return view
