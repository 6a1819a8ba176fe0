"""Cards against the files of the study."""

import pandas as pd

from lookbook.views.cards import read_cards
from lookbook.views.items import select
from lookbook.views.selections import Selection
from lookbook.views.study import Study

CAPTIONER = "tiny-llava"


def test_a_card_has_captions_words_and_scores(viewed: Study) -> None:
    rows = select(viewed, Selection(split="test"))
    card = read_cards(viewed, rows.head(1), [(CAPTIONER, "ft")], ["cider"])[0]
    [caption] = card.captions
    assert caption.words is not None
    assert (caption.words.right, caption.words.invented, caption.words.missed) == (
        ["dress"],
        ["hood"],
        ["cotton", "red"],
    )
    assert "".join(segment.text for segment in caption.words.segments) == "a dress with a hood"
    scores = pd.read_parquet(viewed.root / "data/scores/captions.parquet")
    own = scores[(scores["item_id"] == card.item_id) & (scores["captioner"] == CAPTIONER) & (scores["variant"] == "ft")]
    assert card.scores == {"cider": own[own["metric"] == "cider"]["value"].item()}
