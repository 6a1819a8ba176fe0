"""Pictures of one's own that are kept with their captions: own_pictures/, which git ignores."""

import csv
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import UserError

FOLDER = Path("own_pictures")
CAPTIONS = "captions.csv"
COLUMNS = ("file", "name", "captioner", "variant", "caption")
DIGITS = 16  # of the hash that names a file
LOCK = threading.Lock()  # the windows of a server are its threads
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def keep_picture(root: Path, picture: bytes, name: str, captioner: str, captions: Sequence[tuple[str, str]]) -> Path:
    """Keep a picture and its captions; the same picture is kept once, and new captions of a captioner replace old ones.

    Args:
        root: The study's folder.
        picture: The file.
        name: What it is called; only its ending is used, the rest stands in the table.
        captioner: Whose captions.
        captions: Variant and caption.

    Returns:
        The file of the picture.

    Raises:
        UserError: The name ends as no picture does.
    """
    from pipeline.core.outputs import new_file

    ending = Path(name).suffix.lower()
    if ending not in ENDINGS:
        raise UserError(f"{name}: ends as no picture; must be one of: {', '.join(ENDINGS)}")
    path = root / FOLDER / f"{hashlib.sha256(picture).hexdigest()[:DIGITS]}{ending}"
    with new_file(path) as partial:
        partial.write_bytes(picture)
    new = [(path.name, name, captioner, variant, text) for variant, text in captions]
    with LOCK:
        rows = {(row[0], row[2], row[3]): row for row in [*list_kept(root), *new]}
        with (
            new_file(root / FOLDER / CAPTIONS) as partial,
            open(partial, "w", encoding="utf-8", errors="replace", newline="") as file,
        ):
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *(rows[key] for key in sorted(rows))])
    return path


def list_kept(root: Path) -> list[tuple[str, ...]]:
    """List what is kept, as `COLUMNS`; empty where nothing is.

    Raises:
        UserError: The table has other columns.
    """
    path = root / FOLDER / CAPTIONS
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if tuple(header) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise UserError(f"{path}: the columns must be {','.join(COLUMNS)}; move the file away to keep pictures again")
    return [tuple(row) for row in rows]
