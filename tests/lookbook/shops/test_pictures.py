"""Each item gets its own picture: by the name in its row, else by a file named after it; addresses are not fetched."""

import unicodedata
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookbook.shops.items import Items, build_items, choose_item_columns
from lookbook.shops.pictures import Pictures, find_pictures, fold, list_downloads, split_cell
from lookbook.shops.tables import read_table
from pipeline.core.errors import UserError
from tests.helpers.shop_exports import write_rows

ADDRESS = "https://shop.example/files"
SEPARATORS = st.sampled_from("|;,")


def find(tmp_path: Path, files: list[str], rows: list[list[str]]) -> tuple[list[str | None], list[str]]:
    """Return the picture of each row (id, image), where these files are the pictures."""
    for name in files:
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / name).touch()
    found, notes = find_pictures(make_items(tmp_path, rows), Pictures(tmp_path / "pictures"))
    return found.tolist(), notes


def test_all_pictures_of_an_item_are_found_where_all_count(tmp_path: Path) -> None:
    """Those that its row names, else those named after it; none of another item."""
    files = ["a.jpg", "b.jpg", "7.jpg", "7-1.jpg", "7-2.jpg", "8_2.jpg", "8_10.jpg", "9.jpg"]
    for name in files:
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures" / name).touch()
    rows = [["1", "b.jpg, a.jpg, lost.jpg"], ["2", "9.jpg"]]
    found, notes = find_pictures(make_items(tmp_path, rows), Pictures(tmp_path / "pictures"), further=True)
    assert found.tolist() == ["b.jpg|a.jpg", "9.jpg"]
    assert notes[0] == "1 item(s) have several pictures: image features are of all, captions of the first"
    assert notes[1] == "1 picture(s) that rows name are not there"
    assert "5 picture(s) are of no item" in notes[2]
    found, notes = find_pictures(
        make_items(tmp_path, [["7", ""], ["7-2", ""], ["8", ""]]), Pictures(tmp_path / "pictures"), True
    )
    assert found.tolist() == ["7.jpg|7-1.jpg", "7-2.jpg", "8_2.jpg|8_10.jpg"]
    assert notes[0].startswith("2 item(s) have several pictures: image features")


def test_pictures_in_folders_of_items_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    files = ["1/10.jpg", "1/2.jpg", "2/1.jpg"]
    for name in files:
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / name).touch()
    found, _ = find_pictures(make_items(tmp_path, [["1", ""], ["2", ""]]), Pictures(tmp_path / "pictures"), True)
    assert found.tolist() == ["1/2.jpg|1/10.jpg", "2/1.jpg"]


def test_a_picture_is_of_one_item_where_ids_of_two_columns_are_the_same_numbers(tmp_path: Path) -> None:
    """Product ids 1 to 4 and SKUs 3 to 6: the picture 3.jpg is of product 3, not of the one with SKU 3."""
    rows = [[str(number), str(number + 2), "a dress"] for number in range(1, 5)]
    write_rows(tmp_path / "products.csv", ["product_id", "sku", "title"], rows)
    table = read_table(tmp_path / "products.csv")
    (tmp_path / "pictures").mkdir()
    for number in range(1, 5):
        (tmp_path / f"pictures/{number}.jpg").touch()
    items = build_items(table, *choose_item_columns(table, {}))
    assert find_pictures(items, Pictures(tmp_path / "pictures"))[0].tolist() == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]


def test_pictures_none_of_which_is_of_an_item_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no picture is named after an item: there is IMG_1\.jpg, and .* has id 1; name"
    ):
        find(tmp_path, ["IMG_1.jpg"], [["1", ""]])


def make_items(tmp_path: Path, rows: list[list[str]]) -> Items:
    write_rows(tmp_path / "products.csv", ["id", "title", "image"], [[row[0], "a dress", row[1]] for row in rows])
    table = read_table(tmp_path / "products.csv")
    return build_items(table, *choose_item_columns(table, {}))


