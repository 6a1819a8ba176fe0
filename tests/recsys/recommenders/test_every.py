"""mypy checks every recommender: the file that names them for it misses none."""

from pipeline.names import allowed_names
from recsys.ranking.settings import Run
from recsys.recommenders import _every, load


def test_mypy_is_given_every_recommender() -> None:
    named = {name.lower(): module for name, module in vars(_every).items() if name.isupper()}
    assert sorted(named) == allowed_names("recsys/recommenders")
    assert all(module is load(name) for name, module in named.items())


def test_a_recommender_has_its_own_section_and_no_other() -> None:
    sections = {name: load(name).Settings for name in allowed_names("recsys/recommenders")}
    assert all(settings.__module__ == f"recsys.recommenders.{name}" for name, settings in sections.items())
    assert not {key for settings in sections.values() for key in settings.model_fields} & set(Run.__annotations__)
