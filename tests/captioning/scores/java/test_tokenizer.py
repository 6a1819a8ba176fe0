import subprocess
from pathlib import Path

import pycocoevalcap.tokenizer.ptbtokenizer as official

from captioning.scores.java.tokenizer import tokenize
from captioning.scores.java.worker import TOKENIZER_JAR

ODD = [
    "T-shirt in soft, slub jersey (100% cotton) with a V-neck; size 5 in.",
    "It's the wearer's \"best\" piece -- isn't it?",
    "...",
    "a|||b",
    "tabs\tand  two spaces",
    "trousers \U0001f456 in déjà-vu denim",
    "日本語 のシャツ",
    "",
    "gonna cost $5.99 at http://shop.example/a?b=c #sale @me",
]


def program(text: str, folder: Path) -> list[str]:
    """Tokenize with the tokenizer's own command line, and filter its lines as pycocoevalcap does."""
    file = folder / "texts.txt"
    file.write_text(text, encoding="utf-8")
    tokenizer = ["java", "-cp", str(TOKENIZER_JAR), "edu.stanford.nlp.process.PTBTokenizer"]
    out = subprocess.run([*tokenizer, "-preserveLines", "-lowerCase", str(file)], capture_output=True, check=True)
    lines = [line.rstrip().split(" ") for line in out.stdout.decode().split("\n")]
    return [" ".join(word for word in line if word not in official.PUNCTUATIONS) for line in lines]


def test_odd_texts_equal_the_program(jvm, java_on_path, tmp_path):
    tokens = tokenize(ODD, jvm)
    lines = program("\n\n".join(ODD) + "\n", tmp_path)  # an empty line after each: no neighbour
    assert [tokens[text] for text in ODD] == lines[: 2 * len(ODD) : 2]


def test_all_coco_captions_equal_the_program_on_one_file(jvm, java_on_path, coco, tmp_path):
    captions, references = coco
    texts = [text.replace("\n", " ") for item, of_item in references.items() for text in (captions[item], *of_item)]
    tokens = tokenize(texts, jvm)
    assert [tokens[text] for text in texts] == program("\n".join(texts), tmp_path)[: len(texts)]


def test_the_tokens_of_a_text_do_not_depend_on_its_neighbours(jvm):
    alone = tokenize(["waist 5 in."], jvm)["waist 5 in."]
    for neighbour in ("A coat", "a coat", "zip"):
        assert tokenize(["waist 5 in.", neighbour], jvm)["waist 5 in."] == alone


def test_a_text_with_line_breaks_stays_one(jvm):
    text = "a red\ndress\r\nwith\u2028sleeves"
    assert tokenize([text, "a cap"], jvm) == {text: "a red dress with sleeves", "a cap": "a cap"}
