"""Reads a list of texts from one cell, as JSON, Python or NumPy write it."""

import ast
import io
import json
import re
import tokenize
from typing import Any

NAMES = ("np", "numpy", "array", "str_", "list")  # as in [np.str_('red'), np.str_('blue')]
SIGNS = ("[", "]", "(", ")", ",", ".")
BLANK = (tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT)
QUOTES = re.compile(r"""^[\[(]+\s*['"]|['"]\s*[\])]+$""")  # at the beginning or the end of a list of texts


def parse_texts(cell: str) -> list[Any]:
    """List the texts of a cell; one that holds no list is the only entry.

    NumPy puts no commas between texts. Python would join them to one text.

    >>> parse_texts("['a dress' 'a red dress']"), parse_texts("[new] dress")
    (['a dress', 'a red dress'], ['[new] dress'])

    Raises:
        ValueError: it begins or ends like a list of texts and cannot be read as one, such as one that was cut off.
    """
    text = re.sub(r",\s*dtype=[^\s,]+\)$", ")", cell.strip())
    if not text.startswith(tuple("[(")) and not text.startswith(("array(", "list(")):
        return [cell]
    for parse in (json.loads, _parse_strings, ast.literal_eval):
        try:
            values = parse(text)
        except (ValueError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError):
            continue
        if isinstance(values, list | tuple):
            return list(values)
    if QUOTES.search(text):
        raise ValueError(f"{cell[:80]!r} is no list of texts")
    return [cell]


def _parse_strings(text: str) -> list[Any]:
    """Read the strings between brackets, whatever stands between them.

    Raises:
        ValueError: there is none, or something else among them, such as a number or `...`.
    """
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in BLANK]
    strings = [token.string for token in tokens if token.type == tokenize.STRING]
    others = [token.string for token in tokens if token.type != tokenize.STRING]
    if not strings or any(other not in SIGNS and other not in NAMES for other in others):
        raise ValueError("no list of strings alone")
    return [ast.literal_eval(string) for string in strings]
