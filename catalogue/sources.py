"""python -m catalogue.sources: write the words of the arrivals from every source to data/sources/.

Arrivals are the test items of the catalogue `original`. Each source is a table of its own, `<source>.parquet` with
item_id and text of every arrival, so that new captions of one captioner change one file. `none`, `table` and `nearest`
have the validation items too (validation arrivals), where the best source that needs no caption is chosen:

- `reference`: the shop's own description; `second`: another one of the same garment, where the data has it;
- `none`: no word; `table`: category and colour of the shop's table as a sentence;
- `<captioner>-pt`, `<captioner>-ft`: the captions of every captioner of params.yaml;
- `shuffled`: the writer's fine-tuned captions, each dealt to a garment of another product;
- `nearest`: the description of the train item whose picture is most alike (features `catalogue_sources.nearest`);
- `replaced-N`: the description with N percent of its words replaced by random words of the descriptions.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from catalogue.arrivals.words import Arrivals, find_words
from catalogue.descriptions.sources import SourceName, expand_sources
from catalogue.prepared.items import read_items, select_split
from pipeline.captioners import Captioners
from pipeline.core.outputs import new_folder, write_parquet
from pipeline.core.params import Section, read
from pipeline.core.stage import print_summary, run

ITEMS = Path("data/prepared/items.parquet")
TRUTH = Path("data/prepared/truth.parquet")
CAPTIONS = Path("data/captions")
PICTURES = Path("data/features/image")
SOURCES = Path("data/sources")
COLUMNS = ("item_id", "description", "category", "colour", "original", "split", "group")


class CatalogueSources(Section):
    """Section `catalogue_sources` of params.yaml."""

    seed: Annotated[int, Field(ge=0)]  # of `shuffled` and `replaced-N`
    nearest: Annotated[str, Field(min_length=1)]  # the picture features that say which item is nearest


class Params(Section):
    """What this stage reads of params.yaml."""

    writer: Annotated[str, Field(min_length=1)]
    captioners: Captioners
    sources: list[SourceName]  # empty in a study of captions alone
    catalogue_sources: CatalogueSources


def main() -> None:
    """Write a table for each source."""
    params = read(Params)
    sources = expand_sources(params.sources, params.captioners)
    arrivals = read_arrivals(params) if sources else None
    with new_folder(SOURCES) as folder:
        for source in sources:
            assert arrivals is not None
            write_parquet(folder / f"{source}.parquet", find_words(source, arrivals))
    n_arrivals = len(arrivals.items) if arrivals else 0
    print_summary(f"wrote {SOURCES}: {len(sources)} sources of {n_arrivals} arrivals: {', '.join(sources)}")


def read_arrivals(params: Params) -> Arrivals:
    """Read what the sources are made from."""
    items = read_items(ITEMS, COLUMNS)
    items = items[items["original"]]
    return Arrivals(
        items=select_split(items, "test", ITEMS),
        validation=items[items["split"] == "validation"],
        train=items[items["split"] == "train"].reset_index(drop=True),
        writer=params.writer,
        captions=CAPTIONS,
        truth=TRUTH,
        pictures=PICTURES / params.catalogue_sources.nearest,
        seed=params.catalogue_sources.seed,
    )


if __name__ == "__main__":
    run(main)
