"""The application in Chromium: no console error, nothing off this machine, nothing that axe-core finds, notes kept.

Needs Playwright and Debian's chromium. It fails where they are missing, unless LOOKBOOK_NO_BROWSER=1.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lookbook.ratings.rounds import ROUNDS, Round, write_round
from lookbook.ratings.store import PATH, Store
from tests.helpers.repository import ROOT
from tests.helpers.viewed_study import write_viewed_study

NO_BROWSER = os.environ.get("LOOKBOOK_NO_BROWSER") == "1"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(NO_BROWSER, reason="LOOKBOOK_NO_BROWSER=1")]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
PAGES = ("", "garments", "garment", "compare", "rate", "results", "customers", "own_picture")
PROBE = "/_stcore/"  # Streamlit's page asks below its own address first, and is answered with 404
OF_STREAMLIT = "[data-testid=stFileUploaderDropzone]"  # its role says that it is nothing, and it takes the focus
SIDE = 44  # pixels that what one clicks on is high, so that a finger meets it
SMALL_TARGETS = """side => [...document.querySelectorAll(
    'a[href], button:not([disabled]), summary, input:not([type=hidden]), textarea, [role=tab], [role=slider]'
  )].map(element => [element.closest('label') || element, element])
    .filter(([target, element]) => {
      const box = target.getBoundingClientRect();
      const shown = box.width > 1 && box.height > 1 && getComputedStyle(element).visibility != 'hidden';
      return shown && box.height < side - .5;
    }).map(([target]) => target.outerHTML.slice(0, 200))"""
SECONDS = 180_000  # milliseconds to wait on a busy machine


@contextmanager
def serve(study: Path) -> Iterator[str]:
    """Run `lookbook app` on a study, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lookbook.cli.main", "app", "--port", str(port), "--rater", "tester"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, cwd=study, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[0]
        _wait(f"{address}/_stcore/health")
        yield address
    finally:
        server.terminate()
        server.wait(30)
        assert server.stdout is not None
        server.stdout.close()


