"""dvc.yaml against the code: names, and deps that cover exactly what each cell imports."""

import ast
import contextlib
import re
import shutil
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from ruamel.yaml import YAML

from pipeline.core.params import NAMED_BY_FILES
from pipeline.core.record import COSTS, TIMED, find_cost_file
from pipeline.machine import MACHINE
from pipeline.names import allowed_names, with_sections
from recsys.recommenders import load
from tests.helpers.params_files import read_sample, write_values
from tests.helpers.repository import PACKAGES, ROOT

LOADED_BY_NAME = {
    "catalogue.prepare": ["catalogue/readers/hm.py", "catalogue/readers/facad.py", "catalogue/readers/shop.py"],
    "captioning.train": ["captioning/families/{family}.py"],
    "captioning.generate": ["captioning/families/{family}.py"],
    "captioning.features": ["captioning/families/{family}.py"],
    "recsys.features": ["recsys/extractors/{extractor}.py"],
    "recsys.features_sources": ["recsys/extractors/{extractor}.py"],
    "recsys.fit": ["recsys/recommenders/{recommender}.py"],
    "recsys.fit_arrivals": ["recsys/recommenders/{recommender}.py"],
    "recsys.rank_arrivals": ["recsys/recommenders/{recommender}.py"],
    "recsys.tune": ["recsys/recommenders/{recommender}.py"],
}

OF_CAPTIONERS = ["caption_train", "caption_generate_pt", "caption_generate_ft"]
OF_RECOMMENDERS = ["rec_tune", "rec_fit"]
OF_CONTENT = [
    *("rec_tune_image", "rec_tune_text", "rec_tune_arrivals_image", "rec_tune_arrivals_text"),
    *("rec_fit_image", "rec_fit_text", "rec_fit_arrivals_image", "rec_fit_arrivals_text"),
    *("rec_rank_arrivals_image", "rec_rank_arrivals_text"),
]
RUN_AS_A_SCRIPT = {"captioning/scores/java/process.py": "captioning/scores/java/worker.py"}  # started, not imported

MORE_OF_THE_MODULE = {  # read by the module, without influence on this stage's output
    "rec_features_image": {"texts"},
}


PARAMS = read_sample() | {"text_features": ["sbert", "clip"]}  # one extractor of words more than the sample has


def cells() -> dict[str, dict]:
    """Every cell of the line as `dvc.yaml` and `PARAMS` make it, by name."""
    from dvc.repo import Repo

    with TemporaryDirectory() as folder, contextlib.chdir(folder):  # names are relative to where one is
        shutil.copy(ROOT / "dvc.yaml", folder)
        write_values(PARAMS, Path(folder, "params.yaml"))
        repo = Repo.init(folder, no_scm=True)
        return {
            stage.addressing: {
                "cmd": stage.cmd,
                "deps": [str(dep.def_path) for dep in stage.deps],
                "outs": [str(out.def_path) for out in stage.outs],
                "params": {key for params in stage.params for key in params.params},
            }
            for stage in repo.index.stages
            if stage.is_data_source is False and stage.cmd
        }


@cache
def imports(path: Path) -> set[Path]:
    """Files of this project that `path` imports, packages by their `__init__.py`; imports inside functions too."""
    paths = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] in PACKAGES:
                paths |= files_of(name)
    script = RUN_AS_A_SCRIPT.get(str(path.relative_to(ROOT)))
    return paths | ({ROOT / script} if script else set())


def files_of(module: str) -> set[Path]:
    parts = module.split(".")
    paths = {ROOT.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)}
    paths.add(ROOT.joinpath(*parts[:-1], parts[-1] + ".py"))
    return {path for path in paths if path.exists()}


def closure(entries: list[Path]) -> set[Path]:
    seen: set[Path] = set()
    todo = list(entries)
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += imports(path)
    return {path.relative_to(ROOT) for path in seen if not only_says_what_it_is(path)}


@cache
def only_says_what_it_is(path: Path) -> bool:
    """A package file that holds a docstring and nothing else."""
    return path.name == "__init__.py" and all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


