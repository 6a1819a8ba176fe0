"""Sentence models of the hub: which files are downloaded, and what happens without a network.

What uses the hub and what is without a network are a process each, because huggingface_hub reads its environment when
it is imported. Each encodes the same texts by several models, so that the libraries are imported twice in all.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import numpy as np
import pytest

from features import sentences
from tests.helpers.sentence_models import TEXTS, save_model

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
COMMIT = "34c2154c194f829b11125337b98c8f5f9965ff19"
MODELS = ("downloaded", "complete", "without-pooling", "without-dense", "missing")  # what this machine has of each
ROUNDING = 1e-6  # the two processes may compute on different numbers of threads
PROGRAM = f"""
import json, sys
from pathlib import Path
import numpy as np
from features.sentences import encode
from pipeline.core.errors import UserError
messages = {{}}
for name in sys.argv[1:]:
    try:
        np.save(f"{{name}}.npy", encode({TEXTS!r}, name))
    except UserError as error:
        messages[name] = str(error)
Path("messages.json").write_text(json.dumps(messages))
"""


class Runs(NamedTuple):
    """What the two processes did.

    Attributes:
        folder: has the vectors of the process without a network, by model.
        expected: the vectors of the same model in a folder.
        downloaded: the vectors of the process that used the hub.
        requested: the files that each process asked the hub for: with a network and without.
        messages: model -> why the process without a network refused it.
    """

    folder: Path
    expected: np.ndarray
    downloaded: np.ndarray
    requested: tuple[list[str], list[str]]
    messages: dict[str, str]


def run_program(folder: Path, names: Sequence[str], **environment: str) -> dict[str, str]:
    """Encode the texts by each model in a process of its own; return the messages of those that it refuses."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    outside |= {"HF_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", PROGRAM, *names]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=outside | environment)
    assert ended.returncode == 0, ended.stderr
    return json.loads((folder / "messages.json").read_text())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Encode by a model of the hub (pooled by its first token, a prompt, a dense layer), then without a network.

    Of the model's repositories one was downloaded by the first process, one is there as a whole, two in part.
    """
    folder = tmp_path_factory.mktemp("project")
    published = save_model(folder / "published", "cls", dense=5, prompts={"passage": "passage: "})
    for name in MODELS:
        (folder / "data/models" / name).mkdir(parents=True)
        pin = {"id": f"shop/{name}", "revision": COMMIT}
        (folder / "data/models" / name / "hub.json").write_text(json.dumps(pin))
    for name, left_out in (("complete", None), ("without-pooling", "1_Pooling"), ("without-dense", "2_Dense")):
        snapshot = folder / f"home/hub/models--shop--{name}/snapshots" / COMMIT
        shutil.copytree(published, snapshot)
        if left_out:
            shutil.rmtree(snapshot / left_out)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        sentences.load_sentence_model.cache_clear()
        (folder / "data/models/local").symlink_to(published)
        expected = sentences.encode(TEXTS, "local")
    for name in ("pytorch_model.bin", "own.py", "onnx/config.json"):  # must not be downloaded
        (published / name).parent.mkdir(exist_ok=True)
        (published / name).write_text("{}")
    with serve("shop/downloaded", published) as (address, requested):
        local = {"HF_ENDPOINT": address, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        assert run_program(folder, ["downloaded"], **local) == {}
        downloaded, online = np.load(folder / "downloaded.npy"), list(requested)
        (folder / "downloaded.npy").unlink()
        requested.clear()
        messages = run_program(folder, MODELS, HF_HUB_OFFLINE="1", **local)
        return Runs(folder, expected, downloaded, (online, list(requested)), messages)


@contextmanager
def serve(name: str, published: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a model as the hub does; yield the address on the loopback device, and the files that are requested."""
    requested: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            path = self.path.split("?")[0]
            if path == f"/api/models/{name}/tree/{COMMIT}":
                content = json.dumps([describe(file, published) for file in list_files(published)]).encode()
            elif path.startswith(f"/{name}/resolve/{COMMIT}/"):
                file = path.removeprefix(f"/{name}/resolve/{COMMIT}/")
                content = (published / file).read_bytes()
                requested.append(file)
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


def test_the_folders_of_the_modules_are_downloaded_once_and_no_pickles_or_code(runs: Runs) -> None:
    online, offline = runs.requested
    np.testing.assert_allclose(runs.downloaded, runs.expected, rtol=0, atol=ROUNDING)
    assert {"1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"} <= set(online)
    assert not {"pytorch_model.bin", "own.py", "onnx/config.json"} & set(online)
    np.testing.assert_allclose(np.load(runs.folder / "downloaded.npy"), runs.expected, rtol=0, atol=ROUNDING)
    assert offline == []


def test_without_a_network_the_message_has_the_command_that_downloads(runs: Runs) -> None:
    message = runs.messages["missing"]
    assert f"data/models/missing: shop/missing at revision {COMMIT} is not complete on this machine" in message
    assert "HF_HUB_OFFLINE is set" in message
    assert f"hf download shop/missing --revision {COMMIT} --include '*.json'" in message


def test_without_a_network_an_earlier_download_is_used_if_it_is_complete(runs: Runs) -> None:
    np.testing.assert_allclose(np.load(runs.folder / "complete.npy"), runs.expected, rtol=0, atol=ROUNDING)
    assert runs.messages.keys() == {"missing", "without-pooling", "without-dense"}


@pytest.mark.parametrize(("name", "left_out"), [("without-pooling", "1_Pooling"), ("without-dense", "2_Dense")])
def test_without_a_network_an_earlier_download_that_lacks_a_module_is_refused(
    runs: Runs, name: str, left_out: str
) -> None:
    assert f"its files lack {left_out}/config.json, which modules.json names" in runs.messages[name]
    assert "hf download" in runs.messages[name]
    assert not (runs.folder / f"{name}.npy").exists()
