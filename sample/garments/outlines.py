"""The outlines of garments, and the measures that outlines and details share; in pixels of the canvas."""

from sample.garments.attributes import Garment
from sample.garments.canvas import Box, Point, Silhouette

UPPER_BODY = ("t-shirt", "shirt", "jumper", "hoodie", "jacket", "vest top")
WAISTS = {"dress": 42, "trousers": 4, "shorts": 24, "skirt": 10}  # type -> the top of its waist or waistband


def measure_half_width(garment: Garment) -> float:
    """Measure half the width of an upper body."""
    half = {"vest top": 12, "jacket": 15, "jumper": 14}.get(garment.type, 13)
    return half + {"wide": 4, "slim": -3}.get(garment.fit or "", 0)


def measure_hem(garment: Garment) -> float:
    """Measure how low a garment with a hem reaches."""
    length = garment.length or ""
    if garment.type == "dress":
        return {"short": 60, "knee": 75, "long": 93}.get(length, 75)
    if garment.type == "skirt":
        return {"short": 38, "knee": 62, "long": 92}.get(length, 62)
    if garment.type == "trousers":
        return {"ankle": 72, "long": 93}.get(length, 93)
    if garment.type == "shorts":
        return {"short": 58, "knee": 72}.get(length, 58)
    short, long = {"vest top": (48, 74), "jacket": (58, 93)}.get(garment.type, (54, 82))
    return short if length == "short" else long


def locate_sleeve(garment: Garment) -> list[Point]:
    """Locate the corners of the left sleeve: shoulder, outer cuff, inner cuff, armpit; none without sleeves."""
    if garment.sleeve not in ("short", "long"):
        return []
    if garment.type == "dress":
        return (
            [(22, 12), (10, 27), (16, 34), (25, 26)]
            if garment.sleeve == "short"
            else [(22, 12), (8, 56), (15, 58), (25, 28)]
        )
    left, thick = 32 - measure_half_width(garment), 2 if garment.type in ("jumper", "hoodie", "jacket") else 0
    if garment.sleeve == "short":
        return [(left, 19), (left - 9, 35), (left - 1, 40 + thick), (left + 4, 36 + thick)]
    return [(left, 19), (left - 9 - thick / 2, 67), (left - 2, 70), (left + 4, 38 + thick)]


def locate_bag(garment: Garment) -> Box:
    """Locate the body of a bag."""
    half, height = {("short", "wide"): (17, 20), ("short", "slim"): (9, 28), ("long", "wide"): (27, 36)}.get(
        (garment.length or "", garment.fit or ""), (16, 48)
    )
    bottom = 84 if garment.length == "long" else 76
    return 32 - half, bottom - height, 32 + half, bottom


def draw_outline(garment: Garment, shape: Silhouette) -> None:
    """Draw the outline of a garment, with the opening of its neck cut out."""
    if garment.type in UPPER_BODY:
        _draw_upper_body(garment, shape)
    elif garment.type == "dress":
        _draw_dress(garment, shape)
    elif garment.type in ("trousers", "shorts", "skirt"):
        _draw_lower_body(garment, shape)
    elif garment.type in ("sneakers", "boots"):
        _draw_shoe(garment, shape)
    else:
        _draw_accessory(garment, shape)
    _cut_neck(garment, shape)


def _draw_upper_body(garment: Garment, shape: Silhouette) -> None:
    half, hem = measure_half_width(garment), measure_hem(garment)
    if garment.type == "vest top":
        shape.both_sides((32, 14), (23, 14), (32 - half, 34), (32 - half, hem), (32, hem))
        return
    shape.both_sides((32, 15), (26, 15), (32 - half, 19), (32 - half, hem), (32, hem))
    if garment.type == "shirt":  # a curved hem, longer in the middle
        shape.ellipse(32 - half + 2, hem - 8, 30 + half, hem + 7)
    sleeve = locate_sleeve(garment)
    if sleeve:
        shape.both_sides(*sleeve)


def _draw_dress(garment: Garment, shape: Silhouette) -> None:
    waist, hem, half = WAISTS["dress"], measure_hem(garment), 11 if garment.fit == "slim" else 23
    shoulder = 24 if garment.sleeve == "none" else 22
    shape.both_sides((32, 12), (shoulder, 12), (22, 28), (24, waist + 2), (32, waist + 2))
    shape.both_sides((32, waist), (24, waist), (32 - half, hem), (32, hem))
    sleeve = locate_sleeve(garment)
    if sleeve:
        shape.both_sides(*sleeve)


def _draw_lower_body(garment: Garment, shape: Silhouette) -> None:
    wide, top, hem = garment.fit == "wide", WAISTS[garment.type], measure_hem(garment)
    if garment.type == "skirt":
        half = 24 if wide else 12
        shape.both_sides((32, top), (22, top), (32 - half, hem), (32, hem))
        return
    trousers = garment.type == "trousers"
    crotch, outer = top + (30 if trousers else 22), 9 if wide else 19 if trousers else 17
    shape.both_sides((32, top), (21, top), (19, crotch + 2), (32, crotch + 2))
    shape.both_sides((19, crotch), (32, crotch), (29, hem), (outer, hem))


def _draw_shoe(garment: Garment, shape: Silhouette) -> None:
    if garment.type == "sneakers":
        if garment.length == "long":
            shape.polygon((8, 24), (25, 24), (27, 52), (8, 56))
        shape.polygon((8, 52), (24, 47), (40, 58), (54, 61), (57, 68), (8, 68))
        return
    top = 42 if garment.length == "short" else 6
    shape.polygon((17, top), (36, top), (36, 62), (52, 68), (56, 78), (17, 78))


def _draw_accessory(garment: Garment, shape: Silhouette) -> None:
    if garment.type == "bag":
        left, top, right, bottom = locate_bag(garment)
        shape.polygon((left, top), (right, top), (right + 2, bottom), (left - 2, bottom))
        reach = min(11, (right - left) / 2 - 3)
        shape.arc((32 - reach, top - 22, 32 + reach, top + 22), 3)
    elif garment.type == "cap":
        shape.half_disc((10, 28, 46, 80))
        end = 61 if garment.length == "long" else 51
        shape.polygon((38, 50), (end, 55), (end, 59), (38, 55))
    elif garment.type == "felt hat":
        shape.half_disc((20, 30, 44, 78))
        shape.ellipse(4, 48, 60, 60)
    elif garment.type == "tie":
        shape.polygon((28, 8), (36, 8), (34, 18), (30, 18))
        shape.polygon((30, 18), (34, 18), (40, 78), (32, 90), (24, 78))
    elif garment.type == "blanket":
        shape.polygon((6, 20), (58, 14), (58, 76), (6, 82))
    else:
        shape.ellipse(12, 28, 52, 68)
        shape.both_sides((10, 26), (32, 32), (32, 64), (10, 70))


def _cut_neck(garment: Garment, shape: Silhouette) -> None:
    top = 12 if garment.type in ("dress", "vest top") else 15
    if garment.neck == "round":
        shape.ellipse(25, top - 12, 39, top + 11, fill=0)
    elif garment.neck == "v":
        shape.polygon((25, top - 4), (39, top - 4), (39, top), (32, top + 25), (25, top), fill=0)
    elif garment.neck == "roll":
        shape.polygon((25, top - 11), (39, top - 11), (40, top + 5), (24, top + 5))
    elif garment.neck == "stand":
        shape.polygon((24, top - 8), (40, top - 8), (41, top + 5), (23, top + 5))
    elif garment.neck == "hood":
        shape.ellipse(17, 0, 47, 28)
        shape.ellipse(24, 5, 40, 26, fill=0)
