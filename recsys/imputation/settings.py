"""The imputations of params.yaml, their names in data/features/imputed, and the section `rec_impute`."""

from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import Field

from pipeline.core.params import Section

Imputation = Literal["mean", "zeros", "ridge", "neighbours"]  # of arrivals
WarmImputation = Literal["zeros", "neighbours", "propagation", "pagerank", "heat"]  # of items without description
IMPUTATIONS: tuple[Imputation, ...] = get_args(Imputation)
WARM_IMPUTATIONS: tuple[WarmImputation, ...] = get_args(WarmImputation)
ZEROS = "zeros"  # no text: a recommender on graphs has no edges of words for such an item
FROM_PICTURES: tuple[Imputation, ...] = ("ridge", "neighbours")  # one for each set of image features


class Warm(Section):
    """Section `rec_impute.warm` of params.yaml."""

    definition: Literal["corrected", "published"]
    neighbours: Annotated[int, Field(ge=1)]
    layers: Annotated[int, Field(ge=1)]
    restart: Annotated[float, Field(gt=0, lt=1)]
    time: Annotated[float, Field(gt=0)]


class RecImpute(Section):
    """Section `rec_impute` of params.yaml."""

    neighbours: Annotated[int, Field(ge=1)]
    ridge_values: Annotated[int, Field(ge=1_000)]
    seed: Annotated[int, Field(ge=0)]
    warm: Warm


def expand_imputations(imputations: Iterable[str], image_features: Iterable[str]) -> list[str]:
    """List the names of the imputations' folders: those from pictures become one for each set of image features.

    >>> expand_imputations(["mean", "ridge"], ["resnet50", "blip2-queries"])
    ['mean', 'ridge-resnet50', 'ridge-blip2-queries']
    """
    pictures = list(image_features)
    expanded = [
        [name_from_pictures(imputation, features) for features in pictures]
        if imputation in FROM_PICTURES
        else [imputation]
        for imputation in imputations
    ]
    return list(dict.fromkeys(name for some in expanded for name in some))


def name_from_pictures(imputation: str, features: str) -> str:
    """Return the name of an imputation from a set of image features.

    >>> name_from_pictures("ridge", "resnet50")
    'ridge-resnet50'
    """
    return f"{imputation}-{features}"


def name_warm(imputation: str) -> str:
    """Return the name of an imputation of items without description.

    >>> name_warm("heat")
    'warm-heat'
    """
    return f"warm-{imputation}"
