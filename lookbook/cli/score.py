"""lookbook score FILE: BLEU, METEOR, ROUGE-L, CIDEr and SPICE of anyone's captions, equal to the official programs."""

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

ALL = "bleu,meteor,rouge_l,cider,spice"
FORMATS = (".parquet", ".csv", ".json")


@command
def score(
    file: Annotated[Path, typer.Argument(help="JSON, CSV or Parquet with id, caption, references; or COCO's results")],
    references: Annotated[
        Path | None, typer.Option(help="where the references are: COCO's annotations, or a file with id and references")
    ] = None,
    metrics: Annotated[str, typer.Option(help="which, separated by commas")] = ALL,
    json: Annotated[Path | None, typer.Option(help="write the scores here, at full precision")] = None,
    per_item: Annotated[
        Path | None,
        typer.Option(help="write the scores of each item and the counts behind them: .parquet, .csv, .json"),
    ] = None,
) -> None:
    """Score captions. SPICE needs CoreNLP once: lookbook fetch corenlp."""
    from captioning.interchange.caption_files import read_caption_file

    asked = asked_metrics(metrics)
    if per_item is not None and per_item.suffix not in FORMATS:
        raise UserError(f"--per-item {per_item}: the name ends in {', '.join(FORMATS)}")
    given = read_caption_file(file, references)
    corenlp = corenlp_folder() if "spice" in asked else None

    from captioning.scores.reference_based import score_captions
    from pipeline.core.outputs import write_json

    scores = score_captions({"": given.captions}, given.references, corenlp, metrics=asked)
    found = {name: value for name, value in scores.corpus[""].items() if name != "length_ratio"}
    if json is not None:
        write_json(json, found)
    if per_item is not None:
        write_table(per_item, _wide(given, scores))
    typer.echo(_report(file, given, scores, asked))


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """The table as Parquet, CSV or JSON, by the name; numbers at full precision, nothing where there is no value."""
    from pipeline.core.outputs import new_file, write_json, write_parquet

    if path.suffix == ".parquet":
        write_parquet(path, table)
    elif path.suffix == ".csv":
        with new_file(path) as partial:
            table.to_csv(partial, index=False)
    else:
        write_json(path, table.astype(object).where(table.notna(), None).to_dict("records"))


def asked_metrics(text: str) -> list[str]:
    from pipeline.core.params import suggest

    known = ALL.split(",")
    asked = [part.strip() for part in text.split(",") if part.strip()]
    for name in asked:
        if name not in known:
            raise UserError(f"--metrics {text}: {name!r} is none of {', '.join(known)}{suggest(name, known)}")
    if not asked:
        raise UserError(f"--metrics: none; there are {', '.join(known)}")
    return asked


def corenlp_folder() -> Path:
    from captioning.scores.java.corenlp import find

    folder = find()
    if folder is None:
        raise UserError(
            "SPICE needs Stanford CoreNLP 3.6.0, which is not on this machine: run `lookbook fetch corenlp` "
            "(385 MB, once), or leave SPICE out: --metrics bleu,meteor,rouge_l,cider"
        )
    return folder


def _wide(given: "CaptionFile", scores: "Scores") -> "pd.DataFrame":
    """A row per item in the order of the file: id, caption, scores, and the counts that corpus BLEU and METEOR are made of."""
    from captioning.scores.reference_based import BLEU, MEANS

    table = scores.items.pivot(index="item_id", columns="metric", values="value")
    first = [name for name in (*BLEU, "meteor", *MEANS, "length_ratio") if name in table]
    table = table[[*first, *(name for name in table if name not in first)]]
    table = table.reindex([item for item in given.captions if item in table.index]).rename_axis(
        index="id", columns=None
    )
    table.insert(0, "caption", [given.captions[str(item)] for item in table.index])
    return table.reset_index()


def _report(file: Path, given: "CaptionFile", scores: "Scores", asked: Sequence[str]) -> str:
    from captioning.scores.spice import METRICS as SPICE

    items, texts = len(given.captions), sum(len(found) for found in given.references.values())
    corpus = scores.corpus[""]
    lines = [f"{file}: {items} captions, {texts} references", "", f"{'':15}{'× 100':>8}"]
    alone = "; of a single item always 0: each of its words is in every item" if items == 1 else ""
    notes = {"cider": f"document frequencies from the references of these {items} items{alone}"}
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider", *SPICE):
        metric = name.split("_")[0] if name.startswith(("bleu", "spice")) else name
        if name in corpus:
            lines.append(f"{_label(name):15}{100 * corpus[name]:8.2f}  {notes.get(name, '')}".rstrip())
        elif metric in asked:
            lines.append(f"{_label(name):15}{'n/a':>8}  no reference has a tuple of this kind")
        elif name == metric or name == "bleu_1":
            lines.append(f"{_label(metric):15}{'n/a':>8}  not asked for (--metrics)")
    lines.append(f"{'words':15}{100 * corpus['length_ratio']:8.2f}  captions' words / references' words")
    lines += ["", *(note.replace(":  ", ": ") for note in scores.notes)] if scores.notes else []
    if given.uncaptioned:
        first = first_five(given.uncaptioned)
        lines.append(f"{len(given.uncaptioned)} ids with references have no caption here; first {first}")
    if scores.left_out:
        first = first_five(scores.left_out)
        lines.append(f"{len(scores.left_out)} items left out: their references have no word; first {first}")
    return "\n".join(lines)


def _label(name: str) -> str:
    labels = {"meteor": "METEOR", "rouge_l": "ROUGE-L", "cider": "CIDEr", "spice": "SPICE", "bleu": "BLEU"}
    if name.startswith("spice_"):
        return f"  {name.removeprefix('spice_')}"
    return labels.get(name) or name.upper().replace("_", "-")
