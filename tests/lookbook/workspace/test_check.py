"""lookbook check: every error of a whole file at once; the files of the repository have none."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lookbook.workspace import check
from pipeline.core.errors import UserError
from tests.helpers.projects import write_project
from tests.helpers.repository import PACKAGES, ROOT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the shipped params.yaml and folders of its models the working directory."""
    monkeypatch.chdir(write_project(tmp_path))
    return tmp_path


def problems_with(changes: dict[str, Any]) -> list[str]:
    """Return the problems of the shipped file after these changes."""
    return check.find_problems(write_params(changes, "changed.yaml"))


def write_params(changes: dict[str, Any], name: str) -> Path:
    """Write the shipped file with these changes; a dotted key goes down, None removes."""
    yaml = YAML()
    values = yaml.load(Path("params.yaml"))
    for key, value in changes.items():
        *parents, last = key.split(".")
        inner = values
        for part in parents:
            inner = inner[part]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    yaml.dump(values, Path(name))
    return Path(name)


def test_the_shipped_file_has_no_problems(project: Path) -> None:
    assert check.find_problems(Path("params.yaml")) == []
    assert check.summarise(Path("params.yaml")) == (
        "params.yaml: ok; sample, 3 captioners, 2 catalogues, 8 texts, 5 recommenders, "
        "3 content recommenders, 2 image features, 1 text features, 11 sources, 3 imputations, 0 warm imputations"
    )


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.name)
def test_studies_are_right_but_for_models_that_cannot_be_shipped(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Stanza's own models have no pinned revision on the hub: the message gives the command that downloads them."""
    for folder in (ROOT / "data/models").iterdir():
        if folder.name != "stanza-en":
            (tmp_path / "data/models").mkdir(parents=True, exist_ok=True)
            (tmp_path / "data/models" / folder.name).symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    problems = check.find_problems(path)
    assert all("stanza.download('en', model_dir='data/models/stanza-en'" in problem for problem in problems), problems
    assert len(problems) == path.name.startswith("thesis-")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"captioners.tiny-llava.family": "lava"},
            "captioners.tiny-llava.family: 'lava' is no known family; must be one of: auto, blip2_opt, blip2_t5, file, "
            "llava, llava_crop; did you mean llava?",
        ),
        ({"captioners.tiny-lava": {"family": "llava"}}, "captioners.tiny-lava: no model in data/models/tiny-lava"),
        (
            {"captioners.hub/tiny": {"family": "llava"}},
            "captioners: 'hub/tiny' is no name for a captioner: it must be ",
        ),
        ({"captioners.warm-up": {"family": "llava"}}, "captioners: 'warm-up' is no name for a captioner: it begins "),
        ({"captioners.tiny-llava": {}}, "captioners.tiny-llava.family: missing"),
        (
            {"writer": "tiny-blip2-opd"},
            "writer: 'tiny-blip2-opd' is no known captioner of this study; must be one of: "
            "tiny-blip2-opt, tiny-blip2-t5, tiny-llava; did you mean tiny-blip2-opt?",
        ),
        (
            {"caption_features.family": "llava"},
            "caption_features.family: 'llava' is no known family with BLIP-2 features; "
            "must be one of: blip2_opt, blip2_t5",
        ),
        (
            {"caption_features.features_adapter": "tiny-blip2-optt"},
            "caption_features.features_adapter: no adapter in data/adapters/tiny-blip2-optt, and 'tiny-blip2-optt' is "
            "no known captioner of this study; must be one of: none, tiny-blip2-opt, tiny-blip2-t5, tiny-llava; "
            "did you mean tiny-blip2-opt?",
        ),
        ({"recommenders": ["userkn"]}, "recommenders.0: 'userkn' is no known recommender; must be one of: "),
        ({"recommenders": ["vbpr"]}, "recommenders.0: vbpr needs features; name it under content_recommenders"),
        (
            {"content_recommenders": ["bpr"]},
            "content_recommenders.0: bpr needs no features; name it under recommenders",
        ),
        (
            {"text_features": ["sbrt"]},
            "text_features.0: 'sbrt' is no known text feature; must be one of: clip, resbert, sbert; "
            "did you mean sbert?",
        ),
        (
            {"image_features": ["sbert"]},
            "image_features.0: 'sbert' is no known image feature; must be one of: "
            "resnet50, blip2-visual, blip2-queries",
        ),
        ({"texts": ["augmented"]}, "texts: original is missing; recommenders are tuned with its features"),
        (
            {"warm_text_features": ["sbert", "clip"], "text_features": ["sbert"]},
            "warm_text_features.1: 'clip' is not among text_features; add it there or remove it here",
        ),
        (
            {"warm_content_recommenders": ["contentknn"], "content_recommenders": ["vbpr"]},
            "warm_content_recommenders.0: 'contentknn' is not among content_recommenders; "
            "add it there or remove it here",
        ),
        ({"texts": ["original", "augmentd"]}, "'augmentd' is n"),
        ({"catalogues": ["all", "original", "all"]}, "catalogues.2: 'all' is listed twice; remove one"),
        ({"sources": ["pt", "replaced-25", "pt"]}, "sources.2: 'pt' is listed twice; remove one"),
        ({"sources": ["tiny-llava-ft"]}, "sources.0: 'tiny-llava-ft' is no known source; must be one of: reference, "),
        ({"imputations": ["mean", "mean"]}, "imputations.1: 'mean' is listed twice; remove one"),
        ({"warm_imputations": ["hot"]}, "warm_imputations.0: 'hot' is not allowed; "),
        ({"rec_impute.warm.definition": "correct"}, "rec_impute.warm.definition: 'correct' is not allowed; "),
        (
            {"catalogue_sources.nearest": "sbert"},
            "catalogue_sources.nearest: 'sbert' is no known set of image features; must be one of: "
            "resnet50, blip2-visual, blip2-queries",
        ),
        (
            {"rec_features.clip.model": "tiny-clop"},
            "rec_features.clip.model: 'tiny-clop' is no known model; must be one of: ",
        ),
        (
            {"caption_attributes.tagger": "stanza"},
            "caption_attributes.tagger: data/models/stanza: no such folder; download it once, ",
        ),
        ({"lr": "fast"}, "lr: 'fast' is not allowed"),
        ({"rec_score.cutoffs": [5, 0]}, "rec_score.cutoffs.1: 0 is not allowed; input should be greater than 0"),
        ({"seed": None}, "seed: missing"),
        ({"rec_fit.itemknn.k": 0}, "rec_fit.itemknn.k: 0 is not allowed; input should be greater than 0"),
        (
            {"rec_fit.itemknn.neighbourhod": "x"},
            "rec_fit.itemknn.neighbourhod: unknown key; did you mean neighbourhood?",
        ),
        ({"rec_fit.itemkn": {}}, "rec_fit.itemkn: unknown key; did you mean itemknn?"),
        ({"rec_fit.itemknn_k": 20}, "rec_fit.itemknn_k: unknown key; did you mean itemknn?"),
        ({"rec_fit.bpr.epochs": None}, "rec_fit.bpr.epochs: missing; see studies/sample.yaml"),
        ({"rec_fit.random": None}, "rec_fit.random: missing; see studies/sample.yaml"),
        ({"rec_fit.random.k": 3}, "rec_fit.random.k: unknown key"),
        ({"rec_features.sbert.precision": "fp8"}, "rec_features.sbert.precision: 'fp8' is not allowed"),
        ({"rec_features.sbert.image_size": 96}, "rec_features.sbert.image_size: unknown key"),
        ({"caption_scor": {"spice": "skip"}}, "caption_scor: unknown key; did you mean caption_score?"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_problem_names_key_value_and_what_is_allowed(project: Path, changes: dict[str, Any], problem: str) -> None:
    problems = problems_with(changes)
    assert any(problem in line for line in problems), problems


def test_features_come_from_a_captioner_or_from_an_adapter_that_is_there(project: Path) -> None:
    assert problems_with({"caption_features.features_adapter": "tiny-blip2-opt"}) == []
    changes = {"caption_features.features_adapter": "of-a-colleague"}
    assert len(problems_with(changes)) == 1
    Path("data/adapters/of-a-colleague").mkdir(parents=True)
    assert len(problems_with(changes)) == 1
    Path("data/adapters/of-a-colleague/adapter_model.safetensors").touch()
    assert problems_with(changes) == []


def test_a_wrong_value_is_reported_once_though_many_stages_read_it(project: Path) -> None:
    assert len(problems_with({"machine.threads": 0})) == 1


def test_all_problems_come_at_once(project: Path) -> None:
    changes = {
        "lr": -1,
        "recommenders": ["pop", "bpr"],
        "writer": "x",
        "rec_fit.top_k": 0,
        "rec_fit.vbpr.variant": "papr",
        "rec_features.resnet50.image_size": 7,
        "compare.drawz": 3,
        "caption_score.spice": "maybe",
    }
    problems = "\n".join(problems_with(changes))
    for key in (
        "lr: -1",
        "recommenders.0: 'pop'",
        "writer: 'x'",
        "rec_fit.top_k: 0",
        "rec_fit.vbpr.variant: 'papr' is not allowed; input should be 'paper', 'ducho' or 'mmrec'; did you mean paper?",
        "rec_features.resnet50.image_size: 7",
        "compare.drawz: unknown key",
        "caption_score.spice: 'maybe'",
    ):
        assert key in problems


@pytest.mark.parametrize("axis", ["captioners", "recommenders", "content_recommenders", "catalogues", "texts"])
@pytest.mark.parametrize("value", ["all", 5, True])
def test_an_axis_of_the_wrong_kind_is_a_problem_and_no_crash(project: Path, axis: str, value: object) -> None:
    assert any(line.startswith(f"{axis}: {value!r} is not allowed") for line in problems_with({axis: value}))


def test_a_model_of_the_hub_needs_no_weights(project: Path) -> None:
    shutil.rmtree("data/models/tiny-llava")
    Path("data/models/tiny-llava").mkdir()
    assert len(check.find_problems(Path("params.yaml"))) == 1
    Path("data/models/tiny-llava/hub.json").write_text('{"id": "llava-hf/llava-1.5-7b-hf", "revision": "main"}')
    [problem] = check.find_problems(Path("params.yaml"))
    assert "captioners.tiny-llava: data/models/tiny-llava/hub.json: revision is 'main'" in problem
    pinned = {"id": "llava-hf/llava-1.5-7b-hf", "revision": "b" * 40}
    Path("data/models/tiny-llava/hub.json").write_text(json.dumps(pinned))
    assert check.find_problems(Path("params.yaml")) == []


def test_captions_of_a_file_need_no_model(project: Path) -> None:
    Path("data/models/replay").mkdir()
    changes = {"captioners.replay": {"family": "file"}}
    assert any(line.startswith("captioners.replay: no model in data/models/replay") for line in problems_with(changes))
    Path("data/models/replay/captions.csv").write_text("id,caption\n")
    assert problems_with(changes) == []


def test_a_missing_file_is_an_error_of_the_user(project: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml: no such file"):
        check.find_problems(Path("nothing.yaml"))


def test_every_stage_of_dvc_yaml_is_checked() -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    commands = [stage.get("do", stage)["cmd"].split()[2] for stage in stages.values() if not stage.get("frozen")]
    assert set(check.list_stage_modules()) == set(commands)


def test_every_section_of_the_file_is_read_by_a_stage() -> None:
    known = {name for model in check.load_sections() for name in model.model_fields}
    assert set(YAML(typ="safe").load(ROOT / "params.yaml")) <= known


CHECK_ALL = """import sys
from pathlib import Path
from lookbook.workspace.check import find_problems
print([find_problems(Path(name)) for name in sys.argv[1:]])
"""


@pytest.mark.slow
def test_files_of_ones_own_are_checked_by_what_they_define(project: Path) -> None:
    """A recommender and an extractor more, which studies/sample.yaml does not know: in a copy of the project.

    The extractor takes `text_vectors` from another file, so its text does not hold the words `def text_vectors`.
    """
    for package in (*PACKAGES, "studies"):
        shutil.copytree(ROOT / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", project)
    shutil.copy(project / "recsys/recommenders/mostpop.py", project / "recsys/recommenders/mine.py")
    (project / "recsys/extractors/words.py").write_text("from recsys.extractors.sbert import Settings, text_vectors\n")
    sbert = YAML(typ="safe").load(project / "params.yaml")["rec_features"]["sbert"]
    names = {"recommenders": ["mine"], "rec_features.words": sbert}
    own = {**names, "rec_fit.mine": {"half_life_days": 3.0}, "rec_tune.mine": {}}
    words = {name: ["words"] for name in ("text_features", "warm_text_features", "arrival_features")}
    cases: list[tuple[dict[str, Any], list[str]]] = [
        (names, [f"{section}.mine: missing; see recsys/recommenders/mine.py" for section in ("rec_fit", "rec_tune")]),
        (own | words, []),
        (
            own | {"rec_fit.mine": {"half_life_days": 3.0, "half_live_days": 1.0}},
            ["rec_fit.mine.half_live_days: unknown key; did you mean half_life_days?"],
        ),
        (
            own | {"image_features": ["words"], "warm_image_features": [], "arrival_features": ["sbert"]},
            [
                "image_features.0: 'words' is no known image feature; must be one of: resnet50, blip2-visual, "
                "blip2-queries"
            ],
        ),
    ]
    paths = [write_params(changes, f"{number}.yaml") for number, (changes, _) in enumerate(cases)]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    command = [sys.executable, "-c", CHECK_ALL, *map(str, paths)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ast.literal_eval(ended.stdout) == [problems for _, problems in cases]


def test_every_param_that_dvc_watches_exists() -> None:
    lists = " ".join(re.findall(r"params: \[(.*)\]", (ROOT / "dvc.yaml").read_text()))
    watched = set(re.findall(r"[\w.]+", re.sub(r"\$\{.*?\}", "", lists)))
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    assert {key.split(".")[0] for key in watched} <= set(values)


@pytest.mark.slow
def test_no_stage_imports_torch_before_its_params_are_checked() -> None:
    code = "import sys\nfrom lookbook.workspace.check import load_sections\nload_sections()\n"
    code += "print({'torch', 'transformers', 'stanza'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.strip() == "set()", ended.stderr


def test_what_two_checks_find_is_reported_once(project: Path) -> None:
    problems = problems_with({"recommenders": ["userkn"]})
    assert len(problems) == len(set(problems)) == 1


def test_arrivals_are_ranked_by_features_that_are_extracted(project: Path) -> None:
    (problem,) = problems_with({"arrival_features": ["sbert", "resbert"]})
    assert "arrival_features: neither image_features nor text_features has resbert; add what is missing" in problem
    none = {"content_recommenders": [], "warm_content_recommenders": []}
    assert problems_with({"arrival_features": ["sbert", "resbert"]} | none) == []