CELLS = cells()
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
COMMANDS = sorted(name for name, cell in CELLS.items() if name != "sample_models")


def needed_by(name: str) -> set[Path]:
    """Files that a cell imports, those loaded by name included."""
    words = CELLS[name]["cmd"].split()
    module, options = words[2], dict(zip([w.removeprefix("--") for w in words[3::2]], words[4::2], strict=True))
    if module == "captioning.features":
        options["family"] = YAML(typ="safe").load(ROOT / "params.yaml")["caption_features"]["family"]
    entries = [ROOT / (module.replace(".", "/") + ".py")]
    entries += [ROOT / pattern.format(**options) for pattern in LOADED_BY_NAME.get(module, [])]
    return closure(entries)


def data_of(module: str) -> set[Path]:
    """Files and folders of the study that a stage's module names: its `Path("data/…")` and `Path("metrics/…")`."""
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {Path(text) for text in texts if re.fullmatch(r"(data|metrics|reports)/[\w./-]+", text)}


@cache
def code_of(name: str) -> set[Path]:
    return {Path(dep) for dep in CELLS[name]["deps"] if dep.split("/")[0] in PACKAGES}


def covers(dep: Path, path: Path) -> bool:
    return path == dep or dep in path.parents


@pytest.mark.parametrize("name", COMMANDS)
def test_deps_of_a_cell_cover_what_it_imports(name: str) -> None:
    code = code_of(name)
    assert sorted(str(path) for path in needed_by(name) if not any(covers(dep, path) for dep in code)) == []


@pytest.mark.parametrize("family", allowed_names("captioning/families"))
@pytest.mark.parametrize("stage", OF_CAPTIONERS)
def test_deps_of_a_captioner_cover_what_any_family_imports(stage: str, family: str) -> None:
    """Of families that params.yaml has no captioner of, too."""
    code = {Path(dep.replace("${item.family}", family)) for dep in STAGES[stage]["do"]["deps"]}
    needed = closure([ROOT / f"captioning/families/{family}.py"])
    assert sorted(str(path) for path in needed if not any(covers(dep, path) for dep in code)) == []


def recommenders_of(stage: str) -> list[str]:
    """The recommenders that a stage may run: those with features, or those without."""
    names = allowed_names("recsys/recommenders") if stage in (*OF_RECOMMENDERS, *OF_CONTENT) else []
    return [name for name in names if (stage in OF_CONTENT) == load(name).NEEDS_FEATURES]


@cache
def needed_by_recommenders(stage: str) -> set[Path]:
    """Files that the recommenders import which a stage may run, with or without a cell in params.yaml."""
    return closure([ROOT / f"recsys/recommenders/{name}.py" for name in recommenders_of(stage)])


@pytest.mark.parametrize("stage", [*OF_RECOMMENDERS, *OF_CONTENT])
def test_deps_of_a_recommender_cover_what_any_imports(stage: str) -> None:
    """Of recommenders that params.yaml does not name, too."""
    body = STAGES[stage].get("do", STAGES[stage])
    names = recommenders_of(stage)
    assert names
    for name in names:
        code = {Path(dep.replace("${item.recommender}", name)) for dep in body["deps"]}
        needed = closure([ROOT / f"recsys/recommenders/{name}.py"])
        assert sorted(str(path) for path in needed if not any(covers(dep, path) for dep in code)) == [], name


@pytest.mark.parametrize("stage", sorted({name.split("@")[0] for name in COMMANDS}))
def test_deps_of_a_stage_name_no_code_that_none_of_its_cells_imports(stage: str) -> None:
    cells = [name for name in COMMANDS if name.split("@")[0] == stage]
    needed = set().union(*(needed_by(name) for name in cells))
    if stage in OF_CAPTIONERS:
        needed |= closure(
            [ROOT / f"captioning/families/{family}.py" for family in allowed_names("captioning/families")]
        )
    needed |= needed_by_recommenders(stage)
    own = {dep for name in cells for dep in code_of(name) if dep.suffix == ".py" or any((ROOT / dep).glob("*.py"))}
    assert sorted(str(dep) for dep in own if not any(covers(dep, path) for path in needed)) == []


