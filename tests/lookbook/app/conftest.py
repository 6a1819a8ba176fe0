"""The application's studies: one whole, one with hostile texts, both only read."""

from pathlib import Path

import pytest

from tests.helpers.viewed_study import write_viewed_study


@pytest.fixture(scope="session")
def whole_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_viewed_study(tmp_path_factory.mktemp("app") / "whole")


@pytest.fixture(scope="session")
def hostile_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_viewed_study(tmp_path_factory.mktemp("app") / "hostile", hostile=True)
