"""What sources are called: every name of the study has words of its own."""

import re

from lookbook.reporting.sources import describe_source, label_source, sort_sources

EVERY = [
    *("reference", "second", "none", "table", "nearest", "shuffled", "replaced-25", "replaced-50", "replaced-75"),
    *("tiny-blip2-opt-pt", "tiny-blip2-opt-ft", "tiny-llava-pt", "tiny-llava-ft", "mean", "pictures"),
    *("ridge-resnet50", "ridge-blip2-queries", "neighbours-resnet50", "neighbours-blip2-queries"),
]


def test_every_source_has_words_of_its_own() -> None:
    for words in (describe_source, label_source):
        assert len({words(source) for source in EVERY}) == len(EVERY)
        assert not [source for source in EVERY if re.fullmatch(r"[\w-]+", words(source))]


def test_true_words_come_first_and_controls_last() -> None:
    ordered = sort_sources(EVERY)
    assert ordered[:4] == ["second", "reference", "tiny-blip2-opt-ft", "tiny-llava-ft"]
    assert ordered[4:6] == ["tiny-blip2-opt-pt", "tiny-llava-pt"]
    assert ordered[-5:] == ["none", "shuffled", "replaced-25", "replaced-50", "replaced-75"]
    assert sorted(ordered) == sorted(EVERY)
