"""What the page Rate shows: the next pair of a rater, how far a round is, and its results once they may be seen.

Nothing here names an arm before a round is closed for the rater: a task holds the words, not where they come from.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from catalogue.prepared.items import read_items
from lookbook.ratings.analysis.judgements import select_fitting
from lookbook.ratings.analysis.rounds import Draws, Said, analyse_round
from lookbook.ratings.captions import read_captions, read_garments
from lookbook.ratings.design import Captions, Pair, Presentation, count_planned, hash_caption, list_presentations
from lookbook.ratings.design import list_pairs as draw_pairs
from lookbook.ratings.power import find_detectable, list_power
from lookbook.ratings.rounds import QUESTIONS, REFERENCE, ROUNDS, Round, read_round, split_arm
from lookbook.ratings.store import PATH, Store, create_store, tell_time
from lookbook.ratings.tables import LEFT, RIGHT, Answer, Judgement
from lookbook.reporting.formatting import format_p, format_value
from lookbook.views.study import CAPTIONS, ITEMS, SCORES, Study, captions
from pipeline.core.errors import UserError

SECONDS = 6.5  # that a judgement takes where nobody has given one yet
INTERIM_DRAWS = 2000
SHOWN_SHARES = ("60 %", "65 %", "70 %")


@dataclass(frozen=True)
class OpenRound:
    """A round with its pairs and their captions.

    Attributes:
        name: The round's name.
        own: What its file says.
        pairs: Its pairs, those with equal captions included.
        captions: The captions of each arm.
        rows: The row of each garment in data/prepared/items.parquet, by which its picture is found.
        references: The shop's own descriptions, where the round shows them.
    """

    name: str
    own: Round
    pairs: list[Pair]
    captions: Captions
    rows: dict[str, int]
    references: dict[str, str]


@dataclass(frozen=True)
class Task:
    """What a rater is asked next: two captions of a garment, and a question.

    Attributes:
        key: The pair as the round's design has it.
        question: A key of `QUESTIONS`.
        row: The garment's row in data/prepared/items.parquet.
        left: The caption on the left.
        right: The caption on the right.
        reference: The shop's own description; None: it is not shown.
    """

    key: Presentation
    question: str
    row: int | None
    left: str
    right: str
    reference: str | None


@dataclass(frozen=True)
class Progress:
    """How far a rater is: judgements given and planned, the minutes left, and the next task; None: finished."""

    given: int
    planned: int
    minutes: int
    task: Task | None


def open_store(study: Study) -> Store:
    """Open the store of ratings, which is made where there is none.

    Raises:
        UserError: it holds the ratings of another study.
    """
    path = study.root / PATH
    return Store(path) if path.exists() else create_store(path, str(study.params["dataset"]))[0]


def list_round_names(study: Study) -> list[str]:
    """List the rounds that have a file, by name."""
    return sorted(path.stem for path in (study.root / ROUNDS).glob("*.yaml"))


def open_round(study: Study, name: str) -> OpenRound:
    """Open a round; it is read again when its file or its captions have changed.

    Raises:
        UserError: the file has an error, or captions are not there yet.
    """
    own = read_round(study.root / ROUNDS / f"{name}.yaml", study.captioners)
    files = [study.root / captions(*split_arm(arm)) for arm in own.arms if arm != REFERENCE]
    missing = [path for path in files if not path.exists()]
    if missing:
        raise UserError(f"{missing[0]}: no such file; run `dvc repro caption_generate_pt caption_generate_ft`")
    version = tuple(path.stat().st_mtime_ns for path in (study.root / ITEMS, *files))
    return _open_round(study.root, name, own.model_dump_json(), version)


@lru_cache(maxsize=4)
def _open_round(root: Path, name: str, text: str, version: tuple[int, ...]) -> OpenRound:  # a new version is a new key
    own = Round.model_validate_json(text)
    words = read_captions(root / CAPTIONS, root / ITEMS, own.arms)
    pairs = draw_pairs(own, read_garments(root / ITEMS), words)
    ids = pq.read_table(root / ITEMS, columns=["item_id"])["item_id"].to_pylist()
    row_of = {item: row for row, item in enumerate(ids)}
    references = read_items(root / ITEMS, ["item_id", "description"]).dropna() if own.show_reference else None
    return OpenRound(
        name,
        own,
        pairs,
        words,
        {pair.item_id: row_of[pair.item_id] for pair in pairs},
        {} if references is None else dict(zip(references["item_id"], references["description"], strict=True)),
    )


def find_progress(opened: OpenRound, store: Store, rater: str) -> Progress:
    """Find how far a rater is in a round, and what comes next: also pairs whose captions changed since then.

    Raises:
        UserError: the rater's place in the round cannot be saved.
    """
    shown = list_presentations(opened.own, opened.pairs, rater, store.take_seat(opened.name, rater))
    given = list_fitting(opened, store, rater)
    answered = {(row.item_id, row.again, row.question) for row in given}
    waiting = [
        (one, question)
        for one in shown
        for question in opened.own.questions
        if (one.item_id, one.again, question) not in answered
    ]
    planned = len(shown) * len(opened.own.questions)
    each = sorted(row.seconds for row in given)[len(given) // 2] if given else SECONDS
    minutes = round(len(waiting) * each / 60)
    task = _make_task(opened, *waiting[0]) if waiting else None
    return Progress(planned - len(waiting), planned, max(1, minutes) if waiting else 0, task)


def _make_task(opened: OpenRound, one: Presentation, question: str) -> Task:
    left, right = (opened.captions[arm][one.item_id].strip() for arm in (one.left, one.right))
    reference = opened.references.get(one.item_id) if opened.own.show_reference else None
    return Task(one, question, opened.rows.get(one.item_id), left, right, reference)


def ask(question: str) -> str:
    """Return a question in words."""
    return QUESTIONS[question]


def save_verdict(opened: OpenRound, store: Store, rater: str, task: Task, verdict: str, seconds: float) -> None:
    """Save what a rater says of a pair, with both captions.

    Raises:
        UserError: it could not be saved; the pair stays.
    """
    key = task.key
    names = (opened.name, rater, key.item_id, key.again, task.question, key.left, key.right, verdict, seconds)
    hashes = (hash_caption(task.left), hash_caption(task.right))
    store.save_judgement(Judgement(*names, *hashes, task.left, task.right, tell_time()))


def save_answers(opened: OpenRound, store: Store, rater: str, told_apart: str, role: str) -> None:
    """Save what a rater says at the end of a round.

    Raises:
        UserError: it could not be saved.
    """
    store.save_answer(Answer(opened.name, rater, "told_apart", told_apart))
    store.save_answer(Answer(opened.name, rater, "role", role))


def describe_power(opened: OpenRound) -> str:
    """Say what a round can show at most, before anybody judges."""
    shown = sum(not pair.equal for pair in opened.pairs)
    share = find_detectable(shown)
    equal = len(opened.pairs) - shown
    ties = f" {equal} garments have equal captions: ties that nobody is asked about." if equal else ""
    if share is None:
        return f"{shown} garments are too few to show any preference.{ties}"
    return f"{shown} garments can show a preference of {share:.0%} or more, if nobody finds both equal.{ties}"


def describe_power_so_far(opened: OpenRound, store: Store) -> str:
    """Say what the judgements of all raters can show by now: how many are decided, not for which arm."""
    rows = list_fitting(opened, store)
    decided = sum(row.verdict in (LEFT, RIGHT) for row in rows)
    share = find_detectable(decided)
    shows = "too few to show any preference" if share is None else f"enough to show a preference of {share:.0%} or more"
    needed = ", ".join(f"{number:,} for {size}" for size, number in list_power().items() if size in SHOWN_SHARES)
    return f"{decided:,} of {len(rows):,} judgements of this round are decided: {shows}. Needed: {needed}."


def count_missing(opened: OpenRound, store: Store) -> int:
    """Count the judgements of all raters that a round still lacks; those of captions that changed do not count."""
    return max(0, count_planned(opened.own, opened.pairs) - len(list_fitting(opened, store)))


def list_fitting(opened: OpenRound, store: Store, rater: str | None = None) -> list[Judgement]:
    """List the judgements of pairs and captions that are still as they were judged, of all raters or of one."""
    rows = store.list_judgements(opened.name, rater)
    return select_fitting(opened.own, opened.pairs, opened.captions, rows)


def read_results(study: Study, opened: OpenRound, store: Store) -> dict[str, Any]:
    """Analyse a round as it is now, as the stage `rate` does with more draws."""
    looks = store.list_looks(opened.name)
    rows = store.list_judgements(opened.name)
    columns = ["item_id", "captioner", "variant", "metric", "value"]
    has_scores = study.has(SCORES)
    scores = pd.read_parquet(study.root / SCORES) if has_scores else pd.DataFrame(columns=columns)
    said = Said(rows, [], looks)
    return analyse_round(opened.own, opened.pairs, opened.captions, said, scores, Draws(INTERIM_DRAWS, 0))


def list_results(figures: dict[str, Any]) -> list[list[str]]:
    """List the results of a round: question, arms, preference, interval, p, smallest that is found, verdicts.

    Preferences are in percent, as in the report.
    """
    rows = []
    for question, answers in figures.get("questions", {}).items():
        for arms, pair in answers["pairs"].items():
            verdicts = Counter(pair["verdicts"])
            ties = verdicts["both_good"] + verdicts["both_bad"] + verdicts["equal_captions"]
            preference, low, high = (
                format_value("preference", pair[key], True) for key in ("preference", "low", "high")
            )
            smallest = format_value("preference", pair.get("detectable"))
            numbers = [preference, f"{low} to {high}", format_p(pair["p"]), smallest]
            rows.append([question, arms, *numbers, *map(str, (verdicts["wins"], ties, verdicts["losses"]))])
    return rows
