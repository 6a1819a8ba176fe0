"""Every page on a whole study, on parts of one, and on a folder with parameters alone; no browser is needed."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lookbook.app.main import FOLDER, PAGES
from lookbook.views.study import STAGES
from tests.helpers.full import full
from tests.helpers.hostile import HOSTILE
from tests.helpers.repository import ROOT

THERE = [name for name in PAGES if (FOLDER / f"{name}.py").exists()]
OWN = [name for name in THERE if name != "rate"]  # the page Rate has tests of its own


def open_page(name: str, **query: str) -> AppTest:
    """Run a page with these choices in its address."""
    app = AppTest.from_string(f"from lookbook.app.guard import show_page\nshow_page({name!r})", default_timeout=120)
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def read_html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


@pytest.mark.parametrize("name", OWN)
def test_a_page_of_a_whole_study_shows_it(name: str, whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    app = open_page(name)
    assert not app.exception
    html = read_html(app)
    assert html.count("<h1>") == 1
    assert "cannot be shown" not in html
    assert "Not there yet" not in html


@pytest.mark.parametrize("name", OWN)
def test_a_page_of_a_study_that_has_not_run_says_which_stage_makes_what(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    app = open_page(name)
    assert not app.exception
    if name not in ("study", "own_picture"):
        assert re.search(r"dvc repro \w+", read_html(app))


@full
@pytest.mark.slow
@pytest.mark.parametrize("path", [path.as_posix() for path in STAGES])
def test_no_page_fails_for_the_lack_of_one_output(
    path: str, whole_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "part"
    shutil.copytree(whole_study, study, copy_function=lambda source, target: Path(target).symlink_to(source))
    gone = study / path
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    monkeypatch.chdir(study)
    for name in OWN:
        app = open_page(name)
        assert not app.exception, (name, app.exception)


@pytest.mark.parametrize("name", OWN)
def test_hostile_texts_are_shown_as_text(name: str, hostile_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hostile_study)
    app = open_page(name)
    assert not app.exception
    html = read_html(app)
    assert "<script" not in html
    assert "onerror=alert(1)>" not in html
    assert "\u202e" not in html
    if name == "garments":
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert len(HOSTILE[-1]) < len(html)  # long texts are folded, not cut


def test_choices_in_the_address_are_a_view(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    red = read_html(open_page("garments", colour="red", category="dress"))
    assert "6 garments" in red
    assert "item=0000000000&amp;" in red or "item=0000000000" in red
    assert "colour=red" in red  # the link to a garment keeps the selection
    empty = read_html(open_page("garments", text="no such word"))
    assert "No garment is in this selection. Filters set: words: no such word" in empty


def test_counts_stand_beside_the_choices_and_lead_on(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    html = read_html(open_page("garments", colour="red", set="tiny-llava pt"))
    links = re.findall(r'<a href="([^"]*)"><bdi[^>]*>dress</bdi></a> (\d+)', html)
    [(address, count)] = links[:1]
    assert "colour=red" in address
    assert "set=tiny-llava+pt" in address
    assert f"{count} garments" in read_html(open_page("garments", colour="red", category="dress"))


def test_another_study_can_be_compared(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    choices = {"a": "other study: tiny-llava ft", "b": "tiny-llava ft"}
    html = read_html(open_page("compare", other=str(whole_study), **choices))
    assert "cider: other study: tiny-llava ft − tiny-llava ft = +0.0 [" in html
    assert "compare them only where both have the same test garments" in html
    refused = read_html(open_page("compare", other=str(whole_study / "data")))
    assert "give the folder of a study" in refused


def test_captions_are_compared_with_the_descriptions(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    app = open_page("compare", a="tiny-llava ft", b="reference")
    assert not app.exception
    html = read_html(app)
    assert "cider of tiny-llava ft: " in html
    assert "Pairs, lowest score first" in html
    assert html.count("B: ") == html.count('class="lb-card"') == 20
    assert "−0." not in html  # a score is no difference
    assert "Confirmatory: the stage compare tested" in read_html(
        open_page("compare", a="tiny-llava ft", b="tiny-llava pt")
    )
    assert "Exploratory" in read_html(open_page("compare", a="tiny-llava ft", b="tiny-llava pt", category="dress"))
    refused = read_html(open_page("compare", a="reference", b="reference"))
    assert "choose captions for one of them" in refused


def test_what_no_list_can_hold_is_grey_and_said_to_be(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    html = read_html(open_page("customers", experiment="warm", by="by id", customer="customer 4"))
    assert html.count('class="lb-grey"') == html.count("on no list</span>") > 0
    assert "Grey: on no list of this customer" in html
    assert "in soft cotton</bdi></p></li>" in html  # descriptions stand under the pictures
    arrivals = read_html(open_page("customers", by="by id", customer="customer 4"))
    assert "lb-grey" not in arrivals


def test_lists_of_two_recommenders_stand_side_by_side(
    whole_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has one run, and reads no words."""
    study = tmp_path / "study"
    shutil.copytree(whole_study, study)
    lists = pd.read_parquet(study / "data/recommendations/original/vbpr-sbert.parquet")
    lists[lists["run"] == 0].to_parquet(study / "data/recommendations/original/userknn.parquet", index=False)
    monkeypatch.chdir(study)
    app = open_page("customers", experiment="warm", by="at random", recommender="vbpr-sbert", recommender_b="userknn")
    assert not app.exception
    html = read_html(app)
    assert "A: vbpr-sbert, masked-ft" in html
    assert "B: userknn, original" in html
    assert [box.options for box in app.selectbox if box.label == "Run"] == [["0"]]
    assert html.count("no words: the recommender reads none of this arm") >= 12


