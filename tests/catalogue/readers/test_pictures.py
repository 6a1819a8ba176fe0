"""The pictures that a shop's reader takes."""

from catalogue.readers.pictures import PICTURES
from tests.helpers.repository import ROOT


def test_the_docs_list_the_formats_of_pictures() -> None:
    listed = ", ".join(f"`{ending}`" for ending in PICTURES)
    assert f"| formats of pictures | {listed}; no others |" in (ROOT / "docs/data.md").read_text(encoding="utf-8")
