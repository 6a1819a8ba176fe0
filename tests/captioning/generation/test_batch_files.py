"""Captions as files of a batch: a damaged file is written again, and the others are kept."""

from pathlib import Path

import torch

from captioning.generation.batch_files import open_captions, read_batch, write_batches
from captioning.modelling import load
from catalogue.prepared.images import ImageStore
from pipeline.machine import HERE
from tests.helpers.generation import TO_CAPTION, Project


def test_a_damaged_batch_is_captioned_again(tiny_project: Project) -> None:
    tiny_project("llava")
    captioner, store = load("data/models/tiny", "llava", torch.float32), ImageStore("data/prepared/images")

    def write() -> list[Path]:
        return write_batches(TO_CAPTION, 2, Path("work"), HERE, open_captions, captioner, store, 6)

    files = write()
    captions = [read_batch(file) for file in files]
    damaged = [files[1].read_bytes()[:-3] + b"xyz", files[2].read_bytes()[:40]]
    for file, content in zip(files[1:], damaged, strict=True):
        file.write_bytes(content)
    assert write() == files
    assert [file.read_bytes() == content for file, content in zip(files[1:], damaged, strict=True)] == [False, False]
    assert [read_batch(file) for file in files] == captions