MODULES = sorted({CELLS[name]["cmd"].split()[2] for name in COMMANDS})


@pytest.mark.parametrize("module", MODULES)
def test_deps_and_outs_cover_the_files_that_a_module_names(module: str) -> None:
    cells = [cell for cell in CELLS.values() if module in cell["cmd"].split()]
    declared = {Path(path) for cell in cells for path in cell["deps"] + cell["outs"]}
    named = data_of(module) - set(TIMED)
    missing = {path for path in named if not any(covers(other, path) or covers(path, other) for other in declared)}
    assert sorted(map(str, missing)) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_stage_has_its_module_its_section_and_its_test(name: str) -> None:
    module = CELLS[name]["cmd"].split()[2]
    package, entry = module.split(".")
    assert (ROOT / package / f"{entry}.py").exists()
    assert (ROOT / "tests" / package / f"test_{entry}.py").exists()
    prefix = {
        "captioning": "caption_",
        "recsys": "rec_",
        "catalogue": "catalogue_",
        "lookbook": "",
        "sample": "sample_",
    }[package]
    stage = name.split("@")[0]
    assert stage.startswith(prefix + entry), f"stage {stage} runs {module}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_cell_depends_on_the_parameters_that_it_reads(name: str) -> None:
    """All of them, so that a change is never missed; and no others, so that nothing reruns in vain.

    Of a section with a sub-section for each file: the section's own keys, and the sub-section of the cell's file.
    """
    words = CELLS[name]["cmd"].split()
    options = dict(zip(words[3::2], words[4::2], strict=True))
    files = [options[option] for option in ("--recommender", "--extractor") if option in options]
    params = with_sections(import_module(words[2]).Params, files)
    keys = set()
    for key, field in params.model_fields.items():
        keys |= {f"{key}.{part}" for part in field.annotation.model_fields} if key in NAMED_BY_FILES else {key}
    declared = {key if key.split(".")[0] in NAMED_BY_FILES else key.split(".")[0] for key in CELLS[name]["params"]}
    assert declared | MORE_OF_THE_MODULE.get(name.split("@")[0], set()) == keys - {MACHINE}


def test_dvc_yaml_is_short_and_keeps_the_rules() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert len(text.splitlines()) < 1050
    assert [name for name, stage in STAGES.items() if stage.get("frozen")] == ["sample_models"]
    for stage in STAGES.values():
        body = stage.get("do", stage)
        assert "wdir" not in body
        assert "persist" not in str(body)
        deps = [Path(dep) for dep in body.get("deps", [])]
        timed = [dep for dep in deps for path in TIMED if covers(path, dep) or covers(dep, path)]
        assert timed == [], "nothing depends on an output that holds times"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_cell_has_a_file_of_its_costs(name: str) -> None:
    costs = [out for out in CELLS[name]["outs"] if covers(COSTS, Path(out))]
    assert [Path(path) for path in costs] == [find_cost_file(name)]


def test_artifacts_are_outputs_of_the_line() -> None:
    artifacts = YAML(typ="safe").load(ROOT / "dvc.yaml")["artifacts"]
    writer = YAML(typ="safe").load(ROOT / "params.yaml")["writer"]
    outs = {path for cell in CELLS.values() for path in cell["outs"]}
    assert {about["path"].replace("${writer}", writer) for about in artifacts.values()} <= outs
    assert {"adapter", "captions", "items"} <= artifacts.keys()


def test_packages_side_by_side_never_depend_on_each_others_code() -> None:
    for name, cell in CELLS.items():
        packages = {dep.split("/")[0] for dep in cell["deps"] if dep.split("/")[0] in PACKAGES}
        assert "lookbook" in packages or not {"captioning", "recsys"} <= packages, name
        assert "lookbook" not in packages or name.split("@")[0] in ("rate", "compare", "report"), name
