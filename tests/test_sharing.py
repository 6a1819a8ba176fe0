"""Hand a study to a colleague: push, clone, pull, and nothing runs again. Real DVC, real remotes; slow."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.repository import digest, dvc, list_run, needs_a_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), needs_a_study]
PREPARED = "data/prepared"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def share(study: Path, url: str) -> None:
    """Make `url` the default remote of the study and of its clones."""
    dvc(study, "remote", "add", "--default", "shared", url)
    git(study, "commit", "--quiet", "-am", "Where the data is")


def clone_study(study: Path, folder: Path) -> Path:
    """Clone the study with a cache of its own, as on another machine."""
    git(folder, "clone", "--quiet", str(study), "colleague")
    return folder / "colleague"


def cached_files(cache: Path) -> list[Path]:
    return sorted(path for path in (cache / "files" / "md5").rglob("*") if path.is_file())


def test_a_colleague_pulls_from_a_path_and_nothing_runs(study: Path, tmp_path: Path) -> None:
    share(study, str(tmp_path / "remote"))
    dvc(study, "push")
    other = clone_study(study, tmp_path)
    dvc(other, "pull")
    assert digest(other / PREPARED) == digest(study / PREPARED)
    assert (other / "reports" / "index.html").read_bytes() == (study / "reports" / "index.html").read_bytes()
    result = dvc(other, "repro")
    assert list_run(result) == set()
    assert "up to date" in result.stdout


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start an S3 server on the loopback device with a bucket `lookbook`, and yield its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name, value in (
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="lookbook")
    yield address
    server.stop()


def test_a_colleague_pulls_a_part_from_s3_and_nothing_runs(study: Path, tmp_path: Path, bucket: str) -> None:
    share(study, "s3://lookbook/study")
    dvc(study, "remote", "modify", "--local", "shared", "endpointurl", bucket)
    dvc(study, "push", "sample_shop", "catalogue_prepare")
    other = clone_study(study, tmp_path)
    dvc(other, "remote", "modify", "--local", "shared", "endpointurl", bucket)
    dvc(other, "pull", "sample_shop", "catalogue_prepare")
    assert digest(other / PREPARED) == digest(study / PREPARED)
    assert list_run(dvc(other, "repro", "catalogue_prepare")) == set()


def test_another_repository_imports_prepared_data_captions_and_an_adapter(study: Path, tmp_path: Path) -> None:
    share(study, str(tmp_path / "remote"))
    parts = ("items.parquet", "images", "purchases.parquet", "truth.parquet")
    captions = "data/captions/tiny-llava-ft.parquet"
    dvc(study, "push", *(f"{PREPARED}/{part}" for part in parts), captions, "data/adapters/tiny-llava")
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    dvc(other, "init", "--quiet")
    for part in parts:
        dvc(other, "import", str(study), f"{PREPARED}/{part}")
        assert digest(other / part) == digest(study / PREPARED / part)
        assert (other / f"{part}.dvc").exists()
    dvc(other, "import", str(study), captions)
    assert digest(other / "tiny-llava-ft.parquet") == digest(study / captions)
    dvc(other, "get", str(study), "data/adapters/tiny-llava", "--out", "adapter")
    assert digest(other / "adapter") == digest(study / "data/adapters/tiny-llava")


def test_a_push_that_was_killed_goes_on(study: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    share(study, str(remote))
    command = [sys.executable, "-m", "dvc", "push", "--jobs", "1"]
    process = subprocess.Popen(command, cwd=study, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(cached_files(remote)) < 3:
        assert process.poll() is None, "the push ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = len(cached_files(remote))
    dvc(study, "push")
    assert before < len(cached_files(remote))
    other = clone_study(study, tmp_path)
    dvc(other, "pull")  # fails where a file is missing
    assert (other / "reports" / "index.html").read_bytes() == (study / "reports" / "index.html").read_bytes()


def test_a_damaged_cache_file_is_noticed_and_fetched_again(study: Path, tmp_path: Path) -> None:
    share(study, str(tmp_path / "remote"))
    dvc(study, "push", f"{PREPARED}/items.parquet")
    other = clone_study(study, tmp_path)
    dvc(other, "pull", f"{PREPARED}/items.parquet")
    [cached] = cached_files(other / ".dvc" / "cache")
    cached.chmod(0o644)
    cached.unlink()
    cached.write_bytes(b"not what it was")
    assert "not in cache" in dvc(other, "status", f"{PREPARED}/items.parquet").stdout
    (other / PREPARED / "items.parquet").unlink()
    dvc(other, "pull", "--force", f"{PREPARED}/items.parquet")
    assert digest(other / PREPARED / "items.parquet") == digest(study / PREPARED / "items.parquet")
    assert cached.read_bytes() == (study / PREPARED / "items.parquet").read_bytes()


def test_raw_data_is_added_and_travels(study: Path, tmp_path: Path) -> None:
    share(study, str(tmp_path / "remote"))
    raw = study / "data" / "raw" / "boutique"
    shutil.copytree(study / "data" / "raw" / "sample", raw)
    dvc(study, "add", "data/raw/boutique")
    git(study, "add", "data/raw/boutique.dvc")
    git(study, "commit", "--quiet", "-m", "Raw data")
    dvc(study, "push", "data/raw/boutique.dvc")
    other = clone_study(study, tmp_path)
    dvc(other, "pull", "data/raw/boutique.dvc")
    assert digest(other / "data/raw/boutique") == digest(raw)
