from pathlib import Path

import pytest

from tests.helpers.interactions import small_study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small study, as the working directory."""
    small_study(tmp_path, monkeypatch)
    return tmp_path
