"""The mark of tests that take minutes each, or whose like runs in .ci/run already: .ci/full runs them."""

import os

import pytest

full = pytest.mark.skipif("LOOKBOOK_FULL" not in os.environ, reason="minutes: .ci/full runs it")


def slowly(*values: object) -> list[object]:
    """Return parameters of a test whose like runs by default already; `pytest -m slow` runs these."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
