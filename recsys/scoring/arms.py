"""The names of arms: a catalogue or a text, and a recommender with or without features."""

from typing import cast

from catalogue.descriptions.variants import CATALOGUE_OF
from pipeline.core.errors import UserError
from pipeline.names import explain_unknown_name
from recsys.purchases.dataset import Catalogue


def catalogue_of(text: str) -> Catalogue:
    problem = explain_unknown_name("text", text, CATALOGUE_OF)
    if problem:
        raise UserError(f"--text: {problem}")
    return cast(Catalogue, CATALOGUE_OF[text])
