"""Trains the small Stanza pipeline (tokenizer, tagger, lemmatizer) on a generated treebank, by Stanza's trainers."""

import contextlib
import json
import logging
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import torch
from stanza.models import lemmatizer, tagger, tokenizer
from stanza.utils.datasets import prepare_tokenizer_data

from pipeline.core.outputs import new_folder
from sample.treebank import treebank

NAME = "tiny"  # of the package within the pipeline, as in resources.json
PROCESSORS = ("tokenize", "pos", "lemma")
WORDS = 28_000
DEV_WORDS = 4_000
INVENTED_LEMMAS = 2_500
STEPS = {"tokenize": 400, "pos": 500, "lemma_epochs": 4}


def build(folder: Path, seed: int = 42, scale: float = 1.0) -> dict[str, Any]:
    """Train the pipeline and write it to `folder` in the layout of `stanza.download`.

    It has 1.5 MB; training takes about 3 minutes on a core.

    Args:
        folder: Is replaced; receives resources.json, en/{tokenize,pos,lemma}/tiny.pt and provenance.json.
        seed: Of the treebank and of the trainers.
        scale: The share of the treebank's words and of the training steps, for a quick trial.

    Returns:
        The content of provenance.json: seed, steps, words, versions, seconds of each processor.
    """
    started = time.perf_counter()
    steps = {name: max(1, round(count * scale)) for name, count in STEPS.items()}
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch, _quiet(), _one_thread(), contextlib.chdir(scratch):
        # The trainers store these paths in the models; relative paths name no machine.
        words = _write_treebank(seed, scale)
        for processor, train in (("tokenize", _train_tokenizer), ("pos", _train_tagger), ("lemma", _train_lemmatizer)):
            start = time.perf_counter()
            train(seed, steps)
            seconds[processor] = round(time.perf_counter() - start, 1)
        models = {processor: Path(f"en/{processor}/{NAME}.pt").read_bytes() for processor in PROCESSORS}
    provenance = {
        "what": "Stanza pipeline for garment descriptions, trained on a generated treebank (sample/treebank)",
        "seed": seed, "scale": scale, "words": words, "steps": steps,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("stanza", "torch")},
        "seconds": seconds | {"all": round(time.perf_counter() - started, 1)},
    }  # fmt: skip
    _write(folder, models, provenance)
    return provenance


def _write(folder: Path, models: dict[str, bytes], provenance: dict[str, Any]) -> None:
    packages: dict[str, dict[str, dict]] = {processor: {NAME: {}} for processor in PROCESSORS}
    resources = {"en": {"lang_name": "English", "packages": {"default": dict.fromkeys(PROCESSORS, NAME)}, **packages}}
    with new_folder(folder) as partial:
        for processor, model in models.items():
            path = partial / "en" / processor / f"{NAME}.pt"
            path.parent.mkdir(parents=True)
            path.write_bytes(model)
        (partial / "resources.json").write_text(json.dumps(resources, indent=2) + "\n", encoding="utf-8")
        (partial / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")


def _write_treebank(seed: int, scale: float) -> int:
    rng = Random(seed)
    Path("treebank").mkdir()
    train, dev = (treebank.generate(rng, round(words * scale)) for words in (WORDS, DEV_WORDS))
    for name, documents in (("train", train), ("dev", dev)):
        treebank.write_conllu(Path(f"treebank/{name}.conllu"), documents)
        treebank.write_texts(Path(f"treebank/{name}.txt"), documents)
    lemmas = treebank.build_lemma_examples(rng, train, round(INVENTED_LEMMAS * scale))
    treebank.write_conllu(Path("treebank/lemma.conllu"), lemmas)
    return sum(len(sentence) for document in train for sentence in document)


def _train_tokenizer(seed: int, steps: dict[str, int]) -> None:
    for name in ("treebank/train", "treebank/dev"):
        prepare_tokenizer_data.main([f"{name}.txt", f"{name}.conllu", "-o", f"{name}.labels", "-m", f"{name}.mwt.json"])
    options: dict[str, object] = {"txt_file": "treebank/train.txt", "label_file": "treebank/train.labels"}
    options |= {"dev_txt_file": "treebank/dev.txt", "dev_label_file": "treebank/dev.labels"}
    options |= {"dev_conll_gold": "treebank/dev.conllu", "mwt_json_file": "treebank/dev.mwt.json"}
    options |= {"max_seqlen": 150, "batch_size": 24, "emb_dim": 16, "hidden_dim": 32}
    options |= {"steps": steps["tokenize"], "eval_steps": max(1, steps["tokenize"] // 2), "report_steps": 1000}
    tokenizer.main(_build_arguments("tokenize", seed, options, "--lang=en", "--no_use_mwt"))


def _train_tagger(seed: int, steps: dict[str, int]) -> None:
    options: dict[str, object] = {"train_file": "treebank/train.conllu", "eval_file": "treebank/dev.conllu"}
    options |= {
        "hidden_dim": 64,
        "char_hidden_dim": 64,
        "deep_biaff_hidden_dim": 64,
        "composite_deep_biaff_hidden_dim": 32,
    }
    options |= {
        "word_emb_dim": 32,
        "char_emb_dim": 32,
        "tag_emb_dim": 16,
        "transformed_dim": 48,
        "num_layers": 1,
        "word_cutoff": 3,
    }
    # batch_size counts sentences; the default dropout, 0.5, is too much for a model this narrow.
    options |= {"batch_size": 64, "lr": 3e-3, "dropout": 0.15, "word_dropout": 0.25}
    options |= {"max_steps": steps["pos"], "eval_interval": max(1, steps["pos"] // 5), "log_step": 1000}
    tagger.main(_build_arguments("pos", seed, options, "--lang=en", "--no_pretrain", "--fix_eval_interval"))


def _train_lemmatizer(seed: int, steps: dict[str, int]) -> None:
    options: dict[str, object] = {"train_file": "treebank/lemma.conllu", "eval_file": "treebank/dev.conllu"}
    options |= {"hidden_dim": 64, "emb_dim": 24, "pos_dim": 24, "batch_size": 100}  # pos_dim must equal emb_dim
    options |= {"num_epoch": steps["lemma_epochs"], "log_step": 10_000}
    # Without --caseless the capital at the start of a sentence hides a known word.
    lemmatizer.main(_build_arguments("lemma", seed, options, "--caseless"))


def _build_arguments(processor: str, seed: int, options: Mapping[str, object], *switches: str) -> list[str]:
    Path(f"en/{processor}").mkdir(parents=True)
    target = {"save_dir": f"en/{processor}", "save_name": f"{NAME}.pt", "shorthand": f"en_{NAME}"}
    values = [f"--{name}={value}" for name, value in {**target, **options}.items()]
    return ["--mode=train", "--cpu", f"--seed={seed}", *values, *switches]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence Stanza's log and its prints."""
    log = logging.getLogger("stanza")
    level = log.level
    log.setLevel(logging.ERROR)
    with contextlib.redirect_stdout(None):
        try:
            yield
        finally:
            log.setLevel(level)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Train on a single thread, where small models are several times faster and get the same weights on every run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
