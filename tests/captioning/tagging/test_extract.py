import hashlib
import json
import shutil
from pathlib import Path
from random import Random

import pytest
import torch

from captioning.tagging import extract as tagging
from captioning.tagging.extract import (
    Span,
    Word,
    extract,
    extract_spans,
    find_spans,
    group_hyphenated,
    select_attributes,
)
from pipeline.core.errors import UserError
from sample.garments.attributes import sample
from sample.garments.wording import describe, write_alt_text
from tests.captioning.tagging.settings import SETTINGS

ROOT = Path(__file__).parents[3]
TAGGER = ROOT / "data" / "models" / "tiny-stanza"
GOLD = json.loads((Path(__file__).parent / "gold.json").read_text(encoding="utf-8"))

FUNCTION_WORDS = "a an and at down for in no of on one the two up with"


def tagged(text: str, *tags: str) -> list[Word]:
    """Tag the words of a text: `tagged("T - shirts", "T/t/NOUN/NN", …)`, `form/lemma/UPOS/XPOS` each."""
    words, start = [], 0
    for tag in tags:
        form, lemma, upos, xpos = tag.split("/")
        start = text.index(form, start)
        words.append(Word(form, lemma, upos, xpos, start, start + len(form)))
        start += len(form)
    return words


SHIRTS = tagged(
    "Ribbed T-shirts made of",
    *("Ribbed/ribbed/ADJ/JJ", "T/T/PROPN/NN", "-/-/PUNCT/HYPH", "shirts/shirt/NOUN/NNS", "made/make/VERB/VBN"),
    "of/of/ADP/IN",
)


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({}, "ribbed t shirt made"),
        ({"unit": "form"}, "ribbed t shirts made"),
        ({"participles": False}, "ribbed t shirt"),
        ({"hyphen": "join"}, "ribbed t-shirt made"),
        ({"hyphen": "join", "unit": "form", "participles": False}, "ribbed t-shirts"),
    ],
)
def test_switches(switches: dict, expected: str) -> None:
    assert select_attributes(SHIRTS, SETTINGS.model_copy(update=switches)) == expected.split()


def test_an_attribute_counts_once() -> None:
    assert select_attributes([*SHIRTS, *SHIRTS], SETTINGS) == select_attributes(SHIRTS, SETTINGS)


def test_every_place_of_an_attribute_is_found() -> None:
    join = SETTINGS.model_copy(update={"hyphen": "join"})
    assert [tuple(span) for span in find_spans(SHIRTS, join)] == [
        ("ribbed", 0, 6),
        ("t-shirt", 7, 15),
        ("made", 16, 20),
    ]
    assert [span.attribute for span in find_spans([*SHIRTS, *SHIRTS], SETTINGS)].count("ribbed") == 2


def test_places_count_in_the_text_that_was_given() -> None:
    """Texts are tagged together, with others before them and odd spaces in them."""
    texts = ["blue boots with laces", "  a  red shirt and a red cap", "Red and red shirt"]
    found = [[text[start:end] for _, start, end in spans] for text, spans in zip(texts, spans_of(texts), strict=True)]
    assert found == [["blue", "boots", "laces"], ["red", "shirt", "red", "cap"], ["Red", "red", "shirt"]]


def spans_of(texts: list[str]) -> list[list[Span]]:
    return extract_spans(texts, SETTINGS, TAGGER)


@pytest.mark.parametrize("tag", ["ribbed/rib/VERB/VBN", "ribbed/ribbed/ADJ/JJ", "ribbed/rib/ADJ/VBN"])
def test_taggers_that_differ_about_participles_agree_on_the_attribute(tag: str) -> None:
    assert select_attributes(tagged("ribbed", tag), SETTINGS) == ["ribbed"]


