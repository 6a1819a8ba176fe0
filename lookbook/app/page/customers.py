"""Customers: what they bought, and two lists side by side with hits, moves, and the words that each arm gave."""

import polars as pl
import streamlit as st

from catalogue.descriptions.variants import name_masked_text
from lookbook.app.parts import choose, choose_any, offer_csv, show_html
from lookbook.app.places import fill_places, show_strip
from lookbook.views import customers, people
from lookbook.views.people import Ranking
from lookbook.views.study import INTERACTIONS, ITEMS, Study

TITLE = "Customers"
ABOUT = "What a caption moves: a customer's lists by two arms or recommenders, with the words that each read."
NEEDS = (ITEMS, INTERACTIONS)
EXPERIMENTS: tuple[people.Experiment, ...] = ("arrivals", "warm")
SAME = "that of A"
GAIN, LOSS, RANDOM, BY_ID = "largest gain of A", "largest loss of A", "at random", "by id"
WANTED = {
    "arrivals": "Bought among the arrivals: what a list should hold",
    "warm": "Bought afterwards: what a list should hold",
}
MOST_DRAWS = 1_000_000
SHOWN_EFFECTS = 50  # customers that can be chosen by effect


def show(study: Study) -> None:
    """Show the customer and the two lists that are chosen."""
    rankings = _choose_rankings(study)
    if rankings is None:
        show_html("note", lines=["No lists yet: run `dvc repro rec_fit rec_rank_arrivals_text`"])
        return
    user = _choose_user(study, *rankings)
    if user is None:
        show_html("note", lines=["No such customer."])
        return
    runs = [str(run) for run in people.list_common_runs(study, rankings)]
    show_html("note", lines=[f"Customer {people.read_users(study)[user]}"])
    run = int(choose("Run", runs, "run"))
    show_strip(study, "Bought before, newest first", people.read_history(study, rankings[0], user))
    bought = people.read_bought(study, rankings[0], user)
    show_strip(study, WANTED[rankings[0].experiment], bought, people.find_unreachable(study, rankings[0], user, bought))
    lists = people.compare_lists(study, rankings, run, user)
    show_html(
        "lists",
        lists=[
            {"title": f"{name}: {title}", "places": fill_places(study, places)}
            for name, title, places in zip("AB", people.name_rankings(rankings), lists, strict=True)
        ],
    )
    offer_csv(people.make_table(lists), "lists")


def _choose_rankings(study: Study) -> tuple[Ranking, Ranking] | None:
    """Let the experiment, and the recommender and arm of each list be chosen; None where there are no lists."""
    there = [name for name in EXPERIMENTS if people.list_rankings(study, name)]
    if not there:
        return None
    columns = st.columns(5)
    with columns[0]:
        chosen = choose("Experiment", there, "experiment")
        experiment: people.Experiment = "warm" if chosen == "warm" else "arrivals"
    found = people.list_rankings(study, experiment)
    primary = study.params.get("primary") or {}
    with columns[1]:
        first = f"{primary.get('recommender')}-{primary.get('features')}"
        recommender = choose("Recommender", list(found), "recommender", first)
    ft, pt = (_name_arm(study, experiment, variant) for variant in ("ft", "pt"))
    with columns[2]:
        a = choose("Arm A", found[recommender], "a", ft)
    with columns[3]:
        other = choose("Recommender of B", [SAME, *found], "recommender_b")
        other = recommender if other == SAME else other
    with columns[4]:
        b = choose("Arm B", found[other], "b", pt)
    return Ranking(experiment, recommender, a), Ranking(experiment, other, b)


def _name_arm(study: Study, experiment: people.Experiment, variant: str) -> str:
    return f"{study.params.get('writer')}-{variant}" if experiment == "arrivals" else name_masked_text(variant)


def _choose_user(study: Study, a: Ranking, b: Ranking) -> int | None:
    """Let a customer be chosen by effect, at random or by id, of a slice or of all; return the number."""
    users = people.read_users(study)
    columns = st.columns(3)
    with columns[0]:
        by = choose("Choose a customer", [GAIN, LOSS, RANDOM, BY_ID], "by")
    if by == BY_ID:
        with columns[1]:
            name = st.text_input("Customer", str(users[0]), key="customer", bind="query-params")
        return users.index_of(name)
    with columns[1]:
        part = choose_any("Of the slice", customers.list_slices(study), "slice")
    with columns[2]:
        return _draw(study, a, part) if by == RANDOM else _choose_by_effect(study, a, b, part, by == LOSS)


def _draw(study: Study, ranking: Ranking, part: str) -> int | None:
    """Draw a customer who has a list; the number of the draw stands in the address."""
    listed = customers.list_listed(study, ranking)
    if part:
        listed = listed.filter(listed.is_in(customers.read_slice(study, part).implode()))
    number = st.number_input("Draw number", 1, MOST_DRAWS, 1, key="draw", bind="query-params")
    return customers.draw_user(listed, int(number))


def _choose_by_effect(study: Study, a: Ranking, b: Ranking, part: str, loss: bool) -> int | None:
    users, effects = people.read_users(study), people.read_effects(study, a, b)
    if part:
        effects = effects.filter(pl.col("user").is_in(customers.read_slice(study, part).implode()))
    ordered = (effects.reverse() if loss else effects).head(SHOWN_EFFECTS)
    names = {f"{users[user]} ({difference:+.3f})": user for user, difference in _pairs(ordered)}
    label = f"Customer, and A − B in NDCG@{people.find_cutoff(study, a)}"
    return names.get(choose(label, list(names), "effect"))


def _pairs(effects: pl.DataFrame) -> list[tuple[int, float]]:
    return list(effects.select("user", "difference").iter_rows())
