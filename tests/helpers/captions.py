"""What the official programs said of COCO captions, and CoreNLP where a test needs it."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from captioning.scores.java import corenlp
from pipeline.core.errors import UserError

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "captions"


def golden(name: str) -> Any:
    with gzip.open(GOLDEN / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


def corenlp_folder(cache: Path, *, fetch: bool) -> Path:
    """CoreNLP's jars: data/corenlp, or the cache of pytest, fetched into it if wanted; else the test is skipped."""
    for folder in (ROOT / corenlp.OUT, cache):
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
