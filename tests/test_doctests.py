"""The examples in docstrings say what the code does."""

import doctest
from importlib import import_module

import pytest

from tests.helpers.repository import PACKAGES, ROOT

WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_of_a_docstring_are_right(module: str) -> None:
    result = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0


def test_metrics_splits_holm_and_neighbours_have_examples() -> None:
    words = ("metrics", "splits", "correction", "neighbours")
    assert [word for word in words if not any(word in module for module in WITH_EXAMPLES)] == []
