"""lookbook warprec export | import | run: run the same data in WarpRec, and score its lists here."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lookbook.cli import command

app = typer.Typer(no_args_is_help=True, help="Exchange data and lists with WarpRec, Elliot's successor.")


@app.command("export")
@command
def export(
    out: Annotated[Path, typer.Option(help="folder to write; an earlier export is replaced")],
    catalogue: Annotated[
        Literal["original", "all"] | None, typer.Option(help="catalogue (default: that of --text, else original)")
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="text variant: export its catalogue and the features of its words (default: no text)"),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(help="feature set for VBPR and others, repeatable (default: all that params.yaml names)"),
    ] = None,
    params: Annotated[Path, typer.Option(help="the parameter file of the study")] = Path("params.yaml"),
) -> None:
    """Write data, features, lists and configurations of a study as WarpRec runs them."""
    from recsys.interchange.study import choose_features
    from recsys.interchange.warprec.export import export as write

    own, folders = choose_features(catalogue, text, features, params)
    about = write(out, own, folders, text or own, params)
    typer.echo(
        f"wrote {out}: {about['users']:,} users, {about['items']:,} items, {about['train']:,} train and "
        f"{about['test']:,} test pairs of the catalogue {own}, {len(folders)} feature sets, configurations "
        f"{', '.join(about['configurations'])}; run them with `lookbook warprec run {out}`"
    )
    for note in about["unlike"]:
        typer.echo(note)


@app.command("import")
@command
def import_(
    path: Annotated[Path, typer.Argument(help="an exported folder, or one file of lists in it")],
    json: Annotated[Path | None, typer.Option(help="write every figure here, at full precision")] = None,
    lists: Annotated[
        Path | None, typer.Option(help="write the lists with the study's ids to this folder, one file per recommender")
    ] = None,
) -> None:
    """Score the lists that WarpRec wrote on both test sets, and show its own figures and the study's beside them."""
    _show(path, json, lists)


@app.command("run")
@command
def run(
    path: Annotated[Path, typer.Argument(help="an exported folder")],
    configuration: Annotated[
        list[str] | None, typer.Option(help="configuration to run, such as plain; repeatable (default: all)")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="write every figure here, at full precision")] = None,
) -> None:
    """Run the configurations with the Python that WARPREC_PYTHON names, and show both tables side by side."""
    from pipeline.destinations import check_file
    from recsys.interchange.warprec.run import run as run_configurations

    check_file("--json", json)
    for log in run_configurations(path, configuration):
        typer.echo(f"ran {log.stem} (log: {log})")
    _show(path, json, None)


def _show(path: Path, json: Path | None, lists: Path | None) -> None:
    from pipeline.core.outputs import write_json
    from pipeline.destinations import check_file
    from recsys.interchange.warprec.about import find_exported_folder, read_about
    from recsys.interchange.warprec.results import format_table, label_results, score_results, to_json, write_lists

    check_file("--json", json)
    results = score_results(path)
    if json:
        write_json(json, to_json(results))
    if lists:
        for label, result in zip(label_results(results), results, strict=True):
            name = label if label == result.recommender else result.path.stem
            write_lists(result, lists / f"{name.replace(' ', '-')}.tsv")
    typer.echo(format_table(results, read_about(find_exported_folder(path))))
