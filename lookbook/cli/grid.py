"""lookbook grid [FILE]: show the cells of a grid as a table, from `dvc exp show`; with --queue, queue the rest.

Cells that are queued or running already are not queued again.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookbook.cli import command

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

WIDE = 240  # columns of the table in a file or a pipe
HIDDEN_FIRST = (  # columns that a narrow terminal loses, in this order
    *("spice", "attribute_precision", "meteor", "rouge_l"),
    *("best_epoch", "kg_co2", "seconds"),
)


@command
def grid(
    file: Annotated[Path, typer.Argument(help="YAML file that lists values under the names of root parameters")] = Path(
        "studies/grids/study.yaml"
    ),
    queue: Annotated[
        bool, typer.Option("--queue", help="queue the cells that have not run; `dvc queue start -j 1` runs them")
    ] = False,
    target: Annotated[
        list[str] | None, typer.Option(help="with --queue: stage to run, repeatable (default: compare)")
    ] = None,
    captioner: Annotated[
        list[str] | None, typer.Option(help="captioner to show, repeatable (default: all of params.yaml)")
    ] = None,
    all_commits: Annotated[
        bool, typer.Option("--all-commits", help="also read experiments of earlier commits")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="also write the table to this file, at full precision")] = None,
) -> None:
    """Show what each cell of a grid of parameters reached: validation loss, scores, NDCG of new arrivals, seconds."""
    from lookbook.workspace.grid import find_trained, find_waiting, make_table, queue_cells, read_grid, read_runs
    from lookbook.workspace.raw_data import require_tracked, require_tracked_models
    from pipeline.core.outputs import new_file
    from pipeline.core.params import load
    from pipeline.destinations import check_file

    check_file("--csv", csv)
    params = load(Path("params.yaml"))
    if queue:
        require_tracked(str(params.get("dataset", "")))
        require_tracked_models(params)
    cells = read_grid(file, params)
    names = captioner or list(params["captioners"])
    runs = read_runs(names, params, all_commits)
    if queue:
        missing = [cell for cell in cells if any(find_trained(cell, runs, params, name) is None for name in names)]
        new = [cell for cell in missing if find_waiting(cell, runs, params) is None]
        queue_cells(new, target or ["compare"])
        typer.echo(f"{len(new)} of {len(cells)} cells queued; run them with: dvc queue start -j 1")
        if len(new) < len(missing):
            typer.echo(f"{len(missing) - len(new)} were queued or running already; see them with: dvc queue status")
        return
    frame = make_table(cells, runs, params, names)
    if csv:
        with new_file(csv) as partial:
            frame.to_csv(partial, index=False, lineterminator="\n")
    show(frame, file)


def show(frame: "pd.DataFrame", file: Path) -> None:
    """Print the table, without some columns on a narrow terminal; `*` marks a captioner's lowest validation loss."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    view, hidden = format_table(frame, file), []
    for name in HIDDEN_FIRST:
        if console.measure(view, options=console.options.update(max_width=WIDE)).maximum <= console.width:
            break
        hidden.append(name)
        view = format_table(frame.drop(columns=hidden), file)
    console.print(view)
    if hidden:
        console.print(f"not shown on a terminal of this width: {', '.join(hidden)}; --csv FILE writes everything")


def format_table(frame: "pd.DataFrame", file: Path) -> "Table":
    """Build the table that a terminal shows."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    waiting = frame["waiting"] != ""
    n_ran = ((frame["experiment"] != "") & ~waiting).sum()
    more = f", {waiting.sum()} queued or running" if waiting.any() else ""
    view = Table(
        box=SIMPLE_HEAD,
        title=f"{file}: {n_ran} of {len(frame)} cells have run{more}",
        caption="* lowest validation loss of a captioner; a cell is one training run, another seed has another loss",
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
