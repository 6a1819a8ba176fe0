"""Texts of raw data in plain lines."""

import pandas as pd

from catalogue.readers.tables import clean_texts


def test_descriptions_are_plain_lines() -> None:
    texts = pd.Series([" a\n<p>red</p>", "NULL", None, "", "<p> n/a </p>", "Ja\u0308ckchen"], dtype="str")
    assert clean_texts(texts).tolist() == ["a red", None, None, None, None, "J\u00e4ckchen"]
    assert clean_texts(texts[1:3]).tolist() == [None, None]
