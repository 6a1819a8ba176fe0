"""The structure of the packages: no import circle, thin stage modules in the roots, and sample apart from the rest."""

import ast
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.helpers.imports import Graph, build_folder_graph, build_module_graph, find_circle, list_modules
from tests.helpers.repository import PACKAGES, ROOT

WITH_STAGES = ("catalogue", "captioning", "recsys", "lookbook", "sample")
MAX_LINES = 120  # of a stage module
MODULES = list_modules(ROOT, PACKAGES)
MAY_IMPORT_STAGES = {"lookbook.workspace.check"}  # it reads the parameters of every stage


def list_stage_modules() -> list[str]:
    """List the modules that dvc.yaml runs."""
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    commands = [stage.get("do", stage)["cmd"] for stage in stages]
    return sorted({re.match(r"python -m (\S+)", command)[1] for command in commands})  # type: ignore[index]


STAGES = list_stage_modules()


@pytest.fixture(scope="module")
def graph() -> Graph:
    """What each module imports; it is parsed once."""
    return build_module_graph(MODULES)


def test_no_modules_import_one_another_in_a_circle(graph: Graph) -> None:
    assert find_circle(graph) == []


def test_no_folders_import_one_another_in_a_circle() -> None:
    assert find_circle(build_folder_graph(MODULES)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import shop.till\n",
        "from shop import till\n",
        "from shop.till import main\n",
        "from .till import main\n",
        "from . import till\n",
        "def run():\n    from shop.till import main\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.till import main\n",
    ],
)
def test_every_kind_of_import_makes_a_circle(tmp_path: Path, source: str) -> None:
    for name, text in {"__init__": "", "shelf": source, "till": "import shop.shelf\n"}.items():
        (tmp_path / "shop").mkdir(exist_ok=True)
        (tmp_path / "shop" / f"{name}.py").write_text(text)
    circle = find_circle(build_module_graph(list_modules(tmp_path, ("shop",))))
    assert set(circle) == {"shop.shelf", "shop.till"}


def test_folders_can_make_a_circle_where_modules_make_none(tmp_path: Path) -> None:
    sources = {
        "shop/__init__": "",
        "shop/front/__init__": "",
        "shop/front/till": "import shop.back.stock\n",
        "shop/front/sign": "",
        "shop/back/__init__": "",
        "shop/back/stock": "",
        "shop/back/office": "import shop.front.sign\n",
    }
    for name, text in sources.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    modules = list_modules(tmp_path, ("shop",))
    assert find_circle(build_module_graph(modules)) == []
    assert set(find_circle(build_folder_graph(modules))) == {"shop.front", "shop.back"}


@pytest.mark.parametrize("package", WITH_STAGES)
def test_the_root_of_a_package_holds_the_stage_modules_alone(package: str) -> None:
    names = sorted(path.stem for path in (ROOT / package).glob("*.py") if path.name != "__init__.py")
    assert names == [stage.split(".")[1] for stage in STAGES if stage.split(".")[0] == package]


def test_every_stage_is_a_module_in_the_root_of_a_package() -> None:
    assert {stage.split(".")[0] for stage in STAGES} == set(WITH_STAGES)
    assert all(stage.count(".") == 1 for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_module_is_short(stage: str) -> None:
    n_lines = len(MODULES[stage].read_text(encoding="utf-8").splitlines())
    assert n_lines <= MAX_LINES


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_module_begins_with_its_command_and_has_a_main(stage: str) -> None:
    tree = ast.parse(MODULES[stage].read_text(encoding="utf-8"))
    assert re.match(rf"python -m {re.escape(stage)}[ :]", ast.get_docstring(tree) or "")
    assert "main" in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_no_module_imports_a_stage_module(graph: Graph) -> None:
    """A library that stands in a stage module would make other stages stale with every edit of that stage."""
    importers = {
        f"{module} imports {name}"
        for module, names in graph.items()
        for name in names
        if name in STAGES and module not in MAY_IMPORT_STAGES
    }
    assert importers == set()


def test_no_other_package_imports_sample(graph: Graph) -> None:
    """So that a study of real data runs no line of it."""
    importers = {
        module
        for module, names in graph.items()
        if not module.startswith("sample") and any(name.split(".")[0] == "sample" for name in names)
    }
    assert importers == set()
