"""Takes HTML out of descriptions: a shop's export holds the markup of its pages, which no caption should learn."""

import html
import re
from html.entities import html5

INLINE = "a|abbr|b|big|del|em|font|i|ins|mark|q|s|small|span|strike|strong|sub|sup|tt|u|wbr"  # they leave no space
BLOCK = (
    "article|aside|blockquote|body|br|button|center|code|dd|details|div|dl|dt|figcaption|figure|footer|form|h[1-6]|head|"
    "header|hr|html|iframe|img|input|label|li|link|main|meta|nav|ol|o:p|p|picture|pre|section|source|summary|table|"
    "tbody|td|tfoot|th|thead|title|tr|ul|video"
)
EXCEL_RETURN = "_x000D_"  # how Excel writes the first half of a line end
HIDDEN = re.compile(  # what a browser does not show; one that is not closed hides the rest, as there
    r"<!--.*?(?:-->|\Z)|<(style|script|svg|noscript|template)\b[^>]*>.*?(?:</\1\s*>|\Z)|<!\[CDATA\[|\]\]>|"
    + EXCEL_RETURN,
    re.DOTALL | re.IGNORECASE,
)
TAG = re.compile(rf"</?(?:(?P<inline>{INLINE})|{BLOCK})(?:\s[^<>]*|/)?>", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def remove_markup(text: str) -> str:
    """Replace the tags and entities of HTML by what a browser shows; a text without them keeps its characters.

    Markup that was escaped once more (`&lt;p&gt;`) is removed too. A sign that starts no known tag stays.

    >>> remove_markup("<p>Blue &amp; <b>sof</b>t</p><ul><li>100&#37; cotton</li></ul>").split()
    ['Blue', '&', 'soft', '100%', 'cotton']
    >>> remove_markup("size < 5 & > 3")
    'size < 5 & > 3'
    """
    if not any(sign in text for sign in ("<", "&", EXCEL_RETURN)):
        return text
    before = None
    while text != before:  # each round makes the text shorter, so this ends
        before = text
        text = TAG.sub(_replace_tag, HIDDEN.sub(" ", text))
        text = ENTITY.sub(_replace_entity, text)
    return text


def _replace_entity(entity: re.Match[str]) -> str:
    """Return the character that an entity names; a name that HTML does not have stays."""
    name = entity.group().removeprefix("&")
    return html.unescape(entity.group()) if name.startswith("#") else html5.get(name, entity.group())


def _replace_tag(tag: re.Match[str]) -> str:
    """Return a space for what starts a new line or cell in a browser, else nothing."""
    return "" if tag.group("inline") else " "
