"""Keep the parses and the CoreNLP of this user away from the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.captions import corenlp_folder


@pytest.fixture(scope="session", autouse=True)
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOKBOOK_CACHE", str(folder))
        patch.delenv("CORENLP", raising=False)
        yield folder


@pytest.fixture
def fetched_corenlp(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Download CoreNLP if necessary, and name its folder in `$CORENLP`."""
    folder = corenlp_folder(request.config.cache.mkdir("corenlp"), fetch=True)
    monkeypatch.setenv("CORENLP", str(folder))
    return folder
