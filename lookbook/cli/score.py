"""lookbook score FILE: score captions by BLEU, METEOR, ROUGE-L, CIDEr and SPICE, equal to the official programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookbook.cli import command
from pipeline.core.errors import UserError, first_five

if TYPE_CHECKING:
    import pandas as pd

    from captioning.interchange.caption_files import CaptionFile
    from captioning.scores.reference_based import Scores

FORMATS = (".parquet", ".csv", ".json")


@command
def score(
    file: Annotated[Path, typer.Argument(help="JSON, CSV or Parquet with id, caption, references; or COCO results")],
    references: Annotated[
        Path | None, typer.Option(help="COCO annotations, or a file with id and references (default: those in FILE)")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="scores separated by commas, such as bleu,cider (default: all)")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="write the scores to this file, at full precision")] = None,
    per_item: Annotated[
        Path | None,
        typer.Option(help="write the scores of each item, and their counts, to this file: .parquet, .csv, .json"),
    ] = None,
) -> None:
    """Score captions. SPICE needs CoreNLP; fetch it once: lookbook fetch corenlp."""
    from captioning.interchange.caption_files import read_caption_file
    from pipeline.destinations import check_file

    check_file("--json", json)
    check_file("--per-item", per_item)
    names = parse_metrics(metrics)
    if per_item is not None and per_item.suffix not in FORMATS:
        raise UserError(f"--per-item {per_item}: the name must end in one of: {', '.join(FORMATS)}")
    captions = read_caption_file(file, references)
    corenlp = require_corenlp() if "spice" in names else None

    from captioning.scores.reference_based import score_captions
    from pipeline.core.outputs import write_json

    scores = score_captions({"": captions.captions}, captions.references, corenlp, metrics=names)
    if json is not None:
        write_json(json, {name: value for name, value in scores.corpus[""].items() if name != "length_ratio"})
    if per_item is not None:
        write_table(per_item, _make_wide(captions, scores))
    typer.echo(_format_report(file, captions, scores, names))


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write the table as Parquet, CSV or JSON, by the name; at full precision, nothing where there is no value."""
    from pipeline.core.outputs import new_file, write_json, write_parquet

    if path.suffix == ".parquet":
        write_parquet(path, table)
    elif path.suffix == ".csv":
        with new_file(path) as partial:
            table.to_csv(partial, index=False)
    else:
        write_json(path, table.astype(object).where(table.notna(), None).to_dict("records"))


def parse_metrics(text: str | None) -> list[str]:
    """Parse metric names separated by commas; None stands for all.

    >>> parse_metrics("bleu, cider")
    ['bleu', 'cider']

    Raises:
        UserError: a name is unknown, or there is none.
    """
    from captioning.scores.reference_based import METRICS
    from pipeline.core.params import suggest

    known = list(METRICS)
    if text is None:
        return known
    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in known:
            raise UserError(f"--metrics {text}: {name!r} is none of {', '.join(known)}{suggest(name, known)}")
    if not names:
        raise UserError(f"--metrics: empty; there are: {', '.join(known)}")
    return names


def require_corenlp() -> Path:
    """Return the folder of CoreNLP, which SPICE needs.

    Raises:
        UserError: CoreNLP is not on this machine.
    """
    from captioning.scores.java.corenlp import find

    folder = find()
    if folder is None:
        raise UserError(
            "SPICE needs Stanford CoreNLP 3.6.0, which is not on this machine: run `lookbook fetch corenlp` "
            "(385 MB, once), or leave SPICE out: --metrics bleu,meteor,rouge_l,cider"
        )
    return folder


def _make_wide(captions: "CaptionFile", scores: "Scores") -> "pd.DataFrame":
    """Return a row per item, in the order of the file: id, caption, scores, and the counts behind BLEU and METEOR."""
    from captioning.scores.reference_based import BLEU, MEANS

    table = scores.items.pivot(index="item_id", columns="metric", values="value")
    first = [name for name in (*BLEU, "meteor", *MEANS, "length_ratio") if name in table]
    table = table[[*first, *(name for name in table if name not in first)]]
    table = table.reindex([item for item in captions.captions if item in table.index])
    table = table.rename_axis(index="id", columns=None)
    table.insert(0, "caption", [captions.captions[str(item)] for item in table.index])
    return table.reset_index()


def _format_report(file: Path, captions: "CaptionFile", scores: "Scores", names: Sequence[str]) -> str:
    from captioning.scores.reference_based import BLEU, MEANS

    n_items, n_references = len(captions.captions), sum(map(len, captions.references.values()))
    corpus = scores.corpus[""]
    lines = [f"{file}: {n_items} captions, {n_references} references", "", f"{'':15}{'× 100':>8}"]
    single = "; always 0 for a single item: each of its words is in every item" if n_items == 1 else ""
    notes = {"cider": f"document frequencies from the references of these {n_items} items{single}"}
    for name in (*BLEU, "meteor", *MEANS):
        metric = name.split("_")[0] if name.startswith(("bleu", "spice")) else name
        if name in corpus:
            lines.append(f"{_label(name):15}{100 * corpus[name]:8.2f}  {notes.get(name, '')}".rstrip())
        elif metric in names:
            lines.append(f"{_label(name):15}{'n/a':>8}  no reference has a tuple of this kind")
        elif name == metric or name == "bleu_1":
            lines.append(f"{_label(metric):15}{'n/a':>8}  not in --metrics")
    lines.append(f"{'words':15}{100 * corpus['length_ratio']:8.2f}  captions' words / references' words")
    lines += ["", *(note.replace(":  ", ": ") for note in scores.notes)] if scores.notes else []
    if captions.uncaptioned:
        first = first_five(captions.uncaptioned)
        lines.append(f"{len(captions.uncaptioned)} ids with references have no caption here; first {first}")
    if scores.left_out:
        first = first_five(scores.left_out)
        lines.append(f"{len(scores.left_out)} items left out: their references have no word; first {first}")
    return "\n".join(lines)


def _label(name: str) -> str:
    labels = {"meteor": "METEOR", "rouge_l": "ROUGE-L", "cider": "CIDEr", "spice": "SPICE", "bleu": "BLEU"}
    if name.startswith("spice_"):
        return f"  {name.removeprefix('spice_')}"
    return labels.get(name) or name.upper().replace("_", "-")