def _wait(address: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{address} does not answer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "no chromium: apt-get install chromium, or set LOOKBOOK_NO_BROWSER=1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(write_viewed_study(tmp_path_factory.mktemp("browser") / "study", hostile=True)) as address:
        yield address


class Watched:
    """A browser window that remembers console errors and requests to other machines."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(bypass_csp=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(SECONDS)
        self.errors: list[str] = []
        self.strangers: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message: Any) -> None:
        if message.type == "error" and PROBE not in message.location.get("url", ""):
            self.errors.append(message.text)

    def _see(self, request: Any) -> None:
        if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:", request.url):
            self.strangers.append(request.url)

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector("h1")
        self.settle()

    def settle(self) -> None:
        """Wait until Streamlit has run the page."""
        self.page.wait_for_timeout(500)
        self.page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')")
        self.page.wait_for_timeout(500)

    def find_faults(self) -> list[str]:
        self.page.evaluate(AXE)
        found = self.page.evaluate("own => axe.run({include: document, exclude: [own]})", OF_STREAMLIT)
        return [f"{fault['id']}: {fault['nodes'][0]['html'][:200]}" for fault in found["violations"]]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_pages_are_accessible_and_fetch_nothing_from_elsewhere(
    browser: Any, address: str, scheme: str, width: int
) -> None:
    window = Watched(browser, color_scheme=scheme, viewport={"width": width, "height": 900})
    for page in PAGES:
        window.open(f"{address}/{page}")
        assert window.find_faults() == [], page
        assert window.page.evaluate("document.documentElement.scrollWidth") <= width, page
        for summary in window.page.locator("[data-testid=stExpander] summary").all():
            summary.click()
        window.settle()
        assert window.page.evaluate(SMALL_TARGETS, SIDE) == [], page
    window.context.close()
    assert window.errors == []
    assert window.strangers == []


def test_intervals_are_drawn(browser: Any, address: str) -> None:
    """Streamlit drops what it does not take for HTML, SVG among it."""
    window = Watched(browser)
    window.open(f"{address}/results?table=arrivals")
    assert window.page.locator(".lb-dot").count() == 40
    drawn = window.page.locator(".lb-line .lb-span").first.bounding_box()
    assert drawn is not None
    assert drawn["width"] > 10
    window.context.close()


def test_a_filter_leads_to_a_garment_and_back_to_its_neighbour(browser: Any, address: str) -> None:
    window = Watched(browser)
    window.open(f"{address}/garments?split=test&sort=FT+%E2%88%92+PT+of+a+score")
    cards = window.page.locator(".lb-card a")
    first, second = cards.nth(0).inner_text(), cards.nth(1).inner_text()
    cards.nth(0).click()
    window.page.wait_for_url("**/garment?**")
    window.page.locator(".lb-garment h2", has_text=first).wait_for()
    window.settle()
    window.page.keyboard.press("ArrowRight")
    window.page.locator(".lb-garment h2", has_text=second).wait_for()
    assert f"item={second}" in window.page.url
    window.context.close()


def test_a_note_survives_a_restart_and_two_windows_lose_nothing(browser: Any, tmp_path: Path) -> None:
    study = write_viewed_study(tmp_path / "study")
    with serve(study) as address:
        one, two = Watched(browser), Watched(browser)
        for window in (one, two):
            window.open(f"{address}/garment?item=0000000006")
        _save(one, "first <b>note</b>")
        one.page.get_by_text("Saved, version 1").wait_for()
        _save(two, "second")
        alert = two.page.get_by_role("alert")
        alert.wait_for()
        assert "first <b>note</b>" in alert.inner_text()
        assert "second" in alert.inner_text()
        assert two.page.get_by_label("My note").input_value() == "second"
        _save(two, "first and second")
        two.page.get_by_text("Saved, version 2").wait_for()
        one.context.close()
        two.context.close()
    with serve(study) as address:
        window = Watched(browser)
        window.open(f"{address}/garment?item=0000000006")
        assert window.page.get_by_label("My note").input_value() == "first and second"
        window.open(f"{address}/garments?only=has+a+note")
        assert window.page.locator(".lb-card").count() == 1
        window.context.close()


def _save(window: Watched, text: str) -> None:
    window.page.get_by_label("My note").fill(text)
    window.page.get_by_role("button", name="Save the note").click()
    window.settle()


def test_six_pairs_are_rated_by_keyboard_alone_and_a_restart_loses_none(browser: Any, tmp_path: Path) -> None:
    study = write_viewed_study(tmp_path / "study")
    own = Round(a="tiny-llava-ft", b="tiny-llava-pt", items=6, repeats=0.0)
    write_round(study / ROUNDS, "first", own)
    store = Store(study / PATH)
    with serve(study) as address:
        window = Watched(browser)
        window.open(f"{address}/rate")
        for given, key in enumerate("123"):
            _press(window, key, given + 1)
        _press(window, "Backspace", 2)
        _press(window, "4", 3)
        window.context.close()
    assert sorted(row.verdict for row in store.list_judgements("first")) == ["bad", "left", "right"]
    with serve(study) as address:
        window = Watched(browser)
        window.open(f"{address}/rate")
        window.page.get_by_text("3 of 6").wait_for()
        for given, key in enumerate("12"):
            _press(window, key, given + 4)
        window.page.keyboard.press("1")
        window.page.get_by_text("Could you tell which caption was which?").wait_for()
        window.settle()
        _tab_to(window, "radio")
        window.page.keyboard.press("ArrowRight")
        _tab_to(window, "text")
        window.page.keyboard.type("buyer 1")
        _tab_to(window, "Finish the round")
        window.page.keyboard.press("Enter")
        window.page.get_by_text("Thank you.").wait_for()
        assert window.errors == []
        assert window.find_faults() == []
        window.context.close()
    assert len(store.list_judgements("first")) == 6
    answers = store.list_answers("first", "tester")
    assert (answers["told_apart"], answers["role"]) == ("sometimes", "buyer 1")
    assert len((study / "ratings/judgements.csv").read_text().splitlines()) == 7
    with serve(study) as address:
        window = Watched(browser)
        window.open(f"{address}/rate")
        window.page.get_by_text("tiny-llava-ft over tiny-llava-pt").wait_for()
        window.context.close()


def _press(window: Watched, key: str, given: int) -> None:
    """Press a key, and wait until so many pairs are said to be given."""
    window.page.keyboard.press(key)
    window.page.get_by_text(f"{given} of 6").wait_for()
    window.settle()


def _tab_to(window: Watched, what: str) -> None:
    """Press Tab until a control of this kind, or with this text, has the focus and shows it."""
    for _ in range(40):
        window.page.keyboard.press("Tab")
        found = window.page.evaluate("[document.activeElement.type, document.activeElement.textContent.trim()]")
        if what in found:
            return
    raise AssertionError(f"Tab does not reach {what}")


def test_a_picture_of_ones_own_is_captioned(browser: Any, tmp_path: Path) -> None:
    from PIL import Image

    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/models").symlink_to(ROOT / "data/models")
    Image.new("RGB", (200, 300), (180, 30, 30)).save(tmp_path / "own.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with serve(tmp_path) as address:
        window = Watched(browser)
        window.open(f"{address}/own_picture?captioner=tiny-llava")
        window.page.locator("input[type=file]").set_input_files(tmp_path / "own.png")
        window.page.get_by_text("Captions by tiny-llava").wait_for()
        shown = window.page.get_by_role("status").last.inner_text()
        assert len(shown.splitlines()[2]) > 3
        assert "dvc repro caption_train@tiny-llava" in shown
        assert not (tmp_path / "own_pictures").exists()
        window.page.get_by_role("button", name="Keep the picture").click()
        window.page.get_by_text("Kept as").wait_for()
        assert "tiny-llava,pre-trained" in (tmp_path / "own_pictures/captions.csv").read_text()
        window.page.locator("input[type=file]").set_input_files(tmp_path / "broken.png")
        window.page.get_by_text("no caption: broken.png").first.wait_for()
        window.context.close()
