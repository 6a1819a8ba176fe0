"""python -m captioning.generate --captioner tiny-llava --family llava [--adapter data/adapters/tiny-llava]: captions.

Greedy captions of the items of split `test` and of every item without description, by the captioner as it comes, or with
an adapter. Writes data/captions/<captioner>-pt.parquet, with an adapter data/captions/<captioner>-ft.parquet.

Every finished batch is kept until the table is there, so that a run that was killed goes on from the batch it was at.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import PositiveInt

from catalogue.prepared.items import read_items
from pipeline.batches import make_batches
from pipeline.checkpoints import Content, checkpoint_folder, is_whole, keep_finished, key_folder, load_part, part_path
from pipeline.core.outputs import write_parquet
from pipeline.core.params import Section, read
from pipeline.core.progress import track
from pipeline.core.stage import print_summary, run
from pipeline.model_folders import MODELS, check_folder
from pipeline.names import ROOT, check_name
from pipeline.prefetch import prefetch, reader_threads
from pipeline.processes import check_number, is_distributed, local_rank, rank, share, world_size

if TYPE_CHECKING:
    from captioning.modelling import Caption, Captioner, ImageInputs

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
CAPTIONS = Path("data/captions")
COLUMNS = {"item_id": "str", "caption": "str", "tokens": "int32", "finished": "bool"}
CODE = (
    "pipeline",
    "catalogue/prepared/images.py",
    "catalogue/prepared/items.py",
    "captioning/generate.py",
    "captioning/modelling",
)
LIBRARIES = ("torch", "transformers", "peft", "pillow")  # other versions may say other words
FILE = "file"  # the family that has captions and no model
OPENED_TOGETHER = 8  # images, by a thread: some models make 30 MB of one
PATIENCE = timedelta(days=7)  # of a process for the slowest one


class CaptionGenerate(Section):
    """The section `caption_generate`."""

    max_new_tokens: PositiveInt
    batch_size: PositiveInt
    precision: Literal["fp32", "bf16"]
    quantization: Literal["none", "nf4"]


class Params(Section):
    """What this stage reads."""

    device: Literal["cpu", "cuda"]
    threads: PositiveInt
    processes: PositiveInt
    caption_generate: CaptionGenerate


def main() -> None:
    given, params = options(), read(Params)
    check_name("family", given.family, "captioning/families")
    model, items = MODELS / given.captioner, read_items(ITEMS, ["item_id", "description", "split"])
    ids, variant = to_caption(items), "ft" if given.adapter else "pt"
    path = CAPTIONS / f"{given.captioner}-{variant}.parquet"
    if given.family == FILE:
        family = import_module(f"captioning.families.{FILE}")
        write(path, family.read_captions(model, variant, ids, items["item_id"].tolist()))
        return
    check_folder(model)
    share(params.processes, "captioning.generate")

    from captioning.modelling.memory import named_out_of_memory  # torch: seconds

    less = (
        f"params.yaml: lower caption_generate.batch_size ({params.caption_generate.batch_size}), or use precision: bf16 or "
        "quantization: nf4"
    )
    work = work_of_all(work_folder(model, given.family, given.adapter, params))
    with work as folder, named_out_of_memory(less):
        captioner = load_captioner(model, given.family, given.adapter, params)
        parts = generate(captioner, ids, params.caption_generate, folder)
        if rank() == 0:
            write(path, as_table(ids, [caption for part in parts for caption in read_batch(part)]))


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captioner", required=True, help="a folder under data/models/")
    parser.add_argument("--family", required=True, help="a module of captioning/families/")
    parser.add_argument("--adapter", type=Path, help="a folder under data/adapters/")
    return parser.parse_args()


def to_caption(items: pd.DataFrame) -> list[str]:
    """Ids of the test split and of every item without description, sorted."""
    return items.loc[(items["split"] == "test") | items["description"].isna(), "item_id"].tolist()


def work_folder(model: Path, family: str, adapter: Path | None, params: Params) -> Path:
    """Where finished batches are kept: the name depends on all that a caption depends on, not on who shares the work."""
    code = [ROOT / name for name in (*CODE, f"captioning/families/{family}.py")]
    inputs = [ITEMS, IMAGES, model, *([adapter] if adapter else []), *code]
    name = f"caption_generate-{model.name}-{'ft' if adapter else 'pt'}"
    return key_folder(name, params.model_dump(exclude={"processes"}), inputs, LIBRARIES)


@contextmanager
def work_of_all(folder: Path) -> Iterator[Path]:
    """The workplace for every process that shares the work; process 0 holds its lock."""
    if not is_distributed():
        with checkpoint_folder(folder):
            yield folder
        return
    from torch import distributed

    distributed.init_process_group("gloo", timeout=PATIENCE)  # they only wait for one another
    check_number(distributed.get_world_size())
    if rank() == 0:
        with checkpoint_folder(folder):
            distributed.barrier()
            yield folder
    else:
        distributed.barrier()
        yield folder
    distributed.destroy_process_group()


def load_captioner(model: Path, family: str, adapter: Path | None, params: Params) -> "Captioner":
    import torch  # seconds: after everything that can be refused without it

    from captioning.modelling import DTYPES, load

    torch.set_num_threads(params.threads)
    device, section = f"cuda:{local_rank()}" if params.device == "cuda" else "cpu", params.caption_generate
    return load(model, family, DTYPES[section.precision], device, adapter, section.quantization)


def generate(captioner: "Captioner", ids: list[str], section: CaptionGenerate, folder: Path) -> list[Path]:
    """Write one file per batch and return the files in the order of `ids`.

    Batches already on disk are skipped; the rest are divided among the processes. Batch boundaries do not depend on the
    number of processes.
    """
    parts = {f"{number:06d}": batch for number, batch in enumerate(make_batches(ids, section.batch_size))}
    missing = [name for name in parts if not is_whole(part_path(folder, name))]
    wait_for_all()  # so that every process sees the same batches missing
    own = {name: parts[name] for name in missing[rank() :: world_size()]}
    keep_finished(folder, own, lambda batches: caption_batches(captioner, batches, section))
    wait_for_all()
    return [part_path(folder, name) for name in parts]


def caption_batches(captioner: "Captioner", batches: list[list[str]], section: CaptionGenerate) -> Iterator[Content]:
    """Yield the captions of each batch; images of the next ones are opened meanwhile."""
    from captioning.modelling import image_inputs
    from catalogue.prepared.images import ImageStore

    store, threads = ImageStore(IMAGES), reader_threads(captioner.base.device.type)

    def prepare(piece: list[str]) -> "list[ImageInputs]":
        return image_inputs(captioner, [store[item] for item in piece])

    pieces = [make_batches(batch, OPENED_TOGETHER if threads else section.batch_size) for batch in batches]
    opened = prefetch(prepare, list(chain.from_iterable(pieces)), threads)
    for batch in track(pieces, "captions", unit="batch") if rank() == 0 else pieces:
        images = list(chain.from_iterable(islice(opened, len(batch))))
        captions = captioner.family.generate(captioner, images, section.max_new_tokens)
        yield {}, {"captions": [[caption.text, caption.tokens, caption.finished] for caption in captions]}


def wait_for_all() -> None:
    if is_distributed():
        from torch import distributed

        distributed.barrier()


def read_batch(path: Path) -> "list[Caption]":
    """Read the captions of a file of `generate`."""
    from captioning.modelling import Caption

    _, state = load_part(path)
    return [Caption(*values) for values in state["captions"]]


def as_table(ids: list[str], captions: "list[Caption]") -> pd.DataFrame:
    """Columns `item_id`, `caption`, `tokens` (EOS included), `finished`; a row for each id."""
    rows = [(item, one.text, one.tokens, one.finished) for item, one in zip(ids, captions, strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write(path: Path, table: pd.DataFrame) -> None:
    write_parquet(path, table[list(COLUMNS)].astype(COLUMNS))
    print_summary(
        f"wrote {path}: {len(table)} captions, {table['finished'].mean() if len(table) else 1:.1%} finished, "
        f"{table['tokens'].mean() if len(table) else 0:.1f} tokens on average"
    )


if __name__ == "__main__":
    run(main)
