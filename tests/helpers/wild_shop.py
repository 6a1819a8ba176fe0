"""A small shop of 40 drawn squares, as anyone might export it: items.csv, images/ and purchases.csv."""

import csv
import io
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

COLOURS = ("red", "blue", "green", "black", "white", "grey", "pink", "brown")
Row = dict[str, str]


def list_rows(n: int = 40) -> list[Row]:
    """List the items: item_id, description, category and image."""
    rows = []
    for number in range(n):
        colour, kind = COLOURS[number % 8], ("dress", "shirt")[number % 2]
        words = f"a {colour} {kind} number {number} in soft cotton with a round neck"
        item = f"A{number:03d}"
        rows.append({"item_id": item, "description": words, "category": kind, "image": f"{item}.jpg"})
    return rows


def draw(number: int, kind: str = "JPEG") -> bytes:
    """Draw the picture of an item."""
    colour = number * 5 % 255, 100, 200 - number * 3 % 200
    Image.new("RGB", (60, 80), colour).save(buffer := io.BytesIO(), kind)
    return buffer.getvalue()


def write_items(
    folder: Path, rows: Sequence[Row], columns: Sequence[str] = ("item_id", "description", "category")
) -> None:
    """Write items.csv."""
    with open(folder / "items.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([row[column] for column in columns] for row in rows)


def write_pictures(folder: Path, rows: Sequence[Row], name: Callable[[Row], str] = lambda row: row["image"]) -> None:
    """Write images/."""
    for number, row in enumerate(rows):
        path = folder / "images" / name(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(number))


def list_purchases(rows: Sequence[Row], users: int = 12, each: int = 6) -> list[tuple[str, str, str]]:
    """List user, item and day of each purchase."""
    draws = random.Random(1)
    return [
        (f"u{user}", draws.choice(rows)["item_id"], f"2023-0{1 + number}-1{user % 9}")
        for user in range(users)
        for number in range(each)
    ]


def write_purchases(folder: Path, purchases: Sequence[Sequence[str]]) -> None:
    """Write purchases.csv."""
    with open(folder / "purchases.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("user_id", "item_id", "date"), *purchases])


def write_shop(folder: Path, n: int = 40) -> list[Row]:
    """Write the whole shop to a new folder."""
    folder.mkdir(parents=True)
    rows = list_rows(n)
    write_items(folder, rows)
    write_pictures(folder, rows)
    write_purchases(folder, list_purchases(rows))
    return rows
