"""python -m captioning.generate --captioner tiny-llava --family llava [--adapter data/adapters/tiny-llava]: captions.

Greedy captions of the items of split `test` and of every item without description, by the captioner as it comes, or with
an adapter. Writes data/captions/<captioner>-pt.parquet, with an adapter data/captions/<captioner>-ft.parquet.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import PositiveInt

from pipeline.errors import UserError
from pipeline.names import check_name
from pipeline.outputs import write_parquet
from pipeline.params import Section, read
from pipeline.progress import track
from pipeline.stage import done, run

if TYPE_CHECKING:
    from captioning.modelling import Caption, Captioner

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
COLUMNS = {"item_id": "str", "caption": "str", "tokens": "int32", "finished": "bool"}


class CaptionGenerate(Section):
    """The section `caption_generate`."""

    max_new_tokens: PositiveInt
    batch_size: PositiveInt
    precision: Literal["fp32", "bf16"]


class Params(Section):
    """What this stage reads."""

    device: Literal["cpu", "cuda"]
    threads: PositiveInt
    caption_generate: CaptionGenerate


def main() -> None:
    given, params = options(), read(Params)
    check_name("family", given.family, "captioning/families")
    ids = items_to_caption(ITEMS)
    captioner = load_captioner(Path("data/models") / given.captioner, given.family, given.adapter, params)
    captions = generate(captioner, ids, params.caption_generate)
    table = as_table(ids, captions)
    path = Path("data/captions") / f"{given.captioner}-{'ft' if given.adapter else 'pt'}.parquet"
    write_parquet(path, table)
    done(
        f"wrote {path}: {len(table)} captions, {table['finished'].mean() if len(table) else 1:.1%} finished, "
        f"{table['tokens'].mean() if len(table) else 0:.1f} tokens on average"
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captioner", required=True, help="a folder under data/models/")
    parser.add_argument("--family", required=True, help="a module of captioning/families/")
    parser.add_argument("--adapter", type=Path, help="a folder under data/adapters/")
    return parser.parse_args()


def items_to_caption(path: Path) -> list[str]:
    """Ids of the test split and of every item without description, sorted.

    Raises:
        UserError: no such file, or one without these columns.
    """
    try:
        items = pd.read_parquet(path, columns=["item_id", "description", "split"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run `dvc repro catalogue_prepare`") from None
    except ValueError as error:  # pyarrow's ArrowInvalid is one: a column is missing, or this is not Parquet
        raise UserError(f"{path}: {error}; run `dvc repro catalogue_prepare`") from error
    return sorted(items.loc[(items["split"] == "test") | items["description"].isna(), "item_id"])


def load_captioner(model: Path, family: str, adapter: Path | None, params: Params) -> "Captioner":
    import torch  # seconds: after everything that can be refused without it

    from captioning.modelling import DTYPES, load

    if params.device == "cuda" and not torch.cuda.is_available():
        raise UserError("params.yaml: device: cuda, but PyTorch finds no GPU here; use device: cpu")
    torch.set_num_threads(params.threads)
    return load(model, family, DTYPES[params.caption_generate.precision], params.device, adapter)


def generate(captioner: "Captioner", ids: list[str], section: CaptionGenerate) -> "list[Caption]":
    """A caption for each id, in their order."""
    from captioning.modelling import pixel_values
    from catalogue.images import ImageStore

    store, size = ImageStore(IMAGES), section.batch_size
    captions: list[Any] = []
    starts = range(0, len(ids), size)
    for start in track(starts, f"captions of {len(ids)} items", total=len(starts), unit="batch"):
        pixels = pixel_values(captioner, [store[item] for item in ids[start : start + size]])
        captions += captioner.family.generate(captioner, pixels, section.max_new_tokens)
    return captions


def as_table(ids: list[str], captions: "list[Caption]") -> pd.DataFrame:
    """Columns `item_id`, `caption`, `tokens` (EOS included), `finished`; a row for each id."""
    rows = [(item, one.text, one.tokens, one.finished) for item, one in zip(ids, captions, strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


if __name__ == "__main__":
    run(main)
