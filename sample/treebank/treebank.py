"""Generates a treebank of garment descriptions for Stanza's trainers: words, lemmas and tags, without real syntax.

Half of the descriptions get invented words, so that the tagger learns from endings and neighbours, not from a list of
words. Half are in lower case, as captions are. The trees are chains, because CoNLL-U asks for a head and the trainers
of tokenizer, tagger and lemmatizer read none.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from sample.treebank import sentences
from sample.treebank.lexicon import WORDS, Phrase, Token, glue, invent_word, plural, word

Document = list[Phrase]

SENTENCES: dict[Callable[[Random], Phrase], int] = {  # weights of the sentences after the first
    sentences.details: 36, sentences.remark: 19, sentences.measure: 11, sentences.action: 11, sentences.content: 7,
    sentences.percentages: 5, sentences.without: 5, sentences.origin: 4, sentences.signs: 4, sentences.label: 5,
}  # fmt: skip
OPENINGS: dict[Callable[[Random], Phrase], int] = {
    sentences.opening: 84,
    sentences.pack: 6,
    sentences.praise: 6,
    sentences.label: 4,
}
ALT_TEXT_SHARE = 0.15
SUFFIXES = ("ed", "y", "able", "less", "ic", "al", "ing", "ive", "ous", "ant", "en")


def generate(rng: Random, words: int) -> list[Document]:
    """Generate different documents with at least this many words in all."""
    documents: list[Document] = []
    seen: set[str] = set()
    count = 0
    while count < words:
        document = _document(rng)
        text = format_text(document)
        if text not in seen:
            seen.add(text)
            documents.append(document)
            count += sum(len(sentence) for sentence in document)
    return documents


def _document(rng: Random) -> Document:
    if rng.random() < ALT_TEXT_SHARE:
        document = [sentences.alt_text(rng)]
    else:
        parts = [_choose(rng, OPENINGS)(rng)]
        parts += [_choose(rng, SENTENCES)(rng) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
        document = [_sentence(rng, part) for part in parts]
    if rng.random() < 0.5:
        document = [[_replace_word(rng, token, 0.35) for token in sentence] for sentence in document]
    if rng.random() < 0.5:
        document = [[token._replace(form=token.form.lower()) for token in sentence] for sentence in document]
    return document


def _choose(rng: Random, weights: dict[Callable[[Random], Phrase], int]) -> Callable[[Random], Phrase]:
    return rng.choices(list(weights), list(weights.values()))[0]


def _sentence(rng: Random, phrase: Phrase) -> Phrase:
    if rng.random() < 0.03:
        low, high = str(rng.randint(1, 12)), str(rng.randint(13, 24))
        sizes = glue(word(low, "NUM", "CD")) + glue(word("-", "SYM", "SYM")) + word(high, "NUM", "CD")
        phrase = phrase + sentences.bracket(
            word("sizes", "NOUN", "NNS", "size") + sizes + word("months", "NOUN", "NNS", "month")
        )
    first = phrase[0]
    capital = first._replace(form=first.form[0].upper() + first.form[1:])
    return [*glue([capital, *phrase[1:]]), *word(".", "PUNCT", ".")]


def _replace_word(rng: Random, token: Token, share: float) -> Token:
    """Replace a share of nouns and adjectives by invented words.

    An adjective keeps its suffix, because without it the word would look like a noun.
    """
    if (
        token.upos not in ("NOUN", "ADJ")
        or len(token.lemma) < 4
        or rng.random() > share
        or token.lemma in WORDS["pair_garments"]
    ):
        return token
    if token.upos == "NOUN":
        lemma = invent_word(rng)
        form = plural(lemma) if token.xpos == "NNS" else lemma
    else:
        suffix = next((suffix for suffix in SUFFIXES if token.lemma.endswith(suffix)), "")
        if not suffix:
            return token
        lemma = form = (invent_word(rng).rstrip("aeiouy") or "blen") + suffix
    if token.form[0].isupper():
        form = form[0].upper() + form[1:]
    return token._replace(form=form, lemma=lemma)


def format_text(document: Document) -> str:
    """Format a document as plain text."""
    return " ".join(_format_sentence(sentence) for sentence in document)


def _format_sentence(sentence: Phrase) -> str:
    return "".join(token.form + " " * token.space for token in sentence).strip()


def write_texts(path: Path, documents: Iterable[Document]) -> None:
    """Write a paragraph for each document, as the tokenizer's trainer reads it."""
    path.write_text("".join(f"{format_text(document)}\n\n" for document in documents), encoding="utf-8")


def write_conllu(path: Path, documents: Iterable[Document]) -> None:
    """Write CoNLL-U: ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC.

    See https://universaldependencies.org/format.html.
    """
    blocks = []
    for document in documents:
        for position, sentence in enumerate(document):
            lines = ["# newpar"] if position == 0 else []
            lines.append(f"# text = {_format_sentence(sentence)}")
            lines += [_format_line(number, token, number == len(sentence)) for number, token in enumerate(sentence, 1)]
            blocks.append("\n".join(lines) + "\n\n")
    path.write_text("".join(blocks), encoding="utf-8")


def _format_line(number: int, token: Token, last: bool) -> str:
    misc = "_" if token.space or last else "SpaceAfter=No"
    relation = "root" if number == 1 else "dep"
    fields = [number, token.form, token.lemma, token.upos, token.xpos, "_", number - 1, relation, "_", misc]
    return "\t".join(str(field) for field in fields)


def build_lemma_examples(
    rng: Random, documents: Iterable[Document], n_invented: int, repeats: int = 3
) -> list[Document]:
    """Build single words for the lemmatizer, which sees no context, each at most `repeats` times, and some nouns."""
    seen: Counter[Token] = Counter()
    examples: list[Document] = []
    for token in (token for document in documents for sentence in document for token in sentence):
        token = token._replace(space=True)
        seen[token] += 1
        if seen[token] <= repeats:
            examples.append([[token]])
    for _ in range(n_invented):
        lemma = invent_word(rng)
        is_plural = rng.random() < 0.7
        examples.append([word(plural(lemma) if is_plural else lemma, "NOUN", "NNS" if is_plural else "NN", lemma)])
    return examples
