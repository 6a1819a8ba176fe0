"""python -m captioning.features: BLIP-2's features of every picture, by one forward pass.

Writes, a row for each item of items.parquet,
- `data/features/image/blip2-visual/`: the mean of the vision tower's tokens (257 of 1408 in the published models);
- `data/features/image/blip2-queries/`: the Q-Former's output (32 queries of 768): `flat`, one after another; their `mean`;
  or `pca95`, the flat ones projected on the principal components that keep 95 % of the variance.

They are those of the model as it comes, or with the adapter that `features_adapter` names. Shards of some 4,000 items are
kept until all are there, so that a run that was killed goes on.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from catalogue.prepared.images import ImageStore
from catalogue.prepared.items import read_items
from features.components import VARIANCE_SHARE, Blocks, project_blocks
from features.files import read_features, write_features
from features.shards import Shards
from pipeline.batches import make_batches
from pipeline.checkpoints import checkpoint_folder, key_folder
from pipeline.core.errors import UserError
from pipeline.core.params import Section, read
from pipeline.core.progress import track
from pipeline.core.stage import print_summary, run
from pipeline.model_folders import MODELS, check_folder
from pipeline.names import ROOT, allowed_names, explain_unknown_name
from pipeline.prefetch import prefetch, reader_threads

if TYPE_CHECKING:
    from captioning.modelling import Captioner

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
ADAPTERS = Path("data/adapters")
FOLDER = Path("data/features/image")
BLIP2 = "blip2"  # how the names of its families begin
CODE = (
    "pipeline",
    "features",
    "catalogue/prepared/images.py",
    "catalogue/prepared/items.py",
    "captioning/features.py",
    "captioning/modelling",
)
LIBRARIES = ("numpy", "torch", "transformers", "peft", "pillow")  # other versions may give other bits
NAMES = ("blip2-visual", "blip2-queries")  # as they stand under image_features in params.yaml


class CaptionFeatures(Section):
    """The section `caption_features`. Its model need not be a captioner of the study, nor the writer."""

    captioner: str
    family: str
    features_adapter: str
    queries: Literal["flat", "mean", "pca95"]
    batch_size: Annotated[int, Field(gt=0)]
    precision: Literal["fp32", "bf16"]

    @field_validator("family")
    @classmethod
    def _has_these_features(cls, family: str) -> str:
        allowed = [name for name in allowed_names("captioning/families") if name.startswith(BLIP2)]
        problem = explain_unknown_name("family with BLIP-2 features", family, allowed)
        if problem:
            raise ValueError(problem)
        return family

    @property
    def adapter(self) -> Path | None:
        """Its folder, if one is to be applied."""
        return None if self.features_adapter == "none" else ADAPTERS / self.features_adapter


class Params(Section):
    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Field(gt=0)]
    caption_features: CaptionFeatures


def main() -> None:
    params = read(Params)
    settings = params.caption_features
    check_folder(MODELS / settings.captioner)
    ids = read_items(ITEMS, ["item_id"])["item_id"].tolist()
    store = ImageStore(IMAGES)
    check_pictures(ids, store)

    from captioning.modelling.memory import named_out_of_memory  # torch: seconds

    less = f"params.yaml: lower caption_features.batch_size ({settings.batch_size}), or use precision: bf16"
    with checkpoint_folder(work_folder(params)) as place, named_out_of_memory(less):
        captioner = load_captioner(MODELS / settings.captioner, params)
        forward = lambda some: features(captioner, some, store, settings.batch_size)  # noqa: E731
        shards = Shards(place / "features", ids, forward, settings.batch_size)
        write_features(FOLDER / NAMES[0], ids, shards.blocks(0))
        write_features(FOLDER / NAMES[1], ids, reduced(lambda: shards.blocks(1), settings.queries))
    dims = [read_features(FOLDER / name).array.shape[1] for name in NAMES]
    print_summary(
        f"wrote {FOLDER}/blip2-*: {len(ids)} items by {settings.captioner}, {dims[0]} visual dimensions, "
        f"{dims[1]} of queries ({settings.queries})"
    )


def check_pictures(ids: Sequence[str], store: ImageStore) -> None:
    """Raises UserError unless every item has a picture, and there is an item."""
    store.require(ids)
    if not ids:
        raise UserError(
            f"{IMAGES}: no items in {ITEMS}; run `dvc repro catalogue_prepare`, which keeps the articles that have one"
        )


def work_folder(params: Params) -> Path:
    """Where finished shards are kept: the name depends on all that a feature depends on."""
    settings = params.caption_features
    code = [ROOT / name for name in (*CODE, f"captioning/families/{settings.family}.py")]
    inputs = [ITEMS, IMAGES, MODELS / settings.captioner, *([settings.adapter] if settings.adapter else []), *code]
    return key_folder("caption_features", params.model_dump(), inputs, LIBRARIES)


def load_captioner(folder: Path, params: Params) -> "Captioner":
    """The model, with the adapter where there is one.

    Raises:
        UserError: what `load` refuses, or an adapter that changes no feature.
    """
    import torch  # seconds: after everything that can be refused without it

    from captioning.modelling import DTYPES, load

    settings = params.caption_features
    torch.set_num_threads(params.threads)
    captioner = load(folder, settings.family, DTYPES[settings.precision], params.device, settings.adapter)
    if settings.adapter:
        check_reach(captioner, settings.adapter)
    return captioner


def check_reach(captioner: "Captioner", adapter: Path) -> None:
    """Raises UserError for an adapter inside the language model, which no image feature passes through."""
    from captioning.modelling.lora import language_model_name, lora_names

    inside = language_model_name(captioner.base)
    if all(name.startswith(f"{inside}.") for name in lora_names(captioner)):
        raise UserError(
            f"params.yaml: caption_features.features_adapter: {adapter} was trained with lora_scope: language and changes no "
            "image feature; set caption_train.lora_scope: all and train it again, or features_adapter: none"
        )


def features(
    captioner: "Captioner", ids: Sequence[str], store: ImageStore, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Visual features (n_items, width) and the output of every query (n_items, queries, width), float32."""
    import torch

    from captioning.modelling import ImageInputs, image_inputs, join_images, on_device

    def prepared(batch: list[str]) -> ImageInputs:
        return join_images(image_inputs(captioner, [store[item] for item in batch]))

    visual, queries, parts = [], [], make_batches(list(ids), batch_size)
    inputs = prefetch(prepared, parts, reader_threads(captioner.base.device.type))
    for images in track(inputs, "BLIP-2 features", total=len(parts), unit="batch"):
        with torch.inference_mode():
            output = captioner.base.get_image_features(**on_device(captioner, images))
        tokens = output.last_hidden_state.float()  # (batch, tokens, width)
        visual.append(tokens.mean(dim=1).cpu().numpy())
        queries.append(output.qformer_outputs.last_hidden_state.float().cpu().numpy())  # (batch, queries, width)
    return np.concatenate(visual), np.concatenate(queries)


def reduced(queries: Blocks, how: Literal["flat", "mean", "pca95"]) -> Iterator[np.ndarray]:
    """Blocks of (n, queries, width) as blocks of (n, dim)."""
    if how == "mean":
        yield from (block.mean(axis=1, dtype=np.float32) for block in queries())
        return
    flat = lambda: (block.reshape(len(block), -1) for block in queries())  # noqa: E731
    yield from flat() if how == "flat" else project_blocks(flat, VARIANCE_SHARE, "caption_features.queries")


if __name__ == "__main__":
    run(main)
