"""Makes every sign of a text visible, so that a text from data cannot change the page, table or figure around it."""

import unicodedata
from collections.abc import Callable

PICTURES = 0x2400  # U+2400 to U+241F picture the control characters U+0000 to U+001F
DELETE = 0x7F
JOINERS = "\u200c\u200d"  # inside words of some languages, and between emoji


def show_controls(text: object) -> str:
    r"""Return a text with its control and direction characters as signs of their own.

    Line breaks and tabs are shown as spaces are; a lone surrogate, which no file can hold, is shown by its number.

    >>> show_controls("red\x1b[0m \u202eesrever\nshirt\x85")
    'red␛[0m [U+202E]esrever shirt[U+0085]'
    """
    return "".join(map(_show, str(text)))


def _show(sign: str) -> str:
    code = ord(sign)
    if sign in "\n\r\t":
        return " "
    if sign in JOINERS:
        return sign
    if code < 0x20:
        return chr(PICTURES + code)
    if code == DELETE:
        return "\N{SYMBOL FOR DELETE}"
    return name_sign(sign) if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") else sign


def name_sign(sign: str) -> str:
    r"""Return a sign by its number: `[U+1F600]`.

    >>> name_sign("\U0001f600")
    '[U+1F600]'
    """
    return f"[U+{ord(sign):04X}]"


def replace_unknown(text: object, is_known: Callable[[str], bool]) -> str:
    """Return a text in which signs that a font or program does not know stand by their numbers.

    >>> replace_unknown("a \N{SNOWMAN}", str.isascii)
    'a [U+2603]'
    """
    return "".join(sign if is_known(sign) else name_sign(sign) for sign in show_controls(text))
