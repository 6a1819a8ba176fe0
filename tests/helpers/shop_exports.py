"""Writes a shop of twelve garments as Shopify, WooCommerce, Magento, PrestaShop and Google Merchant export it.

Every product comes in two sizes; garments 2 and 3 also in two colours. All exports are of the same shop, so that what
Lookbook makes of each can be compared.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

COLOURS = ("Red", "Blue", "Green", "Black", "White", "Grey")
TYPES = ("Dresses", "Shirts")
SIZES = ("S", "M")
ADDRESS = "https://shop.example/files"
SEVERAL = ("Red", "Navy Blue")


@dataclass(frozen=True)
class Garment:
    """A garment of the shop."""

    number: int

    @property
    def type(self) -> str:
        return TYPES[self.number % 2]

    @property
    def colours(self) -> Sequence[str]:
        return SEVERAL if self.number in (2, 3) else (COLOURS[self.number % 6],)

    @property
    def word(self) -> str:
        return {"Dresses": "dress", "Shirts": "shirt"}[self.type]

    @property
    def title(self) -> str:
        return f"Linen {self.word} {self.number}"

    @property
    def text(self) -> str:
        return f"A {self.word} of washed linen, cut {self.number}"

    @property
    def sku(self) -> str:
        return f"LB-{self.number:02}"

    @property
    def picture(self) -> str:
        return f"linen-{self.number:02}.jpg"

    @property
    def variants(self) -> list[tuple[str, str, str]]:
        """Return SKU, colour and size of each variant."""
        return [(f"{self.sku}-{c[0]}{s}", c, s) for c in self.colours for s in SIZES]


GARMENTS = [Garment(number) for number in range(12)]
BOUGHT = [
    (f"c{user}", (user * 5 + step * 7) % 12, f"2024-0{1 + step}-1{user}") for user in range(8) for step in range(4)
]
"""Customer, number of the garment, and day."""
MANY_GARMENTS = [Garment(number) for number in range(120)]
MANY_BOUGHT = [
    (f"c{user}", (user * 5 + step * 7) % 120, f"2024-{1 + step:02}-{10 + user % 18}")
    for user in range(60)
    for step in range(12)
]
"""The same for a shop that is large enough to learn from."""


def name_bought(number: int) -> tuple[str, str]:
    """Return SKU and title of what was bought: the last variant of a garment."""
    return GARMENTS[number].variants[-1][0], GARMENTS[number].title


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])


def write_pictures(folder: Path, name: Callable[[Garment], str] = lambda garment: garment.picture) -> None:
    """Draw a picture of each garment."""
    for garment in GARMENTS:
        path = folder / name(garment)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 40), (garment.number * 20 % 256, 90, 160)).save(path)


def write_shopify(folder: Path) -> None:
    """Write products_export.csv (text in the first row of a product alone), orders_export.csv and photos/."""
    options = "Option1 Name,Option1 Value,Option2 Name,Option2 Value"
    header = f"Handle,Title,Body (HTML),Type,{options},Variant SKU,Variant Price,Image Src,Image Position"
    rows: list[Sequence[object]] = []
    for garment in GARMENTS:
        handle = garment.title.lower().replace(" ", "-")
        for index, (sku, colour, size) in enumerate(garment.variants):
            first = index == 0
            text = [garment.title, f"<p>{garment.text}</p>", garment.type] if first else ["", "", ""]
            chosen = ["Color" if first else "", colour, "Size" if first else "", size]
            image = [f"{ADDRESS}/{garment.picture}?v=17", 1] if first else ["", ""]
            rows.append([handle, *text, *chosen, sku, "49.90", *image])
        rows.append([handle, *[""] * 9, f"{ADDRESS}/back-{garment.picture}?v=17", 2])
    write_rows(folder / "products_export.csv", header.split(","), rows)
    orders = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem sku,Cancelled at"
    rows = []
    for order, start in enumerate(range(0, len(BOUGHT), 2)):
        for row, (user, number, day) in enumerate(BOUGHT[start : start + 2]):
            garment = GARMENTS[number]
            sku = garment.variants[0][0] if number % 3 else ""  # a third has no SKU, and is known by its title
            moment = f"{day} 09:50:26 +0200"
            stated = [f"{user}@mail.example", "paid", moment] if row == 0 else ["", "", ""]
            rows.append([f"#{1000 + order}", *stated, 1, f"{garment.title} - Red / S", sku, ""])
    moment = "2024-05-01 10:00:00 +0200"
    rows.append(["#2000", "c1@mail.example", "voided", moment, 1, GARMENTS[0].title, "", "2024-05-02"])
    write_rows(folder / "orders_export.csv", orders.split(","), rows)
    write_pictures(folder / "photos")


def write_woocommerce(folder: Path) -> None:
    """Write the product export with variations below their products, an order export and pictures/."""
    header = "ID,Type,SKU,Name,Published,Short description,Description,In stock?,Regular price,Categories,Images,Parent"
    names = [*header.split(","), "Attribute 1 name", "Attribute 1 value(s)"]
    rows: list[Sequence[object]] = []
    for garment in GARMENTS:
        identity = 100 + 10 * garment.number
        text = [garment.title, 1, "Washed linen", f"<p>{garment.text}</p>", 1, ""]
        images = f"{ADDRESS}/{garment.picture}, {ADDRESS}/back-{garment.picture}"
        more = [f"Clothing, Clothing > {garment.type}", images, "", "Color", ", ".join(garment.colours)]
        rows.append([identity, "variable", garment.sku, *text, *more])
        for index, (sku, colour, size) in enumerate(garment.variants, 1):
            name = f"{garment.title} - {colour}, {size}"
            parent = garment.sku if index % 2 else f"id:{identity}"
            more = ["", "", 1, "49.90", "", "", parent, "Color", colour]
            rows.append([identity + index, "variation", sku, name, 1, *more])
    write_rows(folder / "wc-product-export.csv", names, rows)
    orders = "Order Number,Order Status,Order Date,Email (Billing),Item #,SKU,Item Name,Quantity (- Refund)"
    rows = [
        [900 + n, "wc-completed", f"{day} 10:00", f"{user}@mail.example", 1, *name_bought(g), 1]
        for n, (user, g, day) in enumerate(BOUGHT)
    ]
    rows.append([990, "wc-cancelled", "2024-05-01 10:00", "c1@mail.example", 1, GARMENTS[0].sku, GARMENTS[0].title, 1])
    write_rows(folder / "orders-2024.csv", orders.split(","), rows)
    write_pictures(folder / "pictures")


def write_magento(folder: Path) -> None:
    """Write catalog_product.csv (variants, then their configurable, then a translation), orders and media/."""
    header = "sku,store_view_code,attribute_set_code,product_type,categories,name,description,price,base_image"
    names = [*header.split(","), "additional_attributes", "configurable_variations"]
    rows: list[Sequence[object]] = []
    for garment in GARMENTS:
        image = f"/l/i/{garment.picture}"
        paths = f"Default Category/Women,Default Category/Women/{garment.type}"
        for sku, colour, size in garment.variants:
            more = ["", "49.90", image, f"color={colour},size={size}", ""]
            rows.append([sku, "", "Top", "simple", paths, f"{garment.title} {colour} {size}", *more])
        variations = "|".join(f"sku={sku},color={colour},size={size}" for sku, colour, size in garment.variants)
        text = [garment.title, f"<p>{garment.text}</p>"]
        rows.append([garment.sku, "", "Top", "configurable", paths, *text, "", image, "season=summer", variations])
        rows.append([garment.sku, "de", "Top", "configurable", "", "Leinen", "<p>Gewaschen</p>", "", "", "", ""])
    write_rows(folder / "catalog_product.csv", names, rows)
    orders = "increment_id,created_at,status,customer_email,sku,name,qty_ordered"
    rows = [
        [f"{n:09}", f"{day} 10:00:00", "complete", f"{user}@mail.example", *name_bought(g), 1]
        for n, (user, g, day) in enumerate(BOUGHT)
    ]
    write_rows(folder / "sales_order_items.csv", orders.split(","), rows)
    write_pictures(folder / "media/catalog/product/l/i")


def write_prestashop(folder: Path) -> None:
    """Write products with semicolons as PrestaShop's sample import has them, order details, and pictures by id."""
    header = "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Reference #;Summary;Description"
    names = [*header.split(";"), "Image URLs (x,y,z...)"]
    rows = [
        [
            *(1 + garment.number, 1, garment.title, f"Home,{garment.type}", "49.90", garment.sku, "Washed linen"),
            *(f"<p>{garment.text}</p>", f"{ADDRESS}/{40 + garment.number}.jpg,{ADDRESS}/{80 + garment.number}.jpg"),
        ]
        for garment in GARMENTS
    ]
    write_rows(folder / "products.csv", names, rows, ";")
    rows = [[50 + n, f"{day} 10:00:00", user, GARMENTS[g].sku, 1] for n, (user, g, day) in enumerate(BOUGHT)]
    names = ["id_order", "date_add", "id_customer", "product_reference", "product_quantity"]
    write_rows(folder / "order_details.csv", names, rows, ";")
    write_pictures(folder / "pictures", lambda garment: f"{1 + garment.number}.jpg")


def write_google(folder: Path) -> None:
    """Write a feed with tabs, a row for each colour; pictures are named by id. It has no orders."""
    names = ["id", "title", "description", "link", "image_link", "item_group_id", "color", "product_type", "price"]
    rows = [
        [
            *(f"{garment.sku}-{colour[0]}", garment.title, garment.text, f"{ADDRESS}/{garment.number}"),
            *(f"{ADDRESS}/{garment.picture}", garment.sku, colour, f"Women > {garment.type}", "49.90 EUR"),
        ]
        for garment in GARMENTS
        for colour in garment.colours
    ]
    write_rows(folder / "feed.tsv", names, rows, "\t")
    write_pictures(folder / "pictures")


WRITERS: dict[str, Callable[[Path], None]] = {
    "shopify": write_shopify,
    "woocommerce": write_woocommerce,
    "magento": write_magento,
    "prestashop": write_prestashop,
}
