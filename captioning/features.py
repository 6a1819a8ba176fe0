"""python -m captioning.features: BLIP-2's features of every picture, by one forward pass.

Writes, with a row for each item of items.parquet,
- `data/features/image/blip2-visual/`: the mean of the vision tower's tokens (257 of 1408 in the published models);
- `data/features/image/blip2-queries/`: the Q-Former's output (32 queries of 768): `flat`, in one row; their `mean`; or
  `pca95`, the flat ones projected on the principal components that keep 95 % of the variance.

The features are those of the pre-trained model, or with the adapter that `features_adapter` names. Shards of some 4,000
items are kept until all are computed, so that a run that was killed resumes.
"""

from collections.abc import Sequence
from pathlib import Path

from captioning.vision_features.settings import NAMES, QUERIES, VISUAL, Params
from catalogue.prepared.images import ImageStore
from catalogue.prepared.items import read_items
from features.files import read_features, write_features
from features.shards import Shards
from pipeline.checkpoints import checkpoint_folder, key_folder
from pipeline.core.errors import UserError
from pipeline.core.params import read
from pipeline.core.stage import print_summary, run
from pipeline.machine import MACHINE
from pipeline.model_folders import MODELS, check_folder
from pipeline.names import ROOT

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
ADAPTERS = Path("data/adapters")
FOLDER = Path("data/features/image")
CODE = (  # with the family's file, what a feature depends on: the code in `deps` of dvc.yaml
    "pipeline/batches.py",
    "pipeline/checkpoints.py",
    "pipeline/cluster.py",
    "pipeline/core",
    "pipeline/machine.py",
    "pipeline/model_folders.py",
    "pipeline/names.py",
    "pipeline/prefetch.py",
    "features/components.py",
    "features/files.py",
    "features/shards.py",
    "catalogue/prepared",
    "captioning/features.py",
    "captioning/modelling",
    "captioning/vision_features",
)
LIBRARIES = ("numpy", "torch", "transformers", "peft", "pillow")  # other versions may give other bits


def main() -> None:
    """Writes both feature sets."""
    params = read(Params)
    settings = params.caption_features
    model, adapter = MODELS / settings.captioner, choose_adapter(params)
    check_folder(model)
    ids = read_items(ITEMS, ["item_id"])["item_id"].tolist()
    check_pictures(ids, ImageStore(IMAGES))

    from captioning.vision_features.extraction import open_features, reduce_queries  # torch: seconds

    where, options = params.machine.where(params.device), (model, adapter, params, IMAGES)
    with checkpoint_folder(name_work_folder(params)) as folder:
        shards = Shards(folder / "features", ids, settings.batch_size, open_features, *options, where=where)
        write_features(FOLDER / VISUAL, ids, shards.blocks(0))
        write_features(FOLDER / QUERIES, ids, reduce_queries(lambda: shards.blocks(1), settings.queries))
    n_visual, n_queries = (read_features(FOLDER / name).array.shape[1] for name in NAMES)
    print_summary(
        f"wrote {FOLDER}/blip2-*: {len(ids)} items by {settings.captioner}, {n_visual} visual dimensions, {n_queries} "
        f"of queries ({settings.queries})",
        params.machine.threads,
    )


def choose_adapter(params: Params) -> Path | None:
    """Returns the folder of `features_adapter`; None for `none`."""
    name = params.caption_features.features_adapter
    return None if name == "none" else ADAPTERS / name


def check_pictures(ids: Sequence[str], store: ImageStore) -> None:
    """Refuses items without pictures, and a table without items.

    Raises:
        UserError: a picture is missing, or there is no item.
    """
    store.require(ids)
    if not ids:
        raise UserError(
            f"{IMAGES}: no items in {ITEMS}; run `dvc repro catalogue_prepare`, which keeps the articles that have one"
        )


def name_work_folder(params: Params) -> Path:
    """Names the folder of finished shards by all that a feature depends on."""
    settings, adapter = params.caption_features, choose_adapter(params)
    code = [ROOT / name for name in (*CODE, f"captioning/families/{settings.family}.py")]
    inputs = [ITEMS, IMAGES, MODELS / settings.captioner, *([adapter] if adapter else []), *code]
    return key_folder("caption_features", params.model_dump(exclude={MACHINE}), inputs, LIBRARIES)


if __name__ == "__main__":
    run(main)
