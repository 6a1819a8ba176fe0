"""Own picture: captions of a file by any captioner, pre-trained and fine-tuned. Nothing is kept unless one says so."""

import streamlit as st

from lookbook.app.caption_process import start_captioning
from lookbook.app.parts import choose, show_html
from lookbook.views.own_pictures import CAPTIONS, keep_picture
from lookbook.views.study import Study
from pipeline.core.errors import UserError

TITLE = "Own picture"
ABOUT = "Captions of a picture of yours. It stays on this machine, and nothing of it is kept unless you press Keep."
NEEDS = ()
PATIENCE = 600  # seconds, the models' first loading among them
LAST = "own_picture_last"  # in the session: the picture that was captioned last, and its captions
Captions = list[tuple[str, str]]  # variant, and caption or reason
PRETRAINED, FINE_TUNED = "pre-trained", "fine-tuned"


def show(study: Study) -> None:
    """Show a form for a file, and its captions."""
    if not study.captioners:
        show_html("note", lines=["This study has no captioner."])
        return
    writer = str(study.params.get("writer", ""))
    captioner = choose("Captioner", study.captioners, "captioner", writer)
    file = st.file_uploader("Picture", ["jpg", "jpeg", "png", "webp"], key="picture")
    if file is None:
        return
    picture = file.getvalue()
    captions, problems = _caption_once(study, captioner, picture, file.name)
    show_html("caption", name=captioner, captions=[*captions, *problems])
    if captions and st.button("Keep the picture and its captions", key="keep"):
        path = keep_picture(study.root, picture, file.name, captioner, captions)
        show_html("note", lines=[f"Kept as {path}; its captions stand in {path.with_name(CAPTIONS)}"])


def _caption_once(study: Study, captioner: str, picture: bytes, name: str) -> tuple[Captions, Captions]:
    """Caption a picture, unless it is the one that was captioned last: pressing Keep runs the page again."""
    adapter = study.root / "data/adapters" / captioner
    key = (captioner, name, hash(picture), adapter.stat().st_mtime_ns if adapter.is_dir() else 0)
    last: tuple[object, tuple[Captions, Captions]] | None = st.session_state.get(LAST)
    if last is None or last[0] != key:
        last = st.session_state[LAST] = (key, _caption(study, captioner, picture, name))
    return last[1]


def _caption(study: Study, captioner: str, picture: bytes, name: str) -> tuple[Captions, Captions]:
    """Return captions by the model as it came and by the study's adapter, and the reasons for those there are not."""
    trained = (study.root / "data/adapters" / captioner).is_dir()
    with st.spinner("Captioning. The first caption takes longer: the model is being loaded."):
        waiting = {
            variant: start_captioning(picture, name, captioner, variant == PRETRAINED)
            for variant in ((PRETRAINED, FINE_TUNED) if trained else (PRETRAINED,))
        }
        said = {variant: future.result(PATIENCE) for variant, future in waiting.items()}
    captions = [(variant, text) for variant, text in said.items() if not isinstance(text, UserError)]
    problems = [(variant, f"no caption: {text}") for variant, text in said.items() if isinstance(text, UserError)]
    if not trained:
        problems.append((FINE_TUNED, f"not trained yet: run `dvc repro caption_train@{captioner}`"))
    return captions, problems
