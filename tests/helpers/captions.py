"""Reads the official programs' answers to COCO captions, and finds CoreNLP for the tests that need it."""

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from captioning.scores.java import corenlp
from pipeline.core.errors import UserError

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "captions"


def golden(name: str) -> Any:
    """Read a file of tests/golden/captions by its name, without .json.gz."""
    with gzip.open(GOLDEN / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


def corenlp_folder(cache: Path, *, fetch: bool) -> Path:
    """Return the folder of CoreNLP's jars, or skip the test: data/corenlp, $CORENLP, or a folder of pytest's cache.

    Args:
        cache: the folder of pytest's cache.
        fetch: fetch the jars into the cache where they are missing.
    """
    if fetch:  # by one of the test processes
        with FileLock(f"{cache}.lock"):
            return _find_corenlp(cache, fetch=True)
    return _find_corenlp(cache, fetch=False)


def _find_corenlp(cache: Path, *, fetch: bool) -> Path:
    named = [Path(os.environ["CORENLP"])] if "CORENLP" in os.environ else []
    for folder in (ROOT / corenlp.OUT, *named, cache):
        if any(folder.glob("*.jar")):
            return folder
    if not fetch:
        pytest.skip("no CoreNLP: run `dvc repro caption_spice_models`, or the slow tests")
    try:
        corenlp.fetch(cache)
    except UserError as error:
        shutil.rmtree(cache)
        pytest.skip(f"no CoreNLP: {error}")
    return cache
