"""The shop's articles: products in several colours with a description each, and H&M's columns for them."""

from dataclasses import dataclass, replace
from random import Random

import pandas as pd

from catalogue.descriptions.vocabulary import COLOURS, INVISIBLE, VISIBLE
from sample.garments.attributes import HOME_TYPES, RARE_TYPES, TYPE_WEIGHTS, Garment, sample
from sample.garments.wording import describe

ARTICLES_PER_PRODUCT = 1.3
WITHHELD_SHARE = 0.15  # of the products have no description
MISSING_IMAGE_SHARE = 0.01  # of the articles have none
RARE_SHARE = 0.0018  # of the products, for each rare type: in one colour, too few articles for the study's filter
HOME_SHARE = 0.0035  # of the products, for each type that is not fashion

COLUMNS = (
    "article_id",
    "product_code",
    "prod_name",
    "product_type_no",
    "product_type_name",
    "product_group_name",
    "graphical_appearance_no",
    "graphical_appearance_name",
    "colour_group_code",
    "colour_group_name",
    "perceived_colour_value_id",
    "perceived_colour_value_name",
    "perceived_colour_master_id",
    "perceived_colour_master_name",
    "department_no",
    "department_name",
    "index_code",
    "index_name",
    "index_group_no",
    "index_group_name",
    "section_no",
    "section_name",
    "garment_group_no",
    "garment_group_name",
    "detail_desc",
)

# type -> product_type_no, product_type_name, product_group_name, garment_group_no, garment_group_name
_TYPE = {
    "t-shirt": (255, "T-shirt", "Garment Upper body", 1002, "Jersey Basic"),
    "shirt": (259, "Shirt", "Garment Upper body", 1011, "Shirts"),
    "jumper": (252, "Sweater", "Garment Upper body", 1003, "Knitwear"),
    "hoodie": (308, "Hoodie", "Garment Upper body", 1005, "Jersey Fancy"),
    "jacket": (262, "Jacket", "Garment Upper body", 1007, "Outdoor"),
    "vest top": (253, "Vest top", "Garment Upper body", 1002, "Jersey Basic"),
    "dress": (265, "Dress", "Garment Full body", 1013, "Dresses Ladies"),
    "trousers": (272, "Trousers", "Garment Lower body", 1009, "Trousers"),
    "shorts": (274, "Shorts", "Garment Lower body", 1025, "Shorts"),
    "skirt": (275, "Skirt", "Garment Lower body", 1012, "Skirts"),
    "bag": (66, "Bag", "Accessories", 1019, "Accessories"),
    "sneakers": (94, "Sneakers", "Shoes", 1020, "Shoes"),
    "boots": (87, "Boots", "Shoes", 1020, "Shoes"),
    "cap": (69, "Cap/peaked", "Accessories", 1019, "Accessories"),
    "felt hat": (477, "Felt hat", "Accessories", 1019, "Accessories"),
    "tie": (76, "Tie", "Accessories", 1019, "Accessories"),
    "blanket": (515, "Blanket", "Interior textile", 1001, "Unknown"),
    "cushion": (509, "Cushion", "Interior textile", 1001, "Unknown"),
}
_PATTERN = {
    "solid": (1010016, "Solid"),
    "striped": (1010017, "Stripe"),
    "pinstriped": (1010017, "Stripe"),
    "dotted": (1010006, "Dot"),
    "checked": (1010004, "Check"),
    "floral": (1010001, "All over pattern"),
}
# colour -> colour_group_code and name, perceived_colour_value_id and name, perceived_colour_master_id and name
_COLOUR = {
    "black": (9, "Black", 4, "Dark", 5, "Black"),
    "white": (10, "White", 3, "Light", 9, "White"),
    "grey": (7, "Grey", 2, "Medium Dusty", 12, "Grey"),
    "beige": (12, "Beige", 2, "Medium Dusty", 11, "Beige"),
    "red": (42, "Red", 5, "Bright", 18, "Red"),
    "pink": (51, "Light Pink", 1, "Dusty Light", 4, "Pink"),
    "orange": (32, "Orange", 5, "Bright", 3, "Orange"),
    "yellow": (22, "Yellow", 5, "Bright", 8, "Yellow"),
    "green": (92, "Green", 5, "Bright", 19, "Green"),
    "blue": (72, "Blue", 5, "Bright", 2, "Blue"),
    "navy": (73, "Dark Blue", 4, "Dark", 2, "Blue"),
    "purple": (62, "Other Purple", 4, "Dark", 13, "Lilac Purple"),
}
_INDEX = {
    "Garment": ("A", "Ladieswear", 1, "Ladieswear", 15, "Womens Everyday Collection", 1676, "Everyday"),
    "Other": ("C", "Ladies Accessories", 1, "Ladieswear", 66, "Womens Small accessories", 3090, "Accessories"),
}
_NAMES = (
    "Harbour",
    "Meadow",
    "Canyon",
    "Lagoon",
    "Ember",
    "Willow",
    "Comet",
    "Atlas",
    "Breeze",
    "Cedar",
    "Dune",
    "Echo",
    "Fjord",
    "Grove",
    "Haze",
    "Iris",
)


