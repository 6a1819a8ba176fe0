"""Every reader offers what the protocol asks for, and mypy checks every reader."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

from catalogue import readers
from catalogue.readers import ANY_OTHER, READERS, Reader, _every, load_reader

FOLDER = Path(readers.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if "\ndef open_raw(" in path.read_text(encoding="utf-8"))


def test_every_data_set_has_a_reader_and_every_reader_a_data_set() -> None:
    assert {*READERS.values(), ANY_OTHER} == set(NAMES)


def test_mypy_checks_every_reader() -> None:
    """The assignment to `CHECKED` is what mypy compares with the protocol."""
    tree = ast.parse(inspect.getsource(_every))
    (checked,) = [node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)]
    assert isinstance(checked.value, ast.Tuple)
    assert ast.unparse(checked.annotation) == "tuple[Reader, ...]"
    assert sorted(ast.unparse(name) for name in checked.value.elts) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_has_the_parameters_of_the_protocol(name: str) -> None:
    parameters = list(inspect.signature(import_module(f"catalogue.readers.{name}").open_raw).parameters)
    assert parameters == list(inspect.signature(Reader.open_raw).parameters)[1:]  # without self


def test_an_unknown_data_set_is_read_as_any_shop() -> None:
    assert load_reader("hm") is import_module("catalogue.readers.hm")
    assert load_reader("boutique") is import_module("catalogue.readers.shop")
