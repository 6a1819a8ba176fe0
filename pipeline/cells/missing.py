"""Words that programs write where a value is missing, such as NULL of a database or nan of pandas."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

MISSING = frozenset(
    (
        "null", "(null)", "[null]", "#null!", "\\n", "nil", "none", "nan", "<nan>", "nat", "na", "<na>", "#na", "n/a",
        "#n/a", "n.a.", "n\\a", "undefined", "-", "--", ".",
    )
)  # fmt: skip
NOBODY = MISSING | frozenset(("guest", "anonymous", "unknown", "anonymous user", "guest user"))  # a user that is none
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"  # letters without width
DROPPED = dict.fromkeys(map(ord, INVISIBLE))
LONGEST = 32  # bytes of such a word with spaces around it; ids of users may be longer


def is_missing(text: str) -> bool:
    r"""Tell whether a text is empty or a word for a missing value, in any case.

    >>> is_missing(" NULL "), is_missing(r"\N"), is_missing("None of these"), is_missing(""), is_missing("\u200b")
    (True, True, False, True, True)
    """
    word = text.translate(DROPPED).strip().casefold()
    return not word or word in MISSING


def drop_missing(texts: pd.Series) -> pd.Series:
    """Replace every text that is empty or a word for a missing value by a missing value."""
    return texts.mask(np.array([not isinstance(text, str) or is_missing(text) for text in texts], dtype=bool))


def find_missing(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Tell for each text whether it is missing, empty, or a word for a missing value."""
    return _find(texts, MISSING)


def find_nobody(users: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    r"""Tell for each user whether it is missing, empty, or a word for nobody.

    >>> find_nobody(pa.array(["u1", "", "Guest", None, "nan", "\u200b"])).to_pylist()
    [False, True, True, True, True, True]
    """
    return _find(users, NOBODY)


def _find(texts: pa.Array | pa.ChunkedArray, of: frozenset[str]) -> pa.Array | pa.ChunkedArray:
    if not pc.all(pc.string_is_ascii(texts), min_count=0).as_py():  # ids seldom have other letters
        texts = pc.replace_substring_regex(texts, f"[{INVISIBLE}]", "")
    short = pc.fill_null(pc.less_equal(pc.binary_length(texts), LONGEST), True)
    if not pc.any(short).as_py():  # lower case of a hundred million long ids takes minutes
        return short
    words = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(pc.if_else(short, texts, "long"), "")))
    return pc.is_in(words, value_set=pa.array(["", *sorted(of)], words.type))
