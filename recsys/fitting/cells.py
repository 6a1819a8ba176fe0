"""A cell: a recommender, the catalogue or text that it is fitted on, and its features; read from the command line."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.files import Rows, read_features
from pipeline.core.errors import UserError
from recsys.purchases.dataset import Catalogue
from recsys.recommenders import Recommender, load
from recsys.scoring.arms import build_name, catalogue_of


@dataclass(frozen=True)
class Cell:
    """What one run of the stage fits.

    Attributes:
        recommender: the name of a file of recsys/recommenders.
        catalogue: the catalogue whose items are ranked.
        text: the text whose features are used; None: features of images, or none.
        features: the name of a set of features; None: the recommender needs none.
    """

    recommender: str
    catalogue: Catalogue
    text: str | None = None
    features: str | None = None

    @property
    def arm(self) -> str:
        """The text or, where there is none, the catalogue."""
        return self.catalogue if self.text is None else self.text

    @property
    def name(self) -> str:
        """The name of the cell's lists: `itemknn`, or `vbpr-sbert`."""
        return build_name(self.recommender, self.features)

    def features_folder(self, root: Path) -> Path | None:
        """Return the folder of the cell's features below the folder of all features."""
        if self.features is None:
            return None
        return root / "image" / self.features if self.text is None else root / "text" / self.text / self.features


def parse_cell(program: str, description: str, arguments: list[str] | None = None) -> Cell:
    """Read a cell from the command line.

    Args:
        program: the module that is run.
        description: what it does.
        arguments: words; None: those of this process.

    Raises:
        UserError: there is no such text.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    add_cell_options(parser)
    return read_cell(parser.parse_args(arguments))


def add_cell_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a cell."""
    parser.add_argument("--recommender", required=True, help="the name of a file in recsys/recommenders/")
    parser.add_argument(
        "--features", help="a folder of data/features/image or, with --text, of data/features/text/TEXT"
    )
    arm = parser.add_mutually_exclusive_group(required=True)
    arm.add_argument("--catalogue", choices=["original", "all"])
    arm.add_argument("--text", help="a text of params.yaml; ranked are the items of its catalogue")


def read_cell(words: argparse.Namespace) -> Cell:
    """Return the cell that the options name.

    Raises:
        UserError: there is no such text.
    """
    catalogue = words.catalogue if words.text is None else catalogue_of(words.text)
    return Cell(words.recommender, catalogue, words.text, words.features)


def load_recommender(cell: Cell) -> Recommender[Any]:
    """Import the cell's recommender.

    Raises:
        UserError: there is no such recommender, features are missing, or features are named that it does not use.
    """
    recommender = load(cell.recommender)
    if recommender.NEEDS_FEATURES and cell.features is None:
        raise UserError(
            f"{cell.recommender} needs --features, the name of a folder of data/features/image or "
            "data/features/text/TEXT; `recommenders` in params.yaml are those that need none"
        )
    if not recommender.NEEDS_FEATURES and cell.features is not None:
        raise UserError(f"{cell.recommender} uses no features: leave out --features {cell.features}")
    return recommender


def find_rows(folder: Path, item_ids: list[str]) -> Rows:
    """Find the features of some items by id: (n_items, dim), not read yet.

    Raises:
        UserError: the folder is missing, or an item has no row.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such features; extract them with `dvc repro`, or name another folder of {folder.parent}"
        )
    return read_features(folder).select(item_ids)


def find_cell_rows(cell: Cell, root: Path, item_ids: list[str]) -> Rows | None:
    """Find the cell's features of some items by id; None where its recommender needs none.

    Args:
        cell: the cell.
        root: the folder of all features.
        item_ids: the items.

    Raises:
        UserError: the folder is missing, or an item has no row.
    """
    folder = cell.features_folder(root)
    return None if folder is None else find_rows(folder, item_ids)
