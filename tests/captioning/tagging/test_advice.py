"""The warning about the small tagger: for a shop's own words alone."""

from pathlib import Path

import pytest

from captioning.tagging.advice import warn_of_tiny


@pytest.mark.parametrize(("dataset", "tagger"), [("sample", "tiny-stanza"), ("hm", "stanza-en"), ("boutique", "other")])
def test_no_warning_where_the_tagger_fits(dataset: str, tagger: str) -> None:
    assert warn_of_tiny(dataset, tagger, "default", Path("data/models")) == ("", "")


@pytest.mark.parametrize("dataset", ["hm", "facad", "boutique"])
def test_a_warning_with_the_command_elsewhere(dataset: str) -> None:
    warning, advice = warn_of_tiny(dataset, "tiny-stanza", "default_accurate", Path("data/models"))
    assert dataset in warning
    assert "package='default_accurate'" in advice
