"""A name is a file: what is allowed follows from the folder, and a typo gets the nearest name."""

import pytest

from pipeline.core.errors import UserError
from pipeline.core.params import REFERENCE, load
from pipeline.names import allowed_names, check_name, explain_unknown_name, with_sections
from recsys.fit import Params


def test_the_names_are_the_files_of_the_folder() -> None:
    assert set(allowed_names("recsys/extractors")) >= {"resnet50", "sbert", "resbert", "clip"}
    assert not any(name.startswith("_") for name in allowed_names("recsys/extractors"))


def test_a_known_name_passes() -> None:
    assert check_name("extractor", "sbert", "recsys/extractors") is None


@pytest.mark.parametrize("name", ["sbrt", "", "../features", "__init__", "sbert.py"])
def test_an_unknown_name_is_refused_with_the_allowed_ones(name: str) -> None:
    with pytest.raises(UserError, match=r"is no known extractor; must be one of: .*sbert"):
        check_name("extractor", name, "recsys/extractors")


def test_the_nearest_name_is_offered() -> None:
    assert explain_unknown_name("extractor", "sbrt", ["clip", "sbert"]).endswith("did you mean sbert?")
    assert explain_unknown_name("extractor", 5, ["clip"]) == "5 is no known extractor; must be one of: clip"
    assert explain_unknown_name("extractor", "clip", ["clip"]) == ""


def test_a_section_has_a_sub_section_for_each_file_that_is_named() -> None:
    values = load(REFERENCE)
    itemknn = with_sections(Params, ["itemknn"])
    assert list(itemknn.model_fields["rec_fit"].annotation.model_fields) == ["top_k", "seeds", "seed", "itemknn"]
    known = {key: value for key, value in values.items() if key in Params.model_fields}
    assert itemknn.model_validate(known).rec_fit.itemknn.k == values["rec_fit"]["itemknn"]["k"]
    every = list(with_sections(Params).model_fields["rec_fit"].annotation.model_fields)
    assert every[3:] == allowed_names("recsys/recommenders")
    assert list(Params.model_fields["rec_fit"].annotation.model_fields) == ["top_k", "seeds", "seed"]
