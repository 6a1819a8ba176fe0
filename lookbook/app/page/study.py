"""The study at a glance: its answer, figures, stages, and the trainings that run now."""

import streamlit as st

from lookbook.app.guard import open_current
from lookbook.app.parts import show_html, show_rows
from lookbook.views.study import REPORT, StageState, Study, list_stages
from lookbook.views.summary import count_figures, list_trainings, read_answer

TITLE = "Study"
ABOUT = "Do better captions make better fashion recommendations? What this study says, and how far it is."
NEEDS = ()
EVERY_SECONDS = 5


def show(study: Study) -> None:
    """Show the answer, six figures, the stages and the trainings."""
    answer = read_answer(study)
    if answer:
        show_html("answer", verdict=answer.verdict, paragraphs=answer.paragraphs[:1])
    else:
        show_html("note", lines=["No answer yet: run `dvc repro compare`"])
    show_html("figures", figures=count_figures(study))
    if study.has(REPORT):
        show_html("link", text="Read the report", link="./report/")
    else:
        show_html("note", lines=["No report yet: run `dvc repro report`"])
    _show_stages(list_stages(study))
    _show_trainings()


def _show_stages(stages: list[StageState]) -> None:
    show_html("subheading", title="Stages")
    rows = [[stage.name, _describe(stage), ", ".join(stage.stale)] for stage in stages if stage.cells]
    show_rows(["stage", "state", "outputs that differ from dvc.lock"], rows, "Stages of the study", file="stages")


def _describe(stage: StageState) -> str:
    count = f", {stage.done} of {stage.cells}" if stage.cells > 1 else ""
    return f"{'✓ ' if stage.state == 'done' else ''}{stage.state}{count}"


@st.fragment(run_every=EVERY_SECONDS)
def _show_trainings() -> None:
    trainings = list_trainings(open_current())
    show_html("subheading", title="Training now")
    if not trainings:
        show_html("note", lines=["Nothing is being trained here."])
    for training in trainings:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in training.figures.items())
        samples = [f"{reference} → {caption}" for reference, caption in training.samples]
        show_html("note", lines=[f"{training.name}, step {training.step}: {figures}", *samples])
