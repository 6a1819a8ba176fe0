"""Reads which modules of the packages import which, from the source alone."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

Graph = dict[str, set[str]]  # module or folder -> what it imports


def list_modules(root: Path, packages: tuple[str, ...]) -> dict[str, Path]:
    """Map the name of each module to its file; a package is the module of its `__init__.py`."""
    paths = [path for package in packages for path in sorted((root / package).rglob("*.py"))]
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def build_module_graph(modules: Mapping[str, Path]) -> Graph:
    """Map each module to the modules that it imports: at the top, in functions and under `TYPE_CHECKING`."""
    return {
        module: {name for name in _list_imports(module, path) if name in modules and name != module}
        for module, path in modules.items()
    }


def build_folder_graph(modules: Mapping[str, Path]) -> Graph:
    """Map each folder to the folders whose modules its modules import."""
    folders = {
        module: module if path.name == "__init__.py" else module.rpartition(".")[0] for module, path in modules.items()
    }
    graph: Graph = {folder: set() for folder in folders.values()}
    for module, names in build_module_graph(modules).items():
        graph[folders[module]] |= {folders[name] for name in names} - {folders[module]}
    return graph


def find_circle(graph: Graph) -> list[str]:
    """Find modules or folders that import one another in a circle; the first is repeated at the end. Empty: none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _list_imports(module: str, path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _resolve(node, module, path)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _resolve(node: ast.ImportFrom, module: str, path: Path) -> str:
    """Name the module after `from`, which may be relative."""
    if not node.level:
        return node.module or ""
    parents = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    base = parents[: len(parents) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)
