"""python -m lookbook.rate: what people say of the captions, from the rounds of blind ratings.

Reads the rounds, ratings/rounds/, and what people said, ratings/*.csv. Writes metrics/ratings.json: a study without
ratings has `{}`. A round that is not finished shows its counts alone, unless somebody looked at its results.
"""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from lookbook.ratings.analysis.headline import find_headline
from lookbook.ratings.analysis.rounds import Draws, Said, analyse_round
from lookbook.ratings.captions import read_captions, read_garments
from lookbook.ratings.design import list_pairs
from lookbook.ratings.rounds import read_rounds
from lookbook.ratings.tables import TABLES, read_table
from pipeline.captioners import Captioners
from pipeline.core.errors import UserError, first_five
from pipeline.core.outputs import read_parquet, write_json
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run

ROUNDS = Path("ratings/rounds")
JUDGEMENTS = Path("ratings/judgements.csv")
ANSWERS = Path("ratings/answers.csv")
LOOKS = Path("ratings/looks.csv")
ITEMS = Path("data/prepared/items.parquet")
CAPTIONS = Path("data/captions")
SCORES = Path("data/scores/captions.parquet")
RATINGS = Path("metrics/ratings.json")


class Rate(Section):
    """The section `rate` of params.yaml."""

    draws: Annotated[int, Field(ge=100)]
    seed: Annotated[int, Field(ge=0)]


class Params(Section):
    """What `rate` reads of params.yaml."""

    writer: str
    captioners: Captioners
    rate: Rate


def main() -> None:
    """Analyse every round that has judgements, and write the file."""
    params = read(Params)
    judgements = read_table(JUDGEMENTS, TABLES["judgement"])
    ratings = analyse_rounds(params, judgements) if judgements else {}
    write_json(RATINGS, ratings)
    print_summary(f"wrote {RATINGS}: {len(judgements)} judgements in {len(ratings.get('rounds', {}))} rounds")


def analyse_rounds(params: Params, judgements: list[Any]) -> dict[str, Any]:
    """Analyse every round that has judgements.

    Raises:
        UserError: there are judgements of a round that has no file.
    """
    rounds = read_rounds(ROUNDS, list(params.captioners))
    unknown = sorted({row.round for row in judgements} - set(rounds))
    if unknown:
        raise UserError(
            f"{JUDGEMENTS}: judgements of rounds that are not in {ROUNDS}: {first_five(unknown)}; bring back their "
            "files (`git log -- ratings/rounds`), or delete those rows"
        )
    answers, looks = read_table(ANSWERS, TABLES["answer"]), read_table(LOOKS, TABLES["look"])
    garments, scores = read_garments(ITEMS), _read_scores(params)
    draws = Draws(params.rate.draws, params.rate.seed)
    analysed = {}
    for name, own in rounds.items():
        rows = [row for row in judgements if row.round == name]
        if rows:
            captions = read_captions(CAPTIONS, ITEMS, own.arms)
            said = Said(rows, *([row for row in table if row.round == name] for table in (answers, looks)))
            analysed[name] = analyse_round(own, list_pairs(own, garments, captions), captions, said, scores, draws)
    return {"rounds": analysed} | find_headline(analysed, params.writer)


def _read_scores(params: Params) -> pd.DataFrame:
    """Read the scores of each caption; a study without captioners has none."""
    if not params.captioners:
        return pd.DataFrame({name: [] for name in ("item_id", "captioner", "variant", "metric", "value")})
    return read_parquet(SCORES)


if __name__ == "__main__":
    run(main)
