"""Attributes of texts: lower-cased lemmas tagged NOUN, ADJ or PROPN by a Stanza pipeline."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from captioning.tagger.settings import CaptionAttributes
from pipeline.errors import UserError
from pipeline.progress import track

CHUNK = 500  # texts that Stanza tags together
KEPT = frozenset(("NOUN", "ADJ", "PROPN"))
PARTICIPLES = frozenset(("VBN", "VBG"))
REBUILT = "tiny-stanza"  # the pipeline that the repository carries


class Word(NamedTuple):
    """A tagged word; `start` and `end` are its place in the text, in characters."""

    form: str
    lemma: str
    upos: str
    xpos: str
    start: int
    end: int


def extract(
    texts: Sequence[str], settings: CaptionAttributes, folder: Path | str, device: str = "cpu"
) -> list[list[str]]:
    """The attributes of each text, each once, in the order of the text. Equal texts are tagged once.

    Args:
        texts: any texts, also empty ones.
        settings: what counts as an attribute.
        folder: a Stanza pipeline, as `stanza.download` lays it out.

    Raises:
        UserError: the pipeline is missing or cannot be read.
    """
    unique = list(dict.fromkeys(text for text in texts if text.strip()))
    if not unique:
        return [[] for _ in texts]
    tagger = load(folder, device)
    found: dict[str, list[str]] = {}
    for start in track(range(0, len(unique), CHUNK), "tagging", unit="chunk"):
        chunk = unique[start : start + CHUNK]
        for text, document in zip(chunk, tagger.bulk_process(chunk), strict=True):
            found[text] = attributes_of(_words(document), settings)
    return [list(found.get(text, ())) for text in texts]


def attributes_of(words: Sequence[Word], settings: CaptionAttributes) -> list[str]:
    """The attributes of one tagged text, each once, in its order.

    With `hyphen: join` a hyphenated word is one attribute if any part of it is (`t-shirt`, `stand-up`).
    """
    keys = []
    for group in hyphenated(words) if settings.hyphen == "join" else ([word] for word in words):
        if any(_is_attribute(word, settings.participles) for word in group):
            keys.append("".join(_key(word, settings.unit) for word in group))
    return list(dict.fromkeys(keys))


def hyphenated(words: Sequence[Word]) -> list[list[Word]]:
    """The words, those with a hyphen and no space between them in one group with it."""
    groups: list[list[Word]] = []
    for word in words:
        last = groups[-1][-1] if groups else None
        inside = last is not None and (word.form == "-" or (last.form == "-" and len(groups[-1]) > 1))
        if inside and last is not None and last.end == word.start:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def load(folder: Path | str, device: str = "cpu") -> Any:
    """The Stanza pipeline in `folder`: tokenizer, tagger, lemmatizer; nothing is ever downloaded.

    Raises:
        UserError: files are missing (says how to get them) or are not Stanza models.
    """
    import stanza
    import torch

    torch.set_num_threads(1)  # small models on two threads are several times slower
    try:
        return stanza.Pipeline(
            "en",
            dir=str(folder),
            download_method=None,
            processors="tokenize,pos,lemma",
            use_gpu=device == "cuda",
            logging_level="ERROR",
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{folder}: no Stanza pipeline with tokenize, pos and lemma for English here ({_first_line(error)}); {_remedy(folder)}"
        ) from None
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(f"{folder}: not a readable Stanza pipeline ({_first_line(error)}); {_remedy(folder)}") from None


def _remedy(folder: Path | str) -> str:
    if Path(folder).name == REBUILT:
        return f"get it back: git checkout -- {folder}, or train it again: python -m captioning.models --only {REBUILT}"
    return f"download it once: python -c \"import stanza; stanza.download('en', model_dir='{folder}', processors='tokenize,pos,lemma')\""


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"


def _words(document: Any) -> list[Word]:
    return [
        Word(
            word.text,
            word.lemma or word.text,
            word.upos or "",
            word.xpos or "",
            word.parent.start_char,
            word.parent.end_char,
        )
        for sentence in document.sentences
        for word in sentence.words
    ]


def _is_attribute(word: Word, participles: bool) -> bool:
    return word.upos in KEPT or (participles and word.upos == "VERB" and word.xpos in PARTICIPLES)


def _key(word: Word, unit: str) -> str:
    # Taggers disagree about `ribbed` (adjective, or a form of rib): by its form it is the same attribute for all.
    use_form = unit == "form" or word.xpos in PARTICIPLES
    return (word.form if use_form else word.lemma).lower()
