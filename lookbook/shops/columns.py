"""Which column of a shop's table is what: by its usual names, however they are written."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lookbook.shops.tables import Table

Names = Mapping[str, Sequence[str]]  # what -> usual names of its column, simplified, the likeliest first

ITEM_COLUMNS: Names = {
    "item": (
        *("itemid", "articleid", "productid", "sku", "id", "variantsku", "handle", "itemnumber", "articlenumber"),
        *("productnumber", "itemcode", "offerid", "referencenumber", "reference", "artikelnummer", "artikelnr"),
        *("artnr", "produktid", "idproduit", "referencia", "idproducto", "codiceprodotto", "codice", "item"),
    ),
    "description": (
        *("description", "detaildesc", "productdescription", "itemdescription", "salesdescription", "longdescription"),
        *("bodyhtml", "body", "text", "beschreibung", "artikelbeschreibung", "produktbeschreibung", "descripcion"),
        *("descrizione", "shortdescription", "summary", "kurzbeschreibung", "title", "producttitle", "name"),
        *("productname", "itemname", "bezeichnung", "titel", "titre", "nom", "titulo", "nombre", "titolo", "nome"),
    ),
    "category": (
        *("category", "producttype", "producttypename", "type", "categories", "productcategory", "categoryname"),
        *("articletype", "garmenttype", "googleproductcategory", "kategorie", "kategorien", "warengruppe"),
        *("categorie", "categoria", "categorias"),
    ),
    "product": (
        *("product", "productcode", "productgroup", "group", "style", "model", "parentid", "itemgroupid"),
        *("groupid", "styleid", "parentsku"),
    ),
    "colour": (
        *("colour", "color", "colourgroupname", "colourname", "colorname", "basecolour", "basecolor"),
        *("productcolor", "variantcolor", "farbe", "couleur", "colore", "kleur"),
    ),
    "image": (
        *("image", "imagefile", "filename", "imagepath", "imagename", "picture", "photo", "mainimage", "baseimage"),
        *("imagelink", "imageurl", "imagesrc", "images", "imageurls", "pictures", "photos", "productimage"),
        *("bild", "bilder", "bildurl", "imagen", "immagine"),
    ),
}
ORDER_COLUMNS: Names = {
    "user": (
        *("userid", "customerid", "customer", "customeremail", "email", "emailbilling", "billingemail", "useremail"),
        *("buyer", "buyerid", "client", "clientid", "idcustomer", "customernumber", "kundennummer", "kundennr"),
        *("kundenid", "kunde", "idclient", "cliente", "idcliente", "user"),
    ),
    "purchased": (
        *("itemid", "articleid", "productid", "item", "sku", "lineitemsku", "itemsku", "productsku", "variantsku"),
        *("productreference", "itemproductid", "articlenumber", "productnumber", "itemcode", "artikelnummer"),
        *("artikelnr", "artnr", "produktid", "idproduit", "referencia", "idproducto", "codiceprodotto", "reference"),
        *("product", "productcode", "id"),
    ),
    "day": (
        *("date", "day", "tdat", "timestamp", "time", "orderdate", "purchasedate", "createdat", "dateadd"),
        *("orderedat", "purchasedat", "datecreated", "ordertime", "paidat", "datepaid", "invoicedate", "datum"),
        *("bestelldatum", "kaufdatum", "datecommande", "datedecommande", "fecha", "fechapedido", "dataordine"),
    ),
}
REQUIRED = {  # column -> how a message describes it
    "item": "the item's id",
    "description": "the description",
    "user": "the customer",
    "purchased": "the item that was bought",
    "day": "the day",
}
MOST = 0.9
VAGUE = ("group", "style", "model", "product")  # names under which a product or a kind of products may stand
LARGEST_PRODUCT, MOST_KINDS = 3, 30  # items of a product on average, and different values, that tell the two apart
LANGUAGE = re.compile(r"\([a-z]{2}[-_][A-Za-z]{2}\)\s*$")  # OpenCart's name(en-gb)
DAY = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{10,19}$")


@dataclass
class Choice:
    """The columns of a table that were chosen.

    Attributes:
        columns: what -> name of the column; "" where there is none.
        named: What the user named.
        missing: What is required and was not found.
        unknown: What the user named and the table does not have: what -> the name.
    """

    columns: dict[str, str]
    named: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


def simplify(name: str) -> str:
    """Simplify the name of a column: case, spaces, underscores, hyphens, accents and a language make no difference.

    >>> simplify("Product ID"), simplify("product_id"), simplify("Item #"), simplify("Body (HTML)")
    ('productid', 'productid', 'itemnumber', 'bodyhtml')
    >>> simplify("Descripción"), simplify("description(en-gb)")
    ('descripcion', 'description')
    """
    text = unicodedata.normalize("NFKC", LANGUAGE.sub("", name)).casefold().replace("#", "number")
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if letter.isalnum())


def find_column(columns: Sequence[str], name: str) -> str:
    """Find the column with this very name, else the one with this name however written; "" if none or several."""
    if name in columns:
        return name
    alike = [column for column in columns if simplify(column) == simplify(name)]
    return alike[0] if len(alike) == 1 else ""


def choose_columns(table: Table, usual: Names, named: Mapping[str, str]) -> Choice:
    """Choose a column for each thing: the one that the user names, else the first usual name with a value.

    A column that is empty throughout is never guessed, and none is taken for two things, unless the user says so. Nor
    is one with the same value everywhere taken for customers, or one with a few values for products.

    Args:
        table: The table.
        usual: what -> usual names of its column, simplified.
        named: what -> name of the column, where the user names it; "" says that there is none.
    """
    choice = Choice({})
    full = [column for column in table.columns if table.rows[column].notna().any()]
    for what, column in named.items():
        if what in usual:
            choice.named.add(what)
            choice.columns[what] = find_column(table.columns, column) if column else ""
            if column and not choice.columns[what]:
                choice.unknown[what] = column
    for what, names in usual.items():
        if what not in choice.named:
            free = [column for column in full if column not in choice.columns.values()]
            if what == "product":
                free = [column for column in free if not _holds_kinds(table, column)]
            if what == "user":
                free = [column for column in free if len(table.rows) == 1 or table.rows[column].nunique() > 1] or free
            choice.columns[what] = _first(free, names)
        if what in REQUIRED and not choice.columns[what] and what not in choice.unknown:
            choice.missing.append(what)
    choice.columns = {what: choice.columns[what] for what in usual}
    return choice


def suggest_column(table: Table, what: str, taken: Sequence[str]) -> str:
    """Suggest a column by its values, for a message; NAME if none looks right."""
    free = {column: table.rows[column].dropna() for column in table.columns if column not in taken}
    full = {column: values for column, values in free.items() if len(values)}
    looks_right = {
        "item": lambda values: values.is_unique and len(values) == len(table.rows),
        "description": lambda values: values.str.contains(" ").mean() > MOST,
        "user": lambda values: not values.is_unique,
        "purchased": lambda values: not values.is_unique,
        "day": lambda values: values.str.match(DAY).mean() > MOST,
    }.get(what)
    if looks_right is None:
        return "NAME"
    return next((column for column, values in full.items() if looks_right(values)), "NAME")


def _holds_kinds(table: Table, column: str) -> bool:
    """Whether a column with a vague name says of what kind items are, such as Women, and not which are one product."""
    values = table.rows[column].dropna()
    different = values.nunique()
    return simplify(column) in VAGUE and different <= MOST_KINDS and len(values) > LARGEST_PRODUCT * different


def _first(columns: Sequence[str], names: Sequence[str]) -> str:
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(simplify(column), column)
    return next((by_name[name] for name in names if name in by_name), "")
