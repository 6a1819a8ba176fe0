"""The names of recommenders in lists, scores and tables: `itemknn`, or `vbpr-sbert` for VBPR on the features sbert.

A recommender with features is fitted once for each feature set, on every catalogue (image features) or on every text
(text features); its name holds both. Only this module builds such a name or takes it apart.
"""

from collections.abc import Iterable

from catalogue.descriptions.variants import CATALOGUE_OF, Catalogue
from pipeline.core.errors import UserError
from pipeline.names import explain_unknown_name

CONTENT_RECOMMENDERS = ("vbpr",)  # the recommenders that need features, files of recsys/recommenders/


def catalogue_of(text: str) -> Catalogue:
    """Return the catalogue whose items a text describes.

    Raises:
        UserError: There is no such text.
    """
    problem = explain_unknown_name("text", text, CATALOGUE_OF)
    if problem:
        raise UserError(f"--text: {problem}")
    return CATALOGUE_OF[text]


def build_name(recommender: str, features: str | None = None) -> str:
    """Return the name of a recommender on a feature set, or the recommender's own where it needs none.

    >>> build_name("vbpr", "blip2-visual"), build_name("itemknn")
    ('vbpr-blip2-visual', 'itemknn')
    """
    return recommender if features is None else f"{recommender}-{features}"


def split_name(name: str) -> tuple[str, str | None]:
    """Return the recommender and the feature set of a name, or the name and None where it has no features.

    >>> split_name("vbpr-blip2-visual"), split_name("itemknn")
    (('vbpr', 'blip2-visual'), ('itemknn', None))
    """
    recommender, _, features = name.partition("-")
    return (recommender, features) if features and recommender in CONTENT_RECOMMENDERS else (name, None)


def shorten_name(name: str) -> str:
    """Return the name as keys of the headline have it: the first recommender with features goes by its features alone.

    >>> shorten_name("vbpr-sbert"), shorten_name("itemknn")
    ('sbert', 'itemknn')
    """
    recommender, features = split_name(name)
    return features if features and recommender == CONTENT_RECOMMENDERS[0] else name


def list_catalogue_recommenders(recommenders: Iterable[str], image_features: Iterable[str]) -> list[str]:
    """Return the names of all recommenders that read no text: each is fitted on every catalogue.

    Args:
        recommenders: The axis `recommenders` of params.yaml, which need no features.
        image_features: The axis `image_features`.
    """
    return [*recommenders, *list_text_recommenders(image_features)]


def list_text_recommenders(features: Iterable[str]) -> list[str]:
    """Return the names of all recommenders with features on these feature sets.

    With the axis `text_features` they are the recommenders that read texts: each is fitted on every text.
    """
    sets = list(features)
    return [build_name(recommender, name) for recommender in CONTENT_RECOMMENDERS for name in sets]
