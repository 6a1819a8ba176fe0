"""The names of recommenders in lists, scores and tables: `itemknn`, or `vbpr-sbert` for VBPR on the features sbert.

A content recommender (an entry of the axis `content_recommenders` of params.yaml) is fitted once for each feature set,
on every catalogue (image features) or on every text (text features); its name holds both. Only this module builds such
a name or takes it apart.
"""

from collections.abc import Iterable, Sequence

from catalogue.descriptions.variants import CATALOGUE_OF, Catalogue
from pipeline.core.errors import UserError
from pipeline.names import explain_unknown_name

BUYERS = "buyers:"  # how the names of slices by number of buyers begin


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

    A recommender is a Python module, so its own name has no hyphen.

    >>> split_name("vbpr-blip2-visual"), split_name("itemknn")
    (('vbpr', 'blip2-visual'), ('itemknn', None))
    """
    recommender, _, features = name.partition("-")
    return (recommender, features) if features else (name, None)


def shorten_name(name: str, content_recommenders: Sequence[str]) -> str:
    """Return the name as keys of the headline have it: the first content recommender goes by its features alone.

    >>> [shorten_name(name, ["vbpr", "contentknn"]) for name in ("vbpr-sbert", "contentknn-sbert", "itemknn")]
    ['sbert', 'contentknn-sbert', 'itemknn']
    """
    recommender, features = split_name(name)
    return features if features and recommender == content_recommenders[0] else name


def list_catalogue_recommenders(
    recommenders: Iterable[str], content_recommenders: Iterable[str], image_features: Iterable[str]
) -> list[str]:
    """Return the names of all recommenders that read no text: each is fitted on every catalogue.

    Args:
        recommenders: The axis `recommenders` of params.yaml, which need no features.
        content_recommenders: The axis `content_recommenders`, which need them.
        image_features: The axis `image_features`.
    """
    return [*recommenders, *list_text_recommenders(content_recommenders, image_features)]


def list_text_recommenders(content_recommenders: Iterable[str], features: Iterable[str]) -> list[str]:
    """Return the names of all content recommenders on these feature sets, by recommender.

    With the axis `text_features` they are the recommenders that read texts: each is fitted on every text.
    """
    sets = list(features)
    return [build_name(recommender, name) for recommender in content_recommenders for name in sets]
