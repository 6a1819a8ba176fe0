"""Extracts the attributes of texts and where they stand: lower-cased lemmas that Stanza tags NOUN, ADJ or PROPN."""

import hashlib
import json
import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from captioning.tagging.settings import CaptionAttributes
from pipeline.batches import make_batches
from pipeline.checkpoints import Content, keep_finished, key_folder, load_part, temporary_if_none
from pipeline.core.errors import UserError
from pipeline.core.progress import track

CHUNK = 500  # texts that Stanza tags together
TAGS = frozenset(("NOUN", "ADJ", "PROPN"))
PARTICIPLES = frozenset(("VBN", "VBG"))
PROCESSORS = "tokenize,pos,lemma"
TINY = "tiny-stanza"  # the pipeline in this repository
TINY_PACKAGES = ("default", "tiny")  # the names of its package
CODE = [Path(__file__), Path(__file__).with_name("settings.py")]


class Word(NamedTuple):
    """A tagged word; `start` and `end` are its position in the text, in characters."""

    form: str
    lemma: str
    upos: str
    xpos: str
    start: int
    end: int


class Span(NamedTuple):
    """An attribute and where its words stand in the text: characters `start` to `end`, exclusive."""

    attribute: str
    start: int
    end: int


def extract(
    texts: Sequence[str],
    settings: CaptionAttributes,
    folder: Path | str,
    device: str = "cpu",
    work: Path | None = None,
    threads: int = 1,
) -> list[list[str]]:
    """Extract the attributes of each text, each once, in the order of the text; see `extract_spans`."""
    return [name_attributes(spans) for spans in extract_spans(texts, settings, folder, device, work, threads)]


def name_attributes(spans: Iterable[Span]) -> list[str]:
    """List the attributes of a text, each once, in the order of the text.

    >>> name_attributes([Span("red", 0, 3), Span("shirt", 4, 9), Span("red", 14, 17)])
    ['red', 'shirt']
    """
    return list(dict.fromkeys(span.attribute for span in spans))


def extract_spans(
    texts: Sequence[str],
    settings: CaptionAttributes,
    folder: Path | str,
    device: str = "cpu",
    work: Path | None = None,
    threads: int = 1,
) -> list[list[Span]]:
    """Find every place of an attribute in each text, in the order of the text. Equal texts are tagged once.

    Args:
        texts: any texts, also empty ones.
        settings: what counts as an attribute.
        folder: a Stanza pipeline, as `stanza.download` lays it out.
        device: where Stanza runs, `cpu` or `cuda`.
        work: the folder for finished chunks of texts; chunks that are already there are not tagged again.
        threads: CPU threads of Stanza's own models; the small one is several times slower on two than on one.

    Raises:
        UserError: the pipeline is missing or cannot be read.
    """
    unique = list(dict.fromkeys(text for text in texts if text.strip()))
    chunks = {_chunk_name(chunk): chunk for chunk in make_batches(unique, CHUNK)}

    def tag(missing: list[list[str]]) -> Iterator[Content]:
        with torch_threads(1 if Path(folder).name == TINY else threads):
            tagger = load(folder, device, settings.package)
            for chunk in track(missing, "tagging", unit="chunk"):
                documents = tagger.bulk_process(chunk)
                yield {}, {"spans": [find_spans(_words(document), settings) for document in documents]}

    spans: dict[str, list[Span]] = {}
    with temporary_if_none(work) as parts:
        for chunk, path in zip(chunks.values(), keep_finished(parts, chunks, tag), strict=True):
            _, state = load_part(path)
            of_texts = [[Span(*span) for span in of_text] for of_text in state["spans"]]
            spans |= dict(zip(chunk, of_texts, strict=True))
    return [list(spans.get(text, ())) for text in texts]


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Let torch compute on so many threads, and on as many as before after the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def name_work_folder(
    name: str, texts: Iterable[str], settings: CaptionAttributes, folder: Path | str, device: str, more: Any = None
) -> Path:
    """Name the folder for the chunks that a stage has tagged, by all that its result depends on.

    Args:
        name: of the stage.
        texts: the texts to tag.
        settings: the section `caption_attributes`.
        folder: the Stanza pipeline.
        device: where Stanza runs.
        more: what the other files that the stage stores there depend on.
    """
    digest = hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()
    params = {"settings": settings.model_dump(), "device": device, "texts": digest, "more": more}
    return key_folder(name, params, [Path(folder), *CODE], ("stanza", "torch"))