def test_the_effect_is_named_by_the_cutoff_of_its_scores(
    whole_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "study"
    shutil.copytree(whole_study, study)
    path = study / "data/scores/recommendations.parquet"
    pd.read_parquet(path).rename(columns={"ndcg_12": "ndcg_10"}).to_parquet(path, index=False)
    monkeypatch.chdir(study)
    for experiment, cutoff in (("warm", 10), ("arrivals", 12)):
        app = open_page("customers", experiment=experiment)
        assert not app.exception
        assert f"Customer, and A − B in NDCG@{cutoff}" in [box.label for box in app.selectbox]


@pytest.mark.parametrize("name", ["study", "garment", "compare", "results", "garments", "customers"])
def test_a_page_of_figures_offers_them_as_csv(name: str, whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    assert "As CSV" in [button.label for button in open_page(name).get("download_button")]


def test_customers_are_drawn_from_a_slice_by_a_number(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    shown = [
        re.findall(r"Customer customer (\d+)", read_html(open_page("customers", by="at random", slice=part, draw=draw)))
        for part, draw in (("cold_users", "1"), ("cold_users", "1"), ("cold_users", "2"), ("warm_users", "3"))
    ]
    assert shown[0] == shown[1]
    assert all(int(found[0]) % 3 == 0 for found in shown[:3])
    assert int(shown[3][0]) % 3 > 0


def test_a_garment_has_its_neighbours_in_the_selection(whole_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole_study)
    app = open_page("garment", item="0000000006", split="test")
    [before, after] = [button for button in app.button if button.label in ("Previous", "Next")]
    assert not before.disabled
    after.click().run()
    assert app.query_params["item"] == "0000000009"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_page_is_short_and_no_text_of_data_becomes_markdown(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 150
    written = {"markdown", "write", "caption", "title", "header", "subheader", "info", "warning", "error", "success"}
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in written:
            owner = call.func.value
            if isinstance(owner, ast.Name) and owner.id == "st":
                assert all(isinstance(value, ast.Constant) for value in call.args), ast.unparse(call)


@pytest.mark.slow
def test_no_page_imports_torch(whole_study: Path) -> None:
    """In a process of its own: other tests import torch in this one."""
    program = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        f"for name in {OWN}:\n"
        "    page = f'from lookbook.app.guard import show_page\\nshow_page({name!r})'\n"
        "    assert not AppTest.from_string(page, default_timeout=120).run().exception, name\n"
        "import lookbook.app.server\n"
        "assert 'torch' not in sys.modules\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=whole_study, capture_output=True, text=True, env=_environment()
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}
