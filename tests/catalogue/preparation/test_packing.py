"""Shards as nodes pack them, made in this process; tests/catalogue/test_cluster.py has real nodes."""

import zipfile
from pathlib import Path

import pytest

from catalogue import prepare
from catalogue.preparation.packing import pack_on_cluster
from catalogue.prepared import images
from catalogue.readers import Raw, load_reader
from pipeline.core.errors import UserError
from pipeline.core.params import read
from pipeline.machine import HERE


def open_shop(shop: Path) -> tuple[prepare.Params, Raw]:
    params = read(prepare.Params)
    return params, load_reader(params.dataset).open_raw(shop, params.catalogue_prepare)


def read_shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def test_shards_are_those_of_one_process(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SHARD_ITEMS", 20)
    params, raw = open_shop(shop)
    names = dict(sorted(raw.image_names.items())[:50])
    work, whole = tmp_path / "work", tmp_path / "whole"
    work.mkdir()
    whole.mkdir()
    images.pack_images(whole, names, raw.read_image, params.catalogue_prepare.image_size)
    pack_on_cluster(work, list(names), HERE, params.dataset, shop, params.catalogue_prepare)
    assert read_shards(work) == read_shards(whole)
    assert sorted(read_shards(work)) == ["00000.parquet", "00001.parquet", "00002.parquet"]


def test_a_refused_picture_leaves_no_shard_and_is_named_by_one_process(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "SHARD_ITEMS", 20)
    _, raw = open_shop(shop)
    names = dict(sorted(raw.image_names.items())[:50])
    victim = list(names)[25]
    with zipfile.ZipFile(shop / "images.zip") as archive:
        archive.extractall(shop)
    (shop / "images.zip").unlink()
    (path,) = shop.rglob(f"{victim}.jpg")
    path.write_bytes(path.read_bytes()[:-200])
    params, raw = open_shop(shop)
    pack_on_cluster(tmp_path, list(names), HERE, params.dataset, shop, params.catalogue_prepare)
    assert sorted(path.name for path in tmp_path.iterdir() if path.stem.isdecimal()) == [
        *("00000.json", "00000.parquet", "00002.json", "00002.parquet")
    ]
    with pytest.raises(UserError, match=rf"{victim}\.jpg: .*truncated"):
        images.pack_images(tmp_path, names, raw.read_image, params.catalogue_prepare.image_size)
