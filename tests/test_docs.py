"""README, CONTRIBUTING and docs: short lines and paragraphs, and links to what exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LONGEST_LINE = 160
LONGEST_PARAGRAPH = 5  # lines
NESTED = re.compile(r"\([^()]*\([^()]*\)")
HOUSE_WORDS = re.compile(r"\b(wings?|roof|ground floor|as it comes|whoever|whatever)\b", re.IGNORECASE)


def prose(page: Path) -> list[str]:
    """Return the page's lines outside of code blocks; a code line becomes an empty one."""
    lines, in_code = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        fence = line.startswith("```")
        lines.append("" if in_code or fence else line)
        in_code ^= fence
    return lines


def paragraphs(page: Path) -> list[list[str]]:
    """Return the runs of lines that are neither blank nor rows of a table, list items apart."""
    runs: list[list[str]] = [[]]
    for line in prose(page):
        if not line.strip() or line.startswith(("|", "#", "[")):
            runs.append([])
        elif re.match(r"\s*(-|\d+\.) ", line):
            runs.append([line])
        else:
            runs[-1].append(line)
    return [lines for lines in runs if lines]


def plain(line: str) -> str:
    """Return the line without code and without the targets of links."""
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "", line))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_line_is_long(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > LONGEST_LINE] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_paragraph_is_long(page: Path) -> None:
    assert [lines[0] for lines in paragraphs(page) if len(lines) > LONGEST_PARAGRAPH] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_bracket_stands_in_a_bracket(page: Path) -> None:
    texts = [" ".join(map(plain, lines)) for lines in paragraphs(page)]
    assert [text for text in texts if NESTED.search(text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_words_are_the_fields_own(page: Path) -> None:
    assert [line for line in prose(page) if HOUSE_WORDS.search(line)] == []


@pytest.mark.parametrize("path", [*ROOT.glob("*.yaml"), *ROOT.glob("studies/*.yaml")], ids=lambda path: path.name)
def test_parameters_and_stages_are_explained_without_house_words(path: Path) -> None:
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if HOUSE_WORDS.search(line)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_and_headings_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", "\n".join(prose(page))):
        name, _, heading = target.partition("#")
        path = (page.parent / name) if name else page
        if target.startswith("http"):
            continue
        if not path.exists() or (heading and heading not in headings(path)):
            broken.append(target)
    assert broken == []


def headings(page: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them."""
    titles = [line.lstrip("# ") for line in prose(page) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_folders_that_the_readme_and_contributing_name_exist() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        names = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", (ROOT / page).read_text(encoding="utf-8"))
        outputs = ("data/", "metrics/", "reports/")
        assert [name for name in names if not (ROOT / name).exists() and not name.startswith(outputs)] == [], page
