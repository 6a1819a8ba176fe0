"""mypy checks every extractor: the file that names them for it misses none."""

from pipeline.names import allowed_names
from recsys.extractors import _every, load


def test_mypy_is_given_every_extractor() -> None:
    named = {name.lower(): module for name, module in vars(_every).items() if name.isupper()}
    assert sorted(named) == allowed_names("recsys/extractors")
    assert all(module is load(name) for name, module in named.items())