@pytest.mark.parametrize(("name", "expected"), [("tiny-stanza", 1), ("stanza-en", 3)])
def test_tagging_leaves_the_number_of_torch_threads_as_it_was(
    name: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small tagger takes one thread; what a process computes afterwards has all of its threads again."""
    (tmp_path / name).symlink_to(TAGGER)
    load, before, meanwhile = tagging.load, torch.get_num_threads(), []

    def load_and_count(*arguments: object) -> object:
        meanwhile.append(torch.get_num_threads())
        return load(*arguments)

    monkeypatch.setattr(tagging, "load", load_and_count)
    torch.set_num_threads(2)
    try:
        assert extract(["a red shirt"], SETTINGS, tmp_path / name, threads=3) == [["red", "shirt"]]
        assert (meanwhile, torch.get_num_threads()) == ([expected], 2)
        with pytest.raises(UserError):
            extract(["a blue shirt"], SETTINGS, tmp_path / "stanza-fr", threads=3)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_verbs_that_are_no_participles_are_no_attributes() -> None:
    assert select_attributes(tagged("fastens", "fastens/fasten/VERB/VBZ"), SETTINGS) == []


def test_hyphens_join_only_where_no_space_is() -> None:
    parts = "hook/hook/NOUN/NN", "-/-/PUNCT/HYPH", "and/and/CCONJ/CC", "-/-/PUNCT/HYPH", "eye/eye/NOUN/NN", "./././."
    assert ["".join(word.form for word in group) for group in group_hyphenated(tagged("hook-and-eye.", *parts))] == [
        "hook-and-eye",
        ".",
    ]
    assert len(group_hyphenated(tagged("hook - and - eye.", *parts))) == 6
    assert len(group_hyphenated(tagged("waist.", "waist/waist/NOUN/NN", "./././."))) == 2


@pytest.mark.parametrize("lower", [False, True])
def test_close_to_hand_annotated_descriptions(lower: bool) -> None:
    texts = [entry["text"].lower() if lower else entry["text"] for entry in GOLD]
    extracted = [set(attributes) for attributes in extract(texts, SETTINGS, TAGGER)]
    expected = [set(entry["attributes"].split()) for entry in GOLD]
    true = sum(len(a & b) for a, b in zip(extracted, expected, strict=True))
    f1 = 2 * true / (sum(map(len, extracted)) + sum(map(len, expected)))
    assert f1 >= 0.95


def test_order_repeats_and_empty_texts() -> None:
    texts = ["a red shirt", "", "blue boots with laces", "a red shirt", "  "]
    assert extract(texts, SETTINGS, TAGGER) == [["red", "shirt"], [], ["blue", "boot", "lace"], ["red", "shirt"], []]


def test_no_text_needs_no_tagger(tmp_path: Path) -> None:
    assert extract(["", " "], SETTINGS, tmp_path / "nowhere") == [[], []]


def test_alt_text_of_the_sample() -> None:
    text = "a red striped t-shirt with short sleeves"
    assert extract([text], SETTINGS.model_copy(update={"hyphen": "join"}), TAGGER) == [
        ["red", "striped", "t-shirt", "short", "sleeve"]
    ]


def test_function_words_of_the_sample_are_no_attributes_and_all_others_are() -> None:
    rng = Random(1)
    garments = [sample(rng) for _ in range(150)]
    texts = [style(garment, rng).lower() for garment in garments for style in (describe, write_alt_text)]
    extracted = {
        attribute
        for attributes in extract(texts, SETTINGS.model_copy(update={"unit": "form"}), TAGGER)
        for attribute in attributes
    }
    words = {word for text in texts for word in text.replace(",", " ").replace(".", " ").replace("-", " ").split()}
    function_words = set(FUNCTION_WORDS.split())
    assert words - function_words - extracted <= {"stand", "turn"}
    assert extracted & function_words == set()


def test_a_missing_tagger_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"git checkout -- .*tiny-stanza.*sample.models --only tiny-stanza"):
        extract(["a shirt"], SETTINGS, tmp_path / "tiny-stanza")
    with pytest.raises(UserError, match=r"stanza.download\('en', model_dir='.*stanza-en'"):
        extract(["a shirt"], SETTINGS, tmp_path / "stanza-en")


def test_a_damaged_tagger_is_named(tmp_path: Path) -> None:
    shutil.copytree(TAGGER, tmp_path / "tiny-stanza")
    (tmp_path / "tiny-stanza" / "en" / "pos" / "tiny.pt").write_bytes(b"no model")
    with pytest.raises(UserError, match="not a readable Stanza pipeline"):
        extract(["a shirt"], SETTINGS, tmp_path / "tiny-stanza")
    (tmp_path / "tiny-stanza" / "en" / "pos" / "tiny.pt").unlink()
    with pytest.raises(UserError, match="no Stanza pipeline"):
        extract(["a shirt"], SETTINGS, tmp_path / "tiny-stanza")


def as_stanza_lays_it_out(folder: Path) -> Path:
    """Copy the small models in the layout of stanza.download: packages, aliases, md5 sums, a url, no MWT.

    As in Stanza's own resources `default` and `default_fast` differ in one processor's model, and none has the name of
    the package.
    """
    small = TAGGER / "en"
    models = {"tokenize": ["combined"], "pos": ["combined_charlm", "combined_nocharlm"], "lemma": ["combined_nocharlm"]}
    english: dict[str, object] = {"lang_name": "English", "default_dependencies": {}}
    for processor, names in models.items():
        source = small / processor / "tiny.pt"
        english[processor] = {name: {"md5": hashlib.md5(source.read_bytes()).hexdigest()} for name in names}
        for name in names:
            (folder / "en" / processor).mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / "en" / processor / f"{name}.pt")
    default = {"tokenize": "combined", "pos": "combined_charlm", "lemma": "combined_nocharlm"}
    english["packages"] = {"default": default, "default_fast": default | {"pos": "combined_nocharlm"}}
    resources = {"en": english, "english": {"alias": "en"}, "url": "https://example.org/{resources_version}/{filename}"}
    (folder / "resources.json").write_text(json.dumps(resources))
    return folder


@pytest.mark.parametrize("package", ["default", "default_fast", "combined_nocharlm"])
def test_a_folder_of_stanzas_own_layout_gives_the_same_attributes(tmp_path: Path, package: str) -> None:
    texts = [entry["text"] for entry in GOLD]
    folder = as_stanza_lays_it_out(tmp_path / "stanza_resources")
    settings = SETTINGS.model_copy(update={"package": package})
    if package == "combined_nocharlm":  # of pos and lemma alone, without a tokenizer of that name
        with pytest.raises(UserError, match="no Stanza pipeline 'combined_nocharlm'"):
            extract(texts, settings, folder)
    else:
        assert extract(texts, settings, folder) == extract(texts, SETTINGS, TAGGER)


def test_the_package_chooses_the_models(tmp_path: Path) -> None:
    """Without its tagger `default` cannot run, and the message has the command that fetches it; `default_fast` can."""
    folder = as_stanza_lays_it_out(tmp_path / "stanza_resources")
    (folder / "en" / "pos" / "combined_charlm.pt").unlink()
    with pytest.raises(
        UserError, match=r"python -c \"import stanza; stanza.download\('en', model_dir='.*', package='default'"
    ):
        extract(["a red shirt"], SETTINGS, folder)
    fast = SETTINGS.model_copy(update={"package": "default_fast"})
    assert extract(["a red shirt"], fast, folder) == [["red", "shirt"]]


def test_an_unknown_package_is_named(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"package": "default_fst"})
    with pytest.raises(UserError, match=r"'default_fst'.*set `caption_attributes.package: default`"):
        extract(["a shirt"], settings, TAGGER)
    with pytest.raises(UserError, match=r"'default_fst'.*package='default_fst', processors='tokenize,pos,lemma'"):
        extract(["a shirt"], settings, as_stanza_lays_it_out(tmp_path / "stanza"))


def test_a_link_to_a_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(as_stanza_lays_it_out(tmp_path / "stanza_resources"))
    assert extract(["a red shirt"], SETTINGS, tmp_path / "linked") == [["red", "shirt"]]


def test_finished_chunks_are_not_tagged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagging, "CHUNK", 2)
    texts = ["a red shirt", "blue boots", "", "a red shirt", "long skirt", "black belt", "wool coat"]
    expected = extract(texts, SETTINGS, TAGGER)
    assert extract(texts, SETTINGS, TAGGER, "cpu", tmp_path / "work") == expected
    chunks = sorted((tmp_path / "work").glob("*.safetensors"))
    assert len(chunks) == 3
    assert extract(texts, SETTINGS, tmp_path / "nowhere", "cpu", tmp_path / "work") == expected  # no tagger is needed
    chunks[0].write_bytes(chunks[0].read_bytes()[:-1])  # damaged
    with pytest.raises(UserError, match="nowhere"):
        extract(texts, SETTINGS, tmp_path / "nowhere", "cpu", tmp_path / "work")
    assert extract(texts, SETTINGS, TAGGER, "cpu", tmp_path / "work") == expected


def test_the_work_folder_depends_on_all_that_the_result_depends_on(tmp_path: Path) -> None:
    folders = [
        tagging.name_work_folder("caption_attributes", texts, settings, TAGGER, device)
        for texts, settings, device in (
            (["a shirt"], SETTINGS, "cpu"),
            (["a skirt"], SETTINGS, "cpu"),
            (["a shirt"], SETTINGS.model_copy(update={"unit": "form"}), "cpu"),
            (["a shirt"], SETTINGS.model_copy(update={"package": "tiny"}), "cpu"),
            (["a shirt"], SETTINGS, "cuda"),
        )
    ]
    folders.append(tagging.name_work_folder("caption_attributes", ["a shirt"], SETTINGS, tmp_path, "cpu"))
    assert len(set(folders)) == 6
    assert tagging.name_work_folder("caption_attributes", ["a shirt"], SETTINGS, TAGGER, "cpu") == folders[0]
