"""Own picture: captions of a file by any captioner, pre-trained and fine-tuned. Nothing of it is kept."""

import streamlit as st

from lookbook.app.caption_process import start_captioning
from lookbook.app.parts import choose, show_html
from lookbook.views.study import Study
from pipeline.core.errors import UserError

TITLE = "Own picture"
ABOUT = "Captions of a picture of yours. It stays on this machine, and nothing of it is kept."
NEEDS = ()
PATIENCE = 600  # seconds, the models' first loading among them
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
    show_html("caption", name=captioner, captions=_caption(study, captioner, file.getvalue(), file.name))


def _caption(study: Study, captioner: str, picture: bytes, name: str) -> list[tuple[str, str]]:
    """Return a caption, or the reason why there is none, for the model as it came and for the study's adapter."""
    trained = (study.root / "data/adapters" / captioner).is_dir()
    with st.spinner("Captioning. The first caption takes longer: the model is being loaded."):
        waiting = {
            variant: start_captioning(picture, name, captioner, variant == PRETRAINED)
            for variant in ((PRETRAINED, FINE_TUNED) if trained else (PRETRAINED,))
        }
        said = {variant: future.result(PATIENCE) for variant, future in waiting.items()}
    captions = [
        (variant, f"no caption: {text}" if isinstance(text, UserError) else text) for variant, text in said.items()
    ]
    if not trained:
        captions.append((FINE_TUNED, f"not trained yet: run `dvc repro caption_train@{captioner}`"))
    return captions
