"""Where a model is: its folder, or the hub at a pinned revision."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from pipeline.core.errors import UserError
from pipeline.model_folders import find_files, locate, read_keys

ROOT = Path(__file__).parent.parent.parent
COMMIT = "34c2154c194f829b11125337b98c8f5f9965ff19"
STUDY = {
    "blip2-opt-2.7b": "Salesforce/blip2-opt-2.7b",
    "blip2-opt-6.7b": "Salesforce/blip2-opt-6.7b",
    "blip2-flan-t5-xl": "Salesforce/blip2-flan-t5-xl",
    "blip2-flan-t5-xxl": "Salesforce/blip2-flan-t5-xxl",
    "llava-1.5-7b": "llava-hf/llava-1.5-7b-hf",
    "llava-1.5-13b": "llava-hf/llava-1.5-13b-hf",
}


def hub(folder: Path, **values: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "hub.json").write_text(json.dumps(values))
    return folder


def test_a_folder_with_weights_is_loaded_from_disk_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert locate(tmp_path) == {"pretrained_model_name_or_path": str(tmp_path), "local_files_only": True}
    assert find_files(tmp_path) == tmp_path


def test_a_hub_model_has_its_revision(tmp_path: Path) -> None:
    folder = hub(tmp_path, id="microsoft/resnet-50", revision=COMMIT)
    assert locate(folder) == {"pretrained_model_name_or_path": "microsoft/resnet-50", "revision": COMMIT}


def test_the_models_of_the_study_are_pinned() -> None:
    for name, identifier in STUDY.items():
        pinned = locate(ROOT / "data/models" / name)
        assert pinned["pretrained_model_name_or_path"] == identifier


@pytest.mark.parametrize(
    "text", ['{"id": "a/b", "revision": "1", "x": "y"}', "[]", "{", '{"revision": "1"}', '{"id": ""}']
)
def test_a_hub_file_with_other_keys_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "hub.json").write_text(text)
    with pytest.raises(UserError, match=r"hub\.json"):
        locate(tmp_path)


@pytest.mark.parametrize(
    ("values", "problem"),
    [({}, "is missing"), ({"revision": ""}, "is ''"), ({"revision": "main"}, "is 'main'"), ({"revision": 1}, "is 1")],
)
def test_a_revision_that_can_move_is_refused(tmp_path: Path, values: dict, problem: str) -> None:
    with pytest.raises(UserError, match=rf"hub\.json: revision {problem}; .*huggingface\.co/a/b/commits"):
        find_files(hub(tmp_path, id="a/b", **values))


def test_an_unknown_name_is_met_with_the_nearest(tmp_path: Path) -> None:
    hub(tmp_path / "llava-1.5-7b", id="a/b", revision=COMMIT)
    with pytest.raises(UserError, match=r"llava-1\.5-7: no model here; known models: llava-1\.5-7b.*llava-1\.5-7b"):
        locate(tmp_path / "llava-1.5-7")


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model here"):
        locate(tmp_path)


def test_without_a_network_it_says_at_once_what_to_download(tmp_path: Path) -> None:
    """In a process of its own: huggingface_hub reads HF_HUB_OFFLINE when it is imported."""
    folder = hub(tmp_path / "resnet", id="microsoft/resnet-50", revision=COMMIT)
    code = f"from pipeline.model_folders import find_files\nfind_files({str(folder)!r})"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "PATH": ""}
    started = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert time.perf_counter() - started < 30
    message = result.stderr.partition("UserError: ")[2]
    assert "HF_HUB_OFFLINE is set" in message
    assert f"hf download microsoft/resnet-50 --revision {COMMIT} --include '*.json'" in message
    assert str(tmp_path / "hf" / "hub") in message


def test_a_downloaded_model_is_found_without_a_network(tmp_path: Path) -> None:
    folder = hub(tmp_path / "resnet", id="microsoft/resnet-50", revision=COMMIT)
    stored = tmp_path / "hf/hub/models--microsoft--resnet-50/snapshots" / COMMIT
    stored.mkdir(parents=True)
    code = f"from pipeline.model_folders import find_files\nprint(find_files({str(folder)!r}))"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "PATH": ""}

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT)

    (stored / "config.json").write_text("{}")
    (stored / "pytorch_model.bin").write_text("")
    assert re.search(r"lack config\.json or safetensors", run().stderr)
    (stored / "model.safetensors").write_text("")
    assert run().stdout.strip() == str(stored)


@pytest.fixture
def refusing_proxy() -> Iterator[str]:
    """The address of a proxy on the loopback device that lets nobody through."""

    class Refusing(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.slow
def test_behind_a_proxy_that_refuses_a_download_of_before_serves(tmp_path: Path, refusing_proxy: str) -> None:
    folder = hub(tmp_path / "resnet", id="microsoft/resnet-50", revision=COMMIT)
    code = f"from pipeline.model_folders import find_files\nprint(find_files({str(folder)!r}))"
    environment = {"HTTPS_PROXY": refusing_proxy, "HF_HOME": str(tmp_path / "hf"), "PATH": ""}

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT)

    message = run().stderr.partition("UserError: ")[2]
    assert "is not complete on this machine, and the hub cannot be reached" in message
    assert f"hf download microsoft/resnet-50 --revision {COMMIT}" in message
    stored = tmp_path / "hf/hub/models--microsoft--resnet-50/snapshots" / COMMIT
    stored.mkdir(parents=True)
    (stored / "config.json").write_text("{}")
    (stored / "model.safetensors").write_text("")
    assert run().stdout.strip() == str(stored)


def test_the_pin_of_the_package_is_complete() -> None:
    folder = ROOT / "data/models/efficientnet-lite0"
    pinned = read_keys(folder / "package.json", "package", "version", "sha256")
    assert f'"{pinned["package"]}=={pinned["version"]}"' in (ROOT / "pyproject.toml").read_text()
