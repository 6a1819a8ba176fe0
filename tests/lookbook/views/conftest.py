"""A small study with every file that pages read, written once."""

from pathlib import Path

import pytest

from lookbook.views.study import Study, open_study
from tests.helpers.viewed_study import write_viewed_study


@pytest.fixture(scope="session")
def viewed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_viewed_study(tmp_path_factory.mktemp("viewed") / "study")


@pytest.fixture
def viewed(viewed_folder: Path) -> Study:
    """Return the study; tests only read it."""
    return open_study(viewed_folder)
