"""H&M's raw layout on disk: three tables, the images in one zip, and the sample's side file."""

import io
import zipfile
from pathlib import Path
from random import Random

import pandas as pd

from pipeline.core.progress import track
from sample.garments.drawing import draw
from sample.market.assortment import Article

JPEG_QUALITY = 90
MEMBER_TIME = (1980, 1, 1, 0, 0, 0)  # of every member, so that the zip is the same on every run


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV with the same bytes on every system."""
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def write_images(path: Path, articles: list[Article], seed: int) -> None:
    """Write `images/0XX/0XXXXXXXXX.jpg` to a zip, not compressed; a picture depends on seed and article alone."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for article in track(articles, "drawing garments", unit="image"):
            if article.has_image:
                member = zipfile.ZipInfo(f"images/{article.article_id[:3]}/{article.article_id}.jpg", MEMBER_TIME)
                member.create_system, member.external_attr = 3, 0o644 << 16
                archive.writestr(member, encode_jpeg(article, seed))


def encode_jpeg(article: Article, seed: int) -> bytes:
    """Draw an article as JPEG."""
    buffer = io.BytesIO()
    draw(article.garment, Random(f"{seed} {article.article_id}")).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