@pytest.mark.parametrize(
    ("files", "rows", "expected"),
    [
        (["1.jpg", "2.png"], [["1", ""], ["2", ""], ["3", ""]], ["1.jpg", "2.png", None]),
        (["a/B7.JPG"], [["b7", ""]], ["a/B7.JPG"]),
        (["7_2.jpg", "7_1.jpg", "7_10.jpg"], [["7", ""]], ["7_1.jpg"]),
        (["7.jpg", "7-1.jpg"], [["7", ""], ["7-1", ""]], ["7.jpg", "7-1.jpg"]),
        (["7-1.jpg"], [["7", ""], ["7-1", ""]], [None, "7-1.jpg"]),
        (["m/b/mb01.jpg"], [["1", "/m/b/mb01.jpg"]], ["m/b/mb01.jpg"]),
        (["x/mb01.jpg"], [["1", "/m/b/mb01.jpg"]], ["x/mb01.jpg"]),
        (["red dress.jpg"], [["1", f"{ADDRESS}/red%20dress.jpg?v=3"]], ["red dress.jpg"]),
        (["a.jpg", "b.jpg"], [["1", "b.jpg, a.jpg"]], ["b.jpg"]),
        (["x/a.jpg", "y/a.jpg", "1.jpg", "2.jpg"], [["1", "a.jpg"], ["2", ""]], ["1.jpg", "2.jpg"]),
        (["1/2.jpg", "1/10.jpg", "2/3.jpg", "3/1.jpg"], [[n, ""] for n in "123"], ["1/2.jpg", "2/3.jpg", "3/1.jpg"]),
        (["A1/front.jpg", "A2/x.jpg"], [["a1", ""], ["a2", ""]], ["A1/front.jpg", "A2/x.jpg"]),
        ([unicodedata.normalize("NFD", "café.jpg")], [["1", "café.jpg"]], [unicodedata.normalize("NFD", "café.jpg")]),
    ],
)
def test_an_item_gets_its_picture(
    tmp_path: Path, files: list[str], rows: list[list[str]], expected: list[str | None]
) -> None:
    assert find(tmp_path, files, rows)[0] == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["1.jpg", "2.jpg", "3.jpg"], ["1.jpg", "2.jpg", "3.jpg"]),  # as --list-urls names them
        (["2.jpg", "3.jpg", "9.jpg"], ["2.jpg", "3.jpg", "9.jpg"]),  # as the addresses end
    ],
)
def test_a_number_is_an_id_or_the_end_of_an_address_never_both(
    tmp_path: Path, files: list[str], expected: list[str]
) -> None:
    rows = [["1", f"{ADDRESS}/2.jpg"], ["2", f"{ADDRESS}/3.jpg"], ["3", f"{ADDRESS}/9.jpg"]]
    assert find(tmp_path, files, rows)[0] == expected


def test_two_addresses_that_end_alike_match_nothing(tmp_path: Path) -> None:
    rows = [["1", f"{ADDRESS}/1/main.jpg"], ["2", f"{ADDRESS}/2/main.jpg"], ["3", f"{ADDRESS}/red.jpg"]]
    assert find(tmp_path, ["main.jpg", "red.jpg"], rows)[0] == [None, None, "red.jpg"]


def test_what_does_not_match_is_counted_with_the_first_five(tmp_path: Path) -> None:
    _, notes = find(tmp_path, ["1.jpg", "x.jpg"], [[str(number), ""] for number in range(1, 9)])
    assert notes == [
        "7 of 8 items have no picture: 2, 3, 4, 5, 6 …",
        "1 picture(s) are of no item, or further ones: x.jpg",
    ]


def test_addresses_without_their_pictures_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"column image holds addresses .*--list-urls > pictures\.curl"):
        find(tmp_path, ["x.jpg"], [["1", f"{ADDRESS}/1/main.jpg"]])
    with pytest.raises(
        UserError, match=r"none of the pictures of column image is in .* first red\.jpg; there is x\.jpg"
    ):
        find(tmp_path, ["x.jpg"], [["1", "red.jpg"]])


def test_curl_gets_an_address_and_a_file_for_each_item(tmp_path: Path) -> None:
    items = make_items(
        tmp_path, [["A-1", f"{ADDRESS}/red dress.webp?v=1, {ADDRESS}/b.jpg"], ["2", f"{ADDRESS}/photo?id=7"], ["3", ""]]
    )
    assert "\n".join(list_downloads(items, Path("shop/pictures"))).split("\n") == [
        *("create-dirs", "fail"),
        *(f'url = "{ADDRESS}/red%20dress.webp?v=1"', 'output = "shop/pictures/A-1.webp"'),
        *(f'url = "{ADDRESS}/photo?id=7"', 'output = "shop/pictures/2.jpg"'),
    ]
    with pytest.raises(UserError, match=r"id '\.\./x' cannot be a file's name"):
        list(list_downloads(make_items(tmp_path, [["../x", f"{ADDRESS}/a.jpg"]]), Path("pictures")))


def test_hidden_files_of_archives_are_no_pictures(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("photos/1.jpg", "__MACOSX/photos/._1.jpg", "photos/.thumb/1.jpg"):
            archive.writestr(name, b"x")
    assert [Path(name).name for name in Pictures(tmp_path / "photos.zip").names] == ["1.jpg"]


@given(
    st.lists(st.sampled_from(["a.jpg", "b.PNG", f"{ADDRESS}/c.webp", f"{ADDRESS}/d"]), min_size=1),
    st.sampled_from("|;,"),
)
def test_a_cell_of_several_pictures_is_split(names: list[str], separator: str) -> None:
    assert split_cell(separator.join(names)) == names


@given(st.text(st.characters(codec="utf-8"), max_size=8))
def test_a_name_is_the_same_in_either_form_and_case(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))
    assert fold(f" {text} ") == fold(text)
