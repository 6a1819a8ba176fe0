"""Write a small study that has captions, for the stage caption_score to score."""

import json
from pathlib import Path

import pandas as pd

from tests.helpers.params_files import read_sample, write_values

ROOT = Path(__file__).parents[2]
COLOURS = ("red", "blue", "green", "white")
TYPES = ("dress", "skirt", "jacket")


def write_study(folder: Path, spice: str) -> None:
    """Write a study of two captioners: twelve test items, each its own group, a training item, an undescribed one."""
    rows = [(colour, kind) for colour in COLOURS for kind in TYPES]
    ids = [f"{number:010}" for number in range(len(rows) + 2)]
    described = [f"{colour} {kind} in soft cotton with long sleeves." for colour, kind in rows]
    data = folder / "data"
    for name in ("prepared", "captions", "attributes", "classifier", "models"):
        (data / name).mkdir(parents=True)
    items = pd.DataFrame({"item_id": ids, "description": [*described, "red dress.", None]})
    items["category"] = [*(kind for _, kind in rows), "dress", "dress"]
    items["group"], items["split"] = range(len(ids)), [*["test"] * len(rows), "train", None]
    items.sample(frac=1, random_state=0).to_parquet(data / "prepared" / "items.parquet")
    truth = pd.DataFrame({"item_id": ids, "type": items["category"], "pattern": "solid"})
    truth["colour"] = [*(colour for colour, _ in rows), "red", "red"]
    truth["second_description"] = [*(f"long-sleeved {kind} in {colour} cotton." for colour, kind in rows), None, None]
    truth.to_parquet(data / "prepared" / "truth.parquet")
    attributes = [[*row, "cotton", "sleeve"] for row in rows] + [["red", "dress"], []]
    pd.DataFrame({"item_id": ids, "attributes": attributes}).to_parquet(data / "attributes" / "items.parquet")
    (data / "attributes" / "vocabulary.json").write_text(json.dumps(sorted([*COLOURS, *TYPES, "cotton", "sleeve"])))
    for captioner, finished in (("one", True), ("two", False)):
        for variant, captions in (
            ("pt", [f"a photo of a {colour} {kind}" for colour, kind in rows]),
            ("ft", described),
        ):
            table = pd.DataFrame({"item_id": ids[:-2], "caption": captions})
            if captioner == "two":
                table.loc[0, "caption"] = ""
            table.loc[len(table)] = [ids[-1], "a made-up text"]
            table["tokens"], table["finished"] = 7, True
            table.loc[1, "finished"] = finished
            table.to_parquet(data / "captions" / f"{captioner}-{variant}.parquet")
    (data / "models" / "tiny-stanza").symlink_to(ROOT / "data" / "models" / "tiny-stanza")
    params = read_sample()
    params["captioners"] = {"one": {"family": "blip2_opt"}, "two": {"family": "llava"}}
    params["caption_score"]["spice"] = spice
    write_values(params, folder / "params.yaml")


def write_classifier(folder: Path) -> None:
    """Write a classifier that has seen the name of each type."""
    from captioning.classifiers.logistic import fit, save
    from features.sentences import encode

    save(folder, fit(encode(list(TYPES)), TYPES, 1.0))
