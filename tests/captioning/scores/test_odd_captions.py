"""Odd input: scored without a crash, and equal to the official programs."""

import numpy as np
import pytest

from captioning.scores.reference_based import score_with
from captioning.scores.spice import METRICS as SPICE
from tests.helpers.captions import golden

NAMES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider")
PLAIN = "a red dress with long sleeves"
NOT_LATIN = (
    "\u8d64\u3044\u30c9\u30ec\u30b9 \u043a\u0440\u0430\u0441\u043d\u043e\u0435 \u043f\u043b\u0430\u0442\u044c\u0435"
)
CAPTIONS = {
    "empty": "",
    "spaces": "   ",
    "punctuation": "... -- !?",
    "bars": "a red ||| dress with ||| sleeves",
    "newlines": "a red dress\nwith long\n\nsleeves",
    "tabs": "a red\tdress\t\twith sleeves",
    "emoji": "a red dress \U0001f457 with sleeves \U0001f469\u200d\U0001f467",
    "not latin": f"{NOT_LATIN} a dress",
    "300 words": "a red dress with long sleeves and a belt in cotton. " * 27 + "a hat on top",
    "one reference": "a blue dress",
    "ten references": "a red coat with sleeves",
    "identical": PLAIN,
    "identical, odd": "caf\u00e9-au-lait \U0001f457 skirt",
    "7": "a number as id",
}
REFERENCES = {
    **{item: [PLAIN, "the long-sleeved dress is red."] for item in CAPTIONS},
    "bars": [PLAIN, "a dress ||| in red"],
    "not latin": [NOT_LATIN],
    "one reference": [PLAIN],
    "ten references": [f"a {colour} coat with sleeves" for colour in ("red", "blue", "green", "white", "grey")] * 2,
    "identical": [PLAIN],
    "identical, odd": ["caf\u00e9-au-lait \U0001f457 skirt"],
}


@pytest.mark.slow
def test_odd_captions_score_as_pycocoevalcap_scores_them(jvm, java_on_path):
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer = PTBTokenizer()
    gts = tokenizer.tokenize({item: [{"caption": text} for text in texts] for item, texts in REFERENCES.items()})
    res = tokenizer.tokenize({item: [{"caption": text}] for item, text in CAPTIONS.items()})
    first, *others = [scorer.compute_score(gts, res) for scorer in (Bleu(4), Meteor(), Rouge(), Cider())]
    corpus = dict(zip(NAMES, [*first[0], *(corpus for corpus, _ in others)], strict=True))
    items = dict(zip(NAMES, [*first[1], *(by_item for _, by_item in others)], strict=True))
    ours = score_with(jvm, {"odd": CAPTIONS}, REFERENCES)
    table = ours.items.pivot(index="item_id", columns="metric", values="value").loc[list(gts)]
    for name in NAMES:
        np.testing.assert_allclose(table[name], items[name], rtol=0, atol=1e-9, err_msg=name)
        assert ours.corpus["odd"][name] == pytest.approx(corpus[name], abs=1e-9), name
    assert ours.left_out == []


@pytest.mark.slow
def test_odd_captions_have_the_spice_of_the_official_program(spice_jvm):
    official = golden("spice_odd")  # None: the references have no tuple of the kind
    ours = score_with(spice_jvm, {"odd": CAPTIONS}, REFERENCES, ["spice"])
    table = ours.items.pivot(index="item_id", columns="metric", values="value")
    scores = {item: {name: table.at[item, name] if name in table else np.nan for name in SPICE} for item in CAPTIONS}
    assert {
        item: {name: None if np.isnan(f) else f for name, f in row.items()} for item, row in scores.items()
    } == official
    assert set(ours.corpus["odd"]) <= {*SPICE, "length_ratio"}


def test_ids_that_look_like_numbers_are_what_they_are(jvm):
    """The study's article codes begin with zeros."""
    captions = {"0108775015": "a red dress", "108775015": "a blue cap", "10": "a hat"}
    references = {"0108775015": ["a red dress"], "108775015": ["a green skirt"], "10": ["a hat"]}
    table = score_with(jvm, {"a": captions}, references, ["rouge_l"]).items
    values = table[table["metric"].eq("rouge_l")].set_index("item_id")["value"]
    assert values["0108775015"] == pytest.approx(1)
    assert values["108775015"] < 0.5
