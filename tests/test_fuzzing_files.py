"""Fuzzed parameters, feature folders, zips and pictures: written otherwise they are the same, damaged ones are refused.

See test_fuzzing_tables.py; the checksums of zips leave no damaged member, and damaged pixels are still a picture.
"""

import io
import zipfile
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from ruamel.yaml import YAML, YAMLError

from catalogue.prepare import Params
from catalogue.prepared.jpeg import shrink
from catalogue.readers.files import Zip
from features.files import read_features
from pipeline.core.params import REFERENCE, read
from recsys.interchange.recommend import read_feature_rows
from tests.helpers.encoded import encoded
from tests.helpers.fuzzing import INPUTS, damage, try_all

# .ci/full runs the slow ones
pytestmark = [pytest.mark.slow] if INPUTS > 20 else []


@pytest.mark.parametrize("kind", ["same", "bad"])
def test_parameters_are_the_same_or_refused(tmp_path: Path, kind: str) -> None:
    text, path = REFERENCE.read_text(encoding="utf-8"), tmp_path / "params.yaml"
    clean = read(Params, REFERENCE)

    def make(draws: Random) -> bytes:
        if kind == "bad":
            return damage(text.encode(), draws)
        lines = [line + draws.choice(("", "", "  # a comment", "   ")) for line in text.splitlines()]
        return draws.choice((b"", b"\xef\xbb\xbf")) + draws.choice(("\n", "\r\n")).join(["# mine", *lines, ""]).encode()

    def allowed() -> Params:
        if kind == "same":
            return clean
        try:
            values = YAML(typ="safe", pure=True).load(path.read_bytes())
        except (YAMLError, ValueError):
            return clean
        return Params.model_validate({name: values[name] for name in Params.model_fields})

    share = try_all(f"params {kind}", make, path, lambda: read(Params, path), allowed)
    assert kind == "bad" or share == 1


# Feature folders


@pytest.mark.parametrize("kind", ["same", "array", "ids", "vector"])
def test_features_are_the_same_or_refused(tmp_path: Path, kind: str) -> None:
    ids, array = [f"i{number}" for number in range(8)], np.arange(24, dtype=np.float32).reshape(8, 3)
    np.save(buffer := io.BytesIO(), array)
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    (tmp_path / "features.npy").write_bytes(buffer.getvalue())
    if kind == "vector":
        (tmp_path / "features.npy").unlink()
        for item, vector in zip(ids, array, strict=True):
            np.save(tmp_path / f"{item}.npy", vector)
    victim = {"same": "ids.txt", "array": "features.npy", "ids": "ids.txt", "vector": "i3.npy"}[kind]
    before = (tmp_path / victim).read_bytes()

    def make(draws: Random) -> bytes:
        if kind != "same":
            return damage(before, draws)
        order = draws.sample(range(8), 8)
        np.save(
            tmp_path / "features.npy", array[order].astype(draws.choice((np.float16, np.float32, np.float64, np.int32)))
        )
        end = draws.choice(("\n", "\r\n"))
        return (
            draws.choice((b"", b"\xef\xbb\xbf"))
            + (end.join(ids[row] for row in order) + end * draws.randrange(2)).encode()
        )

    def allowed() -> list:
        if kind == "vector":
            rows = [np.load(tmp_path / f"{item}.npy", allow_pickle=False).ravel() for item in ids]
            return np.stack(rows).astype(np.float32).tolist()
        if kind == "array":
            return np.load(tmp_path / "features.npy", allow_pickle=False).astype(np.float32).tolist()
        return array.tolist() if kind == "same" else read_features(tmp_path).take(ids).tolist()

    with np.errstate(all="ignore"):
        share = try_all(
            f"features {kind}",
            make,
            tmp_path / victim,
            lambda: read_feature_rows(tmp_path, ids).take(np.arange(8)).tolist(),
            allowed,
        )
    assert kind != "same" or share == 1


# Zips and pictures


def pack_zip(members: dict[str, bytes], draws: Random) -> bytes:
    above, sign = draws.choice(("", "export/", "a/b/", "./")), draws.choice(("/", "/", "\\"))
    method = draws.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for name in draws.sample(list(members), len(members)):
            archive.writestr(zipfile.ZipInfo((above + name).replace("/", sign)), members[name], method)
        if draws.random() < 0.3:
            archive.writestr("__MACOSX/._x.jpg", b"x")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["same", "bad"])
def test_members_of_zips_are_the_same_or_refused(tmp_path: Path, kind: str) -> None:
    members = {f"images/{number % 2}/{number}.jpg": bytes([number]) * 300 + b"end" for number in range(5)}
    path = tmp_path / "a.zip"

    def read_all() -> dict[str, bytes]:
        archive = Zip(path)
        return {name: archive.read(name) for name in archive.members}

    def make(draws: Random) -> bytes:
        packed = pack_zip(members, draws)
        return damage(packed, draws) if kind == "bad" else packed

    def allowed() -> dict[str, bytes]:
        if kind == "same":
            return members
        found = read_all()
        assert set(found.values()) <= {*members.values(), b""}  # a checksum guards every member
        return found

    share = try_all(f"zips {kind}", make, path, read_all, allowed)
    assert kind == "bad" or share == 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_a_picture_in_other_files_is_the_same(tmp_path: Path, kind: str) -> None:
    picture, path = Image.open(io.BytesIO(encoded(40, 30, "PNG"))), tmp_path / "a"
    clean = shrink(encoded(40, 30, "PNG"), 32, "a")

    def make(draws: Random) -> bytes:
        exif, texts = Image.Exif(), PngImagePlugin.PngInfo()
        exif[0x010E] = "x" * draws.randrange(500)
        texts.add_text("workflow", "y" * draws.choice((10, 2_000_000)), zip=True)
        options = {
            "PNG": {"pnginfo": texts, "exif": exif},
            "TIFF": {"compression": draws.choice((None, "tiff_lzw"))},
            "BMP": {},
        }
        picture.save(buffer := io.BytesIO(), kind, **options[kind])
        return buffer.getvalue() + bytes(draws.choice((0, 7)))

    assert try_all(f"picture {kind}", make, path, lambda: shrink(path.read_bytes(), 32, "a"), lambda: clean) == 1


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's about damaged EXIF and TIFF
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"])
def test_damaged_pictures_are_pictures_or_refused(tmp_path: Path, kind: str) -> None:
    data, path = encoded(40, 30, kind), tmp_path / "a"

    def read_picture() -> bool:
        jpeg, width, height = shrink(path.read_bytes(), 32, "a")
        stored = Image.open(io.BytesIO(jpeg))
        stored.load()
        return (stored.mode, stored.size, max(stored.size) <= 32) == ("RGB", (width, height), True)

    try_all(f"bad {kind}", lambda draws: damage(data, draws), path, read_picture, lambda: True)