def _chunk_name(chunk: Sequence[str]) -> str:
    """Name a chunk by its texts, because a work folder may serve several extractions."""
    digest = hashlib.sha256(json.dumps(list(chunk)).encode()).hexdigest()
    return f"attributes-{digest[:16]}"


def select_attributes(words: Sequence[Word], settings: CaptionAttributes) -> list[str]:
    """Select the attributes of a tagged text, each once, in its order."""
    return name_attributes(find_spans(words, settings))


def find_spans(words: Sequence[Word], settings: CaptionAttributes) -> list[Span]:
    """Find every place of an attribute in a tagged text.

    With `hyphen: join` a hyphenated word is one attribute if any part of it is (`t-shirt`, `stand-up`).
    """
    spans = []
    for group in group_hyphenated(words) if settings.hyphen == "join" else ([word] for word in words):
        if any(_is_attribute(word, settings.participles) for word in group):
            attribute = "".join(_key(word, settings.unit) for word in group)
            spans.append(Span(attribute, group[0].start, group[-1].end))
    return spans


def group_hyphenated(words: Sequence[Word]) -> list[list[Word]]:
    """Group words that a hyphen without spaces joins, with the hyphen; other words are groups of their own."""
    groups: list[list[Word]] = []
    for word in words:
        last = groups[-1][-1] if groups else None
        inside = last is not None and (word.form == "-" or (last.form == "-" and len(groups[-1]) > 1))
        if inside and last is not None and last.end == word.start:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def load(folder: Path | str, device: str = "cpu", package: str = "default") -> Any:
    """Load tokenizer, tagger and lemmatizer of a Stanza package from a folder; nothing is ever downloaded.

    Raises:
        UserError: files are missing or are not Stanza models; the message says how to get them.
    """
    import stanza
    from stanza.pipeline.core import PipelineRequirementsException

    try:
        return stanza.Pipeline(
            "en",
            dir=str(folder),
            download_method=None,
            package=package,
            processors=PROCESSORS,
            use_gpu=device == "cuda",
            logging_level="ERROR",
        )
    except (FileNotFoundError, PipelineRequirementsException) as error:
        raise UserError(
            f"{folder}: no Stanza pipeline {package!r} with {PROCESSORS} for English here ({_first_line(error)}); "
            f"{explain_download(folder, package)}"
        ) from None
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{folder}: not a readable Stanza pipeline {package!r} ({_first_line(error)}); "
            f"{explain_download(folder, package)}"
        ) from None


def explain_download(folder: Path | str, package: str) -> str:
    """Describe how to get the pipeline that a folder lacks."""
    if Path(folder).name == TINY:
        if package not in TINY_PACKAGES:
            return f"it has one package: set `caption_attributes.package: {TINY_PACKAGES[0]}`, or another `tagger`"
        return f"get it back: git checkout -- {folder}, or train it again: python -m sample.models --only {TINY}"
    command = f"stanza.download('en', model_dir='{folder}', package='{package}', processors='{PROCESSORS}')"
    return f'download it once, where there is a network: python -c "import stanza; {command}"'


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
    return word.upos in TAGS or (participles and word.upos == "VERB" and word.xpos in PARTICIPLES)


def _key(word: Word, unit: str) -> str:
    # Taggers disagree about `ribbed` (adjective, or a form of rib): by its form it is the same attribute for all.
    use_form = unit == "form" or word.xpos in PARTICIPLES
    return (word.form if use_form else word.lemma).lower()