@dataclass(frozen=True)
class Article:
    """A product in a colour; ids as H&M writes them: product code of seven digits, article id of ten."""

    article_id: str
    product_code: str
    name: str
    garment: Garment
    description: str  # "" where the shop has none
    second_description: str  # another description of the same garment
    has_image: bool


def draw_assortment(rng: Random, n_articles: int) -> list[Article]:
    """Draw articles, sorted by id; the colours of a product share product code and description."""
    n_products = max(1, round(n_articles / ARTICLES_PER_PRODUCT))
    garments = _draw_products(rng, n_products)
    articles = []
    for number, (garment, n_colours) in enumerate(
        zip(garments, _count_colours(rng, garments, n_articles), strict=True)
    ):
        code = f"{108775 + 37 * number:07d}"
        description = describe(garment, rng)
        shown = "" if rng.random() < WITHHELD_SHARE else description
        name = f"{rng.choice(_NAMES)} {garment.type}"
        for suffix, colour in enumerate(rng.sample(COLOURS, n_colours), start=1):
            coloured = replace(garment, colour=colour)
            has_image = rng.random() >= MISSING_IMAGE_SHARE
            articles.append(
                Article(f"{code}{suffix:03d}", code, name, coloured, shown, describe(coloured, rng), has_image)
            )
    return articles


def _draw_products(rng: Random, n_products: int) -> list[Garment]:
    rare = [kind for kind in RARE_TYPES for _ in range(max(1, round(RARE_SHARE * n_products)))]
    home = [kind for kind in HOME_TYPES for _ in range(max(1, round(HOME_SHARE * n_products)))]
    special = [sample(rng, {kind: 1}) for kind in (rare + home)[:n_products]]
    garments = special + [sample(rng, TYPE_WEIGHTS) for _ in range(n_products - len(special))]
    rng.shuffle(garments)
    return garments


def _count_colours(rng: Random, garments: list[Garment], n_articles: int) -> list[int]:
    """Draw the number of colours of each product: at least 1, together `n_articles` if there are enough colours."""
    counts = [1] * len(garments)
    candidates = [index for index, garment in enumerate(garments) if garment.type not in RARE_TYPES]
    missing = n_articles - len(garments)
    while missing > 0 and candidates:
        index = rng.choice(candidates)
        counts[index] += 1
        missing -= 1
        if counts[index] == len(COLOURS):
            candidates.remove(index)
    return counts


def build_articles(articles: list[Article]) -> pd.DataFrame:
    """Build the table of articles: H&M's 25 columns, a row for each article."""
    return pd.DataFrame([_build_row(article) for article in articles], columns=list(COLUMNS))


def _build_row(article: Article) -> tuple[object, ...]:
    number, name, group, garment_group_no, garment_group = _TYPE[article.garment.type]
    index_code, index, index_group_no, index_group, section_no, section, department_no, department = _INDEX[
        "Garment" if group.startswith("Garment") else "Other"
    ]
    return (
        article.article_id,
        article.product_code,
        article.name,
        number,
        name,
        group,
        *_PATTERN[article.garment.pattern],
        *_COLOUR[article.garment.colour],
        department_no,
        department,
        index_code,
        index,
        index_group_no,
        index_group,
        section_no,
        section,
        garment_group_no,
        garment_group,
        article.description or None,
    )


def build_truth(articles: list[Article]) -> pd.DataFrame:
    """Build the table of true attributes: a row for each article, a column for each attribute.

    The pictures show all of them but the material (`VISIBLE` and `INVISIBLE` of catalogue/descriptions/vocabulary.py).
    It also holds a second description. Only evaluation may read it.
    """
    names = [*VISIBLE, *INVISIBLE]
    rows = [
        (article.article_id, *(getattr(article.garment, name) for name in names), article.second_description)
        for article in articles
    ]
    return pd.DataFrame(rows, columns=["article_id", *names, "second_description"])
