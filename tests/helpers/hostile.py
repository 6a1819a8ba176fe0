"""Texts that break pages, tables, figures and spreadsheets which take them for more than text."""

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</svg></style></textarea><!--",
    "{{ 7 * 7 }} {% raw %}",
    "*bold* _it_ `code` | cell | [link](javascript:alert(1)) :red[x]",
    r"100 % & $x^2$ #1 {a}_b ~ \input{/etc/passwd} \end{tabular} ^^M",
    '=HYPERLINK("http://example.org";"a"), +1, -1, @SUM(A1)',
    "gown \u202eesrever\u202c \u2066isolated\u2069 \u200f",
    "a\x00b\x1b[31mred\x1b[0m\x7f\x85\r\nline\ttab",
    "فستان أحمر, 連衣裙, 👗👗🏽, e\u0301, ﷽",
    "\ud800 lone surrogate",
    "long " * 2000,
)
