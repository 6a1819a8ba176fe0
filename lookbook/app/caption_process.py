"""Captions pictures in a process of its own, which loads torch on first use and stays; the server never imports it."""

import multiprocessing
import os
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from pipeline.core.errors import UserError
from pipeline.core.params import read
from pipeline.orphans import end_with


@lru_cache(maxsize=1)
def _open_pool() -> ProcessPoolExecutor:
    """Open the process: one, fresh (spawned), which ends with the server."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _end_with_server)


def _end_with_server() -> None:
    end_with([psutil.Process(os.getppid())], "the application has ended")


def start_captioning(picture: bytes, name: str, captioner: str, pretrained: bool) -> "Future[str | UserError]":
    """Begin to caption a picture, and return what will hold the caption, or why there is none.

    Args:
        picture: The file.
        name: What messages call it.
        captioner: A captioner of params.yaml.
        pretrained: Without its adapter.
    """
    return _open_pool().submit(caption_picture, picture, name, captioner, pretrained)


def caption_picture(picture: bytes, name: str, captioner: str, pretrained: bool) -> str | UserError:
    """Caption a picture as `lookbook caption` does: scaled and compressed like the study's own, decoded greedily.

    Returns:
        The caption; a UserError where the picture or the model cannot be read.
    """
    from captioning.interchange.pictures import Params, captions, choose

    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(picture)
        try:
            [text] = captions([path], choose(read(Params), captioner, None, pretrained))
        except UserError as error:
            return UserError(str(error).replace(str(path), name))
    return text
