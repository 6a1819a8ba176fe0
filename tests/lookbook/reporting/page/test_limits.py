"""What the report says before any figure is used."""

from lookbook.reporting.page.limits import SMALL_CAPTIONERS, SMALL_TAGGER, list_limits
from pipeline.core.params import REFERENCE, load


def test_the_small_models_are_those_of_the_sample() -> None:
    params = load(REFERENCE)
    assert tuple(params["captioners"]) == SMALL_CAPTIONERS
    assert params["caption_attributes"]["tagger"] == SMALL_TAGGER
    assert [limit.partition(" ")[0] for limit in list_limits("sample", SMALL_CAPTIONERS, params)] == ["The", "Each"]


def test_of_a_shop_each_small_model_is_named_and_no_other() -> None:
    small = {"caption_attributes": {"tagger": SMALL_TAGGER}}
    words = " ".join(list_limits("boutique", ["llava-1.5-7b", "tiny-llava", "tiny-blip2-opt"], small))
    assert words.startswith("tiny-llava and tiny-blip2-opt were pre-trained on drawn garments alone: their captions")
    assert SMALL_TAGGER in words
    assert len(list_limits("boutique", ["llava-1.5-7b"], {"caption_attributes": {"tagger": "stanza-en"}})) == 1
    assert len(list_limits("boutique", [], {})) == 1
