"""Warns where the small tagger of this repository meets a shop's own words, on which it was never trained."""

from pathlib import Path

from captioning.tagging.extract import TINY, explain_download

SAMPLE = "sample"
OWN = "stanza-en"  # the folder, below data/models/, that git ignores


def warn_of_tiny(dataset: str, tagger: str, package: str, models: Path) -> tuple[str, str]:
    """Return a warning and what to do, both empty where the tagger fits the data.

    >>> warn_of_tiny("sample", "tiny-stanza", "default", Path("data/models"))
    ('', '')

    Args:
        dataset: the study's data set.
        tagger: the name of the tagger's folder.
        package: of Stanza's models.
        models: the folder of models.
    """
    if dataset == SAMPLE or tagger != TINY:
        return "", ""
    warning = (
        f"caption_attributes.tagger: {TINY} is trained on the sample's sentences alone and takes many words of "
        f"{dataset} for the wrong kind; attributes and their scores are not to be published"
    )
    return warning, f"{explain_download(models / OWN, package)}, and set caption_attributes.tagger: {OWN}"
