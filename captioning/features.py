"""python -m captioning.features: BLIP-2's features of every picture, by one forward pass.

Writes, a row for each item of items.parquet,
- `data/features/image/blip2-visual/`: the mean of the vision tower's tokens (257 of 1408 in the published models);
- `data/features/image/blip2-queries/`: the Q-Former's output (32 queries of 768): `flat`, one after another; their `mean`;
  or `pca95`, the flat ones projected on the principal components that keep 95 % of the variance.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from catalogue.images import ImageStore
from pipeline.errors import UserError
from pipeline.features import write_features
from pipeline.names import allowed_names, unknown_name
from pipeline.params import Section, read
from pipeline.progress import track
from pipeline.stage import done, run

if TYPE_CHECKING:
    from captioning.modelling import Captioner

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
MODELS = Path("data/models")
FOLDER = Path("data/features/image")
NAMES = ("blip2-visual", "blip2-queries")  # as they stand under image_features in params.yaml
BLIP2 = "blip2"  # how the names of its families begin


class CaptionFeatures(Section):
    """The section `caption_features`. Its model need not be a captioner of the study, nor the writer."""

    captioner: str
    family: str
    queries: Literal["flat", "mean", "pca95"]
    batch_size: Annotated[int, Field(gt=0)]

    @field_validator("family")
    @classmethod
    def _has_these_features(cls, family: str) -> str:
        allowed = [name for name in allowed_names("captioning/families") if name.startswith(BLIP2)]
        problem = unknown_name("family with BLIP-2 features", family, allowed)
        if problem:
            raise ValueError(problem)
        return family


class Params(Section):
    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Field(gt=0)]
    caption_features: CaptionFeatures


def main() -> None:
    params = read(Params)
    settings = params.caption_features
    captioner = load_captioner(MODELS / settings.captioner, settings.family, params.device, params.threads)
    ids = pd.read_parquet(ITEMS, columns=["item_id"])["item_id"].tolist()
    visual, queries = features(captioner, ids, ImageStore(IMAGES), settings.batch_size)
    reduced = reduce_queries(queries, settings.queries)
    for name, array in zip(NAMES, (visual, reduced), strict=True):
        write_features(FOLDER / name, ids, array)
    done(
        f"wrote {FOLDER}/blip2-*: {len(ids)} items by {settings.captioner}, {visual.shape[1]} visual dimensions, "
        f"{reduced.shape[1]} of queries ({settings.queries})"
    )


def load_captioner(folder: Path, family: str, device: str, threads: int) -> "Captioner":
    """The model without an adapter, in float32."""
    import torch

    from captioning.modelling import DTYPES, load

    torch.set_num_threads(threads)
    return load(folder, family, DTYPES["fp32"], device)


def features(
    captioner: "Captioner", ids: Sequence[str], store: ImageStore, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Visual features (n_items, width) and the output of every query (n_items, queries, width), float32."""
    visual, queries = [], []
    starts = range(0, len(ids), batch_size)
    batches = ([store[item] for item in ids[start : start + batch_size]] for start in starts)
    for of_tower, of_queries in track(_forward(captioner, batches), "BLIP-2 features", total=len(starts), unit="batch"):
        visual.append(of_tower)
        queries.append(of_queries)
    return np.concatenate(visual), np.concatenate(queries)


def reduce_queries(queries: np.ndarray, how: Literal["flat", "mean", "pca95"]) -> np.ndarray:
    """(n_items, queries, width) to (n_items, dim)."""
    if how == "mean":
        return queries.mean(axis=1)
    flat = queries.reshape(len(queries), -1)  # (n_items, queries * width)
    return flat if how == "flat" else keep_variance(flat, 0.95)


def keep_variance(array: np.ndarray, share: float) -> np.ndarray:
    """Projection on the fewest principal components that keep this share of the variance: (n, dim) to (n, fewer).

    A component's largest weight is positive, so that its sign is a property of the data.

    Raises:
        UserError: fewer than two rows.
    """
    from sklearn.decomposition import PCA

    if len(array) < 2:
        raise UserError(f"caption_features.queries: pca95 needs at least two items, found {len(array)}")
    pca = PCA(n_components=share, svd_solver="covariance_eigh").fit(array.astype(np.float64))
    largest = np.abs(pca.components_).argmax(axis=1)
    signs = np.sign(pca.components_[np.arange(len(largest)), largest])  # (n_components,)
    return (pca.transform(array.astype(np.float64)) * signs).astype(np.float32)


def _forward(captioner: "Captioner", batches: Iterator[list[Any]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    import torch

    from captioning.modelling import pixel_values

    model: Any = captioner.base
    for images in batches:
        with torch.inference_mode():
            output = model.get_image_features(
                pixel_values=pixel_values(captioner, images).to(model.device, model.dtype)
            )
        tokens = output.last_hidden_state  # (batch, tokens, width)
        of_queries = output.qformer_outputs.last_hidden_state  # (batch, queries, width)
        yield tokens.mean(dim=1).float().cpu().numpy(), of_queries.float().cpu().numpy()


if __name__ == "__main__":
    run(main)
