"""The training defects of the study's own code, each put into a copy of ours: a named test must fail (`.ci/full`)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.full import full

ROOT = Path(__file__).parents[3]
COPIED = [
    "captioning",
    "catalogue",
    "features",
    "pipeline",
    "sample",
    "tests/captioning",
    "tests/helpers",
    "studies",
    "params.yaml",
    "pyproject.toml",
]
ENCODING = "captioning/modelling/encoding.py"
FINE_TUNING = "captioning/training/fine_tuning.py"
FAMILY_TESTS = "tests/captioning/families"
TRAINING_TESTS = "tests/captioning/training"

# The defect, its file, the code as it is, the code with the defect, and the test that must fail.
DEFECTS = {
    "T5's encoder sees the caption": (
        ENCODING,
        "return Example(prompt.input_ids, captioner.forced_ids + answer)",
        "return Example(ids, captioner.forced_ids + answer)",
        f"{FAMILY_TESTS}/test_blip2_t5.py::TestBlip2T5::test_the_input_is_the_prompt_and_only_a_decoder_s_holds_the_caption",
    ),
    "padding to 512": (
        ENCODING,
        "longest = max(map(len, rows))",
        "longest = 512",
        f"{FAMILY_TESTS}/test_blip2_opt.py::TestBlip2Opt::test_padding_is_never_supervised_and_ends_with_the_longest",
    ),
    "padding supervised": (
        ENCODING,
        "pad([example.labels for example in examples], IGNORED)",
        "pad([example.labels for example in examples], pad_id)",
        f"{FAMILY_TESTS}/test_blip2_opt.py::TestBlip2Opt::test_padding_is_never_supervised_and_ends_with_the_longest",
    ),
    "no EOS": (
        ENCODING,
        "[*caption, captioner.eos_id]",
        "[*caption]",
        f"{FAMILY_TESTS}/test_llava.py::TestLlava::test_the_last_supervised_token_is_the_only_eos",
    ),
    "prompt supervised": (
        ENCODING,
        "[IGNORED] * len(prompt.input_ids) + answer",
        "ids",
        f"{FAMILY_TESTS}/test_llava.py::TestLlava::test_exactly_the_caption_and_eos_are_supervised",
    ),
    "LoRA by suffix, in the CLIP tower too": (
        "captioning/modelling/llava.py",
        r'r".*language_model.*\.(q_proj|v_proj)"',
        r'r".*\.(q_proj|v_proj)"',
        f"{FAMILY_TESTS}/test_llava.py::TestLlava::test_lora_stays_inside_the_language_model",
    ),
    "adapter ignored for LLaVA": (
        "captioning/modelling/loading.py",
        "if adapter is not None:",
        'if adapter is not None and family != "llava":',
        "tests/captioning/test_train.py::test_the_adapter_changes_the_captions[llava]",
    ),
    "max_length counts the prompt": (
        "captioning/modelling/generation.py",
        "max_new_tokens=max_new_tokens,",
        "max_length=max_new_tokens,",
        f"{FAMILY_TESTS}/test_llava.py::TestLlava::test_max_new_tokens_does_not_count_the_prompt",
    ),
    "no seed": (
        FINE_TUNING,
        "set_seed(params.seed)",
        "torch.seed()",
        f"{TRAINING_TESTS}/test_fine_tuning.py::test_the_seed_decides_the_bytes",
    ),
    "the last epoch instead of the best": (
        "captioning/training/history.py",
        "min(list_evaluations(log), key=lambda evaluation: (evaluation.loss, evaluation.step), default=None)",
        "max(list_evaluations(log), key=lambda evaluation: evaluation.step, default=None)",
        f"{TRAINING_TESTS}/test_fine_tuning.py::test_the_best_epoch_is_kept_not_the_last",
    ),
    "a cosine that rises again": (
        "captioning/training/schedule.py",
        "min((step - rising) / falling, 1.0)",
        "(step - rising) / (falling / 2)",
        f"{TRAINING_TESTS}/test_fine_tuning.py::test_the_rate_falls_to_its_lowest_over_exactly_the_steps_of_the_run",
    ),
    "no resume": (
        FINE_TUNING,
        "resume_from_checkpoint=str(checkpoint) if checkpoint else None",
        "resume_from_checkpoint=None",
        f"{TRAINING_TESTS}/test_fine_tuning.py::test_interrupted_equals_uninterrupted[blip2_opt]",
    ),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


def run_test(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    words = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-m", "slow or not slow", name]
    command = [sys.executable, "-m", "pytest", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@full
@pytest.mark.parametrize("defect", DEFECTS)
def test_put_back_it_is_noticed(defect: str, copy: Path) -> None:
    file, right, wrong, name = DEFECTS[defect]
    text = (copy / file).read_text()
    assert text.count(right) == 1, f"{file} has changed: update the code of this defect here"
    assert run_test(copy, name).returncode == 0
    (copy / file).write_text(text.replace(right, wrong))
    try:
        noticed = run_test(copy, name)
    finally:
        (copy / file).write_text(text)
    assert noticed.returncode == 1, noticed.stdout  # 1: a test failed; a test that cannot run gives another code
