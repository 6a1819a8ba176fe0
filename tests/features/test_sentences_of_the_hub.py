"""Sentence models of the hub: which files are downloaded, and what happens without a network.

Each program is a process of its own, because huggingface_hub reads its environment when it is imported.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from features import sentences
from tests.helpers.sentence_models import TEXTS, save_model

ROOT = Path(__file__).parents[2]
NAME = "shop/small"
COMMIT = "34c2154c194f829b11125337b98c8f5f9965ff19"
PROGRAM = f"""
import numpy as np
from features.sentences import encode
np.save("vectors.npy", encode({TEXTS!r}, "hubs"))
"""


def run_program(folder: Path, **environment: str) -> str:
    """Encode the texts by the model of data/models/hubs; return what standard error says."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    outside |= {"HF_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=outside | environment).stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A model on the hub (pooled by its first token, a prompt, a dense layer) and the hub.json that names it."""
    (tmp_path / "data/models/hubs").mkdir(parents=True)
    pin = {"id": NAME, "revision": COMMIT}
    (tmp_path / "data/models/hubs/hub.json").write_text(json.dumps(pin))
    save_model(tmp_path / "published", "cls", dense=5, prompts={"passage": "passage: "})
    return tmp_path


@pytest.fixture
def expected(project: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The vectors of the same model in a folder."""
    monkeypatch.chdir(project)
    sentences.load_sentence_model.cache_clear()
    (project / "data/models/local").symlink_to(project / "published")
    return sentences.encode(TEXTS, "local")


@pytest.fixture
def hub(project: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a hub on the loopback device that serves the model, and the files that were requested."""
    requested: list[str] = []
    published = project / "published"
    for name in ("pytorch_model.bin", "own.py", "onnx/config.json"):  # must not be downloaded
        (published / name).parent.mkdir(exist_ok=True)
        (published / name).write_text("{}")

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            path = self.path.split("?")[0]
            if path == f"/api/models/{NAME}/tree/{COMMIT}":
                content = json.dumps([describe(file, published) for file in list_files(published)]).encode()
            elif path.startswith(f"/{NAME}/resolve/{COMMIT}/"):
                name = path.removeprefix(f"/{NAME}/resolve/{COMMIT}/")
                content = (published / name).read_bytes()
                requested.append(name)
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", "application/json")
            self.send_header("ETag", f'"{sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", requested
        server.shutdown()


def list_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def describe(file: Path, folder: Path) -> dict[str, object]:
    content = file.read_bytes()
    name = file.relative_to(folder).as_posix()
    return {"type": "file", "path": name, "size": len(content), "oid": sha1(content).hexdigest()}


def test_the_folders_of_the_modules_are_downloaded_once_and_no_pickles_or_code(
    project: Path, expected: np.ndarray, hub: tuple[str, list[str]]
) -> None:
    address, requested = hub
    local = {"HF_ENDPOINT": address, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    errors = run_program(project, **local)
    assert (project / "vectors.npy").exists(), errors
    np.testing.assert_array_equal(np.load(project / "vectors.npy"), expected)
    assert {"1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"} <= set(requested)
    assert not {"pytorch_model.bin", "own.py", "onnx/config.json"} & set(requested)
    requested.clear()
    (project / "vectors.npy").unlink()
    run_program(project, HF_HUB_OFFLINE="1", **local)
    np.testing.assert_array_equal(np.load(project / "vectors.npy"), expected)
    assert requested == []


def test_without_a_network_the_message_has_the_command_that_downloads(project: Path) -> None:
    message = run_program(project, HF_HUB_OFFLINE="1").partition("UserError: ")[2]
    assert f"data/models/hubs: {NAME} at revision {COMMIT} is not complete on this machine" in message
    assert "HF_HUB_OFFLINE is set" in message
    assert f"hf download {NAME} --revision {COMMIT} --include '*.json'" in message


@pytest.mark.parametrize("left_out", [None, "1_Pooling", "2_Dense"])
def test_without_a_network_an_earlier_download_is_used_if_it_is_complete(
    project: Path, expected: np.ndarray, left_out: str | None
) -> None:
    snapshot = project / f"home/hub/models--{NAME.replace('/', '--')}/snapshots" / COMMIT
    shutil.copytree(project / "published", snapshot)
    if left_out:
        shutil.rmtree(snapshot / left_out)
    errors = run_program(project, HF_HUB_OFFLINE="1")
    if left_out:
        assert f"its files lack {left_out}/config.json, which modules.json names" in errors
        assert "hf download" in errors
    else:
        np.testing.assert_array_equal(np.load(project / "vectors.npy"), expected)
