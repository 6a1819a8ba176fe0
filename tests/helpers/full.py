"""The mark of tests that take minutes each, or whose like runs in .ci/run already: .ci/full runs them."""

import os

import pytest

full = pytest.mark.skipif("LOOKBOOK_FULL" not in os.environ, reason="minutes: .ci/full runs it")
