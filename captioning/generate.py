"""python -m captioning.generate --captioner tiny-llava --family llava [--adapter data/adapters/tiny-llava]: captions.

Captions the items of split `test` and all items without description, greedily, by the pre-trained captioner or with an
adapter. Writes data/captions/<captioner>-pt.parquet, with an adapter data/captions/<captioner>-ft.parquet and the
folder data/captions/epochs/<captioner>: the captions of split `test` by the adapter of each epoch that was kept
(`caption_train.keep_epochs`), `<number>.parquet`. Where none was kept it is empty.

Finished batches are kept until the last table is written, so that a run that was killed resumes at its next batch.
"""

import argparse
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import pandas as pd

from captioning.generation.settings import Params
from captioning.generation.table import make_table, write_table
from catalogue.prepared.items import read_items
from pipeline.captioners import check_captioner
from pipeline.checkpoints import checkpoint_folder, key_folder
from pipeline.core.outputs import new_folder, write_parquet
from pipeline.core.params import read
from pipeline.core.stage import run
from pipeline.machine import MACHINE
from pipeline.model_folders import MODELS, check_folder
from pipeline.names import ROOT, check_name

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
CAPTIONS = Path("data/captions")
EPOCHS = CAPTIONS / "epochs"
FILE = "file"  # the family that has captions and no model
CODE = (  # with the family's file, what a caption depends on: the code in `deps` of dvc.yaml
    *(f"pipeline/{name}.py" for name in ("batches", "checkpoints", "cluster", "machine", "model_folders", "names")),
    *("pipeline/captioners.py", "pipeline/core", "pipeline/prefetch.py", "catalogue/prepared"),
    *("captioning/generate.py", "captioning/generation", "captioning/modelling"),
)
LIBRARIES = ("torch", "transformers", "peft", "pillow")  # other versions may generate other words


def main() -> None:
    """Writes the captions of a captioner."""
    options, params = parse_options(), read(Params)
    check_captioner(options.captioner)
    check_name("family", options.family, "captioning/families")
    model, items = MODELS / options.captioner, read_items(ITEMS, ["item_id", "description", "split"])
    ids, variant = choose_items(items), "ft" if options.adapter else "pt"
    if options.family != FILE:
        check_folder(model)
    with ExitStack() as kept:
        if options.adapter:
            test = items.loc[items["split"] == "test", "item_id"].tolist()
            with new_folder(EPOCHS / options.captioner) as folder:
                for adapter in list_epochs(options.adapter):
                    table = caption_items(model, options.family, adapter, test, params, kept)
                    write_parquet(folder / f"{adapter.name}.parquet", table)
        if options.family == FILE:
            family = import_module(f"captioning.families.{FILE}")
            table = family.read_captions(model, variant, ids, items["item_id"].tolist())
        else:
            table = caption_items(model, options.family, options.adapter, ids, params, kept)
        write_table(CAPTIONS / f"{options.captioner}-{variant}.parquet", table)


def caption_items(
    model: Path, family: str, adapter: Path | None, ids: list[str], params: Params, kept: ExitStack
) -> pd.DataFrame:
    """Captions these items, here or on a cluster; finished batches stay until `kept` is closed without an error."""
    from captioning.generation.batch_files import open_captioner, read_batch, write_batches  # torch: seconds

    size, where = params.caption_generate.batch_size, params.machine.where(params.device)
    folder = kept.enter_context(checkpoint_folder(name_work_folder(model, family, adapter, ids, params)))
    files = write_batches(ids, size, folder, where, open_captioner, model, family, adapter, params, IMAGES)
    return make_table(ids, [caption for file in files for caption in read_batch(file)])


def list_epochs(adapter: Path) -> list[Path]:
    """Lists the adapters of single epochs that `caption_train` kept beside the best one, first epoch first."""
    return sorted(adapter.glob("epochs/*"), key=lambda folder: int(folder.name))


def parse_options() -> argparse.Namespace:
    """Returns captioner, family and adapter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captioner", required=True, help="a folder under data/models/")
    parser.add_argument("--family", required=True, help="a module of captioning/families/")
    parser.add_argument("--adapter", type=Path, help="a folder under data/adapters/ (default: no adapter)")
    return parser.parse_args()


def choose_items(items: pd.DataFrame) -> list[str]:
    """Returns the ids of the test split and of all items without description, sorted."""
    return items.loc[(items["split"] == "test") | items["description"].isna(), "item_id"].tolist()


def name_work_folder(model: Path, family: str, adapter: Path | None, ids: list[str], params: Params) -> Path:
    """Names the folder of finished batches by the items, and all that a caption depends on but who writes it."""
    code = [ROOT / name for name in (*CODE, f"captioning/families/{family}.py")]
    inputs = [ITEMS, IMAGES, model, *([adapter] if adapter else []), *code]
    name = f"caption_generate-{model.name}-{'ft' if adapter else 'pt'}"
    return key_folder(name, params.model_dump(exclude={MACHINE}) | {"items": ids}, inputs, LIBRARIES)


if __name__ == "__main__":
    run(main)
