"""The fixtures of the catalogue's tests: a small sample shop, raw and prepared."""

from tests.catalogue.conftest import shop, small_prepared, small_shop, study

__all__ = ["shop", "small_prepared", "small_shop", "study"]
