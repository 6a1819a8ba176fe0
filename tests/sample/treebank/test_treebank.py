"""The generated treebank: repeatable, different texts, spaces, and CoNLL-U that Stanza reads."""

from pathlib import Path
from random import Random

from sample.treebank import treebank
from sample.treebank.lexicon import WORDS, Token

SPACED = [
    [
        [
            Token("A", "a", "DET", "DT"),
            Token("T", "t", "NOUN", "NN", False),
            Token("-", "-", "PUNCT", "HYPH", False),
            Token("shirt", "shirt", "NOUN", "NN", False),
            Token(".", ".", "PUNCT", "."),
        ],
        [Token("Lined", "lined", "ADJ", "JJ", False), Token(".", ".", "PUNCT", ".")],
    ]
]


def test_the_same_seed_gives_the_same_treebank() -> None:
    assert treebank.generate(Random(7), 2000) == treebank.generate(Random(7), 2000)
    assert treebank.generate(Random(7), 500) != treebank.generate(Random(8), 500)


def test_enough_words_and_no_text_twice() -> None:
    documents = treebank.generate(Random(1), 3000)
    texts = [treebank.format_text(document) for document in documents]
    assert len(set(texts)) == len(texts)
    assert sum(len(sentence) for document in documents for sentence in document) >= 3000


def test_half_is_in_lower_case_and_lemmas_always_are() -> None:
    documents = treebank.generate(Random(1), 20_000)
    lower = sum(treebank.format_text(document).islower() for document in documents) / len(documents)
    assert 0.4 < lower < 0.7
    lemmas = {token.lemma for document in documents for sentence in document for token in sentence}
    assert all(lemma == lemma.lower() for lemma in lemmas)


def test_invented_words_reach_the_treebank() -> None:
    known = {
        part
        for words in WORDS.values()
        for word in words
        for part in word.lower().replace("-", "_").replace("/", "_").split("_")
    }
    tokens = [token for document in treebank.generate(Random(2), 5000) for sentence in document for token in sentence]
    nouns = [token.lemma for token in tokens if token.upos == "NOUN"]
    assert 0.05 < sum(noun not in known for noun in nouns) / len(nouns) < 0.3


def test_text_follows_the_spaces() -> None:
    assert treebank.format_text(SPACED[0]) == "A T-shirt. Lined."


def test_conllu(tmp_path: Path) -> None:
    treebank.write_conllu(tmp_path / "x.conllu", SPACED)
    blocks = (tmp_path / "x.conllu").read_text().split("\n\n")
    lines = blocks[0].splitlines()
    assert lines[:2] == ["# newpar", "# text = A T-shirt."]
    assert lines[3] == "2\tT\tt\tNOUN\tNN\t_\t1\tdep\t_\tSpaceAfter=No"
    assert lines[6] == "5\t.\t.\tPUNCT\t.\t_\t4\tdep\t_\t_"
    assert blocks[1].splitlines()[0] == "# text = Lined."
    assert blocks[2] == ""


def test_conllu_is_read_back_by_stanza(tmp_path: Path) -> None:
    from stanza.utils.conll import CoNLL

    documents = treebank.generate(Random(9), 1000)
    treebank.write_conllu(tmp_path / "x.conllu", documents)
    read = [
        [(word.text, word.lemma, word.upos, word.xpos) for word in sentence.words]
        for sentence in CoNLL.conll2doc(str(tmp_path / "x.conllu")).sentences
    ]
    assert read == [[tuple(token[:4]) for token in sentence] for document in documents for sentence in document]


def test_lemma_examples_are_capped_and_hold_invented_nouns() -> None:
    token = Token("shirt", "shirt", "NOUN", "NN")
    examples = treebank.build_lemma_examples(Random(1), [[[token] * 10]], n_invented=20)
    assert sum(example == [[token]] for example in examples) == 3
    assert len(examples) == 23
    assert {example[0][0].upos for example in examples} == {"NOUN"}
