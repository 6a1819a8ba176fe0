"""The figures and words of pages against the metrics in git; another machine's may differ in the last digit."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import readme
from tests.helpers.arrivals import row_with_finding, write_arrivals

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def read_commit(name: str) -> Any:
    """Read metrics from the last commit, not from the working directory; empty where it has none."""
    command = ["git", "show", f"HEAD:metrics/{name}.json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return json.loads(ended.stdout) if ended.returncode == 0 else {}


@pytest.mark.parametrize("name", readme.PAGES)
def test_every_figure_and_the_answer_are_what_the_study_measured(name: str) -> None:
    """To write them again: python -m tests.helpers.readme."""
    page = (ROOT / name).read_text(encoding="utf-8")
    assert readme.fill(page, read_commit) == page


def test_every_block_has_a_page_and_an_end() -> None:
    pages = "".join((ROOT / name).read_text(encoding="utf-8") for name in readme.PAGES)
    names = re.findall(r"<!-- figures: (\w+) -->", pages)
    assert set(names) == readme.BLOCKS.keys()
    assert pages.count("<!-- end of figures -->") == len(names)


@pytest.fixture
def read_small(tmp_path: Path) -> Any:
    """Return a function that reads small metrics with new arrivals, for the captioners of this study."""
    study = readme.read_study()
    (tmp_path / "data/prepared").mkdir(parents=True)
    _write_items(tmp_path / "data/prepared/items.parquet")
    names = [f"{name}-{features}" for name in study.content_recommenders for features in study.arrival_features]
    write_arrivals(tmp_path, names, list(study.captioners), study.image_features)

    def read(name: str) -> Any:
        path = tmp_path / "metrics" / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else read_commit(name)

    return read


def _write_items(path: Path) -> None:
    import pandas as pd

    ids = [f"{number:010}" for number in range(40)]
    items = pd.DataFrame({"item_id": ids, "original": True, "split": "test", "group": [n // 2 for n in range(40)]})
    items.to_parquet(path, index=False)


@pytest.mark.parametrize("finding", ["better", "worse", "equal", "not shown"])
def test_the_first_screen_follows_from_the_figures(read_small: Any, finding: str) -> None:
    """Whatever they say, without an edit by hand."""
    study = readme.read_study()
    ft, pt = (f"{study.writer}-{variant}" for variant in ("ft", "pt"))
    rows = [row_with_finding(ft, pt, finding, "primary"), row_with_finding(ft, "none", finding, "secondary")]

    def read(name: str) -> Any:
        values = read_small(name)
        if name != "comparison":
            return values
        return values | {"rows": [*(row for row in values["rows"] if row["table"] != "arrivals"), *rows]}

    page = readme.fill(README, read)
    words = {"better": "better than", "worse": "worse than", "equal": "equally well", "not shown": "no difference is"}
    [verdict] = re.findall(r"^- \*\*(.+?)\*\*", page.replace("\n  ", " "), flags=re.MULTILINE)[:1]
    assert words[finding] in verdict
    figures = read("arrivals/" + study.primary.name)["sources"]
    [row] = [line for line in page.splitlines() if line.startswith(f"| FT caption, {study.writer} |")]
    assert f"{figures[ft]['ndcg_12']:.4f}" in row
    assert readme.fill(page, read) == page
    assert readme.fill(page, read_commit) == README


def test_the_diff_has_the_figures_that_other_captions_change(read_small: Any) -> None:
    rows = dict(re.findall(r"^([a-z]\w+) +(\S+) +\S+ +\S+$", readme.write_diff(read_small), flags=re.MULTILINE))
    figures = readme.select_figures(read_small, captions="ft")
    assert {"chosen", "cider", "masked"} <= rows.keys() <= figures.keys()
    assert {key: float(value) for key, value in rows.items()} == {key: round(figures[key], 3) for key in rows}


def test_the_two_commands_are_those_that_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = re.findall(r"```bash\n(.+?)\n```", README, flags=re.DOTALL)[:2]
    assert commands == ["pip install -e '.[test]' && dvc repro", "pytest"]
    assert "-e '.[test]'" in ci
    assert "benchmarks/stages.py" in ci  # dvc repro, with the seconds by stage
