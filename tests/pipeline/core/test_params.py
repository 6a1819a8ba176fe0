"""Every error of a file in one message, with key, value, what is allowed and the nearest name."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipeline.core import params as module
from pipeline.core.errors import UserError
from pipeline.core.params import Section, list_problems, load, read, suggest


class CaptionScore(Section):
    spice: Literal["required", "skip"]


class CaptionGenerate(Section):
    max_new_tokens: Annotated[int, Field(gt=0, le=512)]
    batch_size: Annotated[int, Field(gt=0)]


class Family(Section):
    family: str


class Params(Section):
    lr: Annotated[float, Field(gt=0, le=1)]
    seed: int
    caption_score: CaptionScore
    caption_generate: CaptionGenerate


RIGHT = """\
lr: 0.0005
seed: 42
caption_score:
  spice: required
caption_generate:
  max_new_tokens: 64
  batch_size: 8
"""


def read_text(folder: Path, text: str) -> Params:
    (folder / "params.yaml").write_text(text)
    return read(Params, folder / "params.yaml")


def refused(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        read_text(folder, text)
    return str(caught.value)


def test_what_a_stage_does_not_name_may_be_there_or_not(tmp_path: Path) -> None:
    params = read_text(tmp_path, RIGHT + "batch_size: 16\nrec_score:\n  cutoffs: [5, 12]\n")
    assert (params.lr, params.seed, params.caption_score.spice, params.caption_generate.batch_size) == (
        0.0005,
        42,
        "required",
        8,
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("lr: 0.0005", "learning_rat: 0.0005"), "learning_rat: unknown key"),
        (("seed: 42", "sead: 42"), "sead: unknown key; did you mean seed?"),
        (
            ("max_new_tokens", "max_new_token"),
            "caption_generate.max_new_token: unknown key; did you mean max_new_tokens?",
        ),
        (("caption_score:", "caption_scores:"), "caption_scores: unknown key; did you mean caption_score?"),
        (("seed: 42", "seed: many"), "seed: 'many' is not allowed; input should be a valid integer"),
        (("seed: 42", "seed: 42.0"), "seed: 42.0 is not allowed"),
        (("seed: 42", 'seed: "42"'), "seed: '42' is not allowed"),
        (("seed: 42", "seed: true"), "seed: True is not allowed"),
        (("lr: 0.0005", "lr: -1"), "lr: -1 is not allowed; input should be greater than 0"),
        (("lr: 0.0005", "lr: 2"), "lr: 2 is not allowed; input should be less than or equal to 1"),
        (("lr: 0.0005", "lr: .nan"), "lr: nan is not allowed"),
        (("lr: 0.0005", "lr:"), "lr: None is not allowed"),
        (
            ("spice: required", "spice: skp"),
            "caption_score.spice: 'skp' is not allowed; input should be 'required' or 'skip'; did you mean skip?",
        ),
        (("seed: 42\n", ""), "seed: missing; see studies/sample.yaml"),
    ],
)
def test_one_error_names_key_value_and_what_is_allowed(tmp_path: Path, wrong: tuple[str, str], message: str) -> None:
    text = refused(tmp_path, RIGHT.replace(*wrong))
    assert str(tmp_path / "params.yaml") in text
    assert message in text


def test_all_errors_come_in_one_message(tmp_path: Path) -> None:
    wrong = (
        RIGHT.replace("0.0005", "-3").replace("seed", "sed").replace("required", "maybe").replace("8", "0")
        + "rec_fit:\n  userkn:\n    k: 3\n"
    )
    text = refused(tmp_path, wrong)
    assert "6 error(s)" in text
    for part in (
        "lr: -3",
        "sed: unknown",
        "seed: missing",
        "spice: 'maybe'",
        "batch_size: 0",
        "rec_fit.userkn: unknown key; did you mean userknn?",
    ):
        assert part in text
    assert len(text.splitlines()) == 7


def test_a_key_without_a_near_name_shows_the_known_ones(tmp_path: Path) -> None:
    shown = refused(tmp_path, RIGHT + "rec_score:\n  zzz: 1\n")
    assert "rec_score.zzz: unknown key; known here: cold_purchases, cold_buyers, slice_categories, cutoffs" in shown


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-05", 1e-5), ("1e-5", 1e-5), ("5e-5", 5e-5), ("1e-4", 1e-4), ("1.0e-4", 1e-4), ("5E-05", 5e-5), ("1", 1.0)],
)
def test_rates_as_dvc_and_people_write_them_are_numbers(tmp_path: Path, written: str, value: float) -> None:
    rate = read_text(tmp_path, RIGHT.replace("0.0005", written)).lr
    assert isinstance(rate, float)
    assert rate == value


@pytest.mark.parametrize("rate", ["1e-5", "5e-5", "1e-4"])
def test_a_rate_set_by_dvc_is_read_back(tmp_path: Path, rate: str) -> None:
    from dvc.utils.hydra import apply_overrides

    (tmp_path / "params.yaml").write_text(RIGHT)
    apply_overrides(tmp_path / "params.yaml", [f"lr={rate}"])  # what `dvc exp run -S` does
    assert read(Params, tmp_path / "params.yaml").lr == float(rate)


def test_words_that_yaml_11_took_for_booleans_stay_words(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("dataset: no\nwriter: on\n")
    assert load(tmp_path / "params.yaml") == {"dataset": "no", "writer": "on"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RIGHT + "lr: 0.1\n", "keep only one of the two keys"),
        ("lr: [1\n", "not valid YAML"),
        ("lr: \t1\n\t- x", "not valid YAML"),
        ("- lr\n- seed\n", "expected a mapping of keys to values, found list"),
        ("", "expected a mapping of keys to values, found NoneType"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text)


def test_duplicates_are_named(tmp_path: Path) -> None:
    assert 'duplicate key "lr"' in refused(tmp_path, RIGHT + "lr: 0.1\n")


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; run from the root of the project"):
        read(Params, tmp_path / "params.yaml")


def test_a_folder_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "params.yaml").write_bytes(b"lr: \xff\xfe\x00")
    with pytest.raises(UserError):
        load(tmp_path / "params.yaml")


def test_names_chosen_by_the_study_are_free_but_their_keys_are_not() -> None:
    values = {"captioners": {"my-own": {"famly": "llava"}, "another": {"family": "llava"}}}
    assert list_problems(values, []) == ["captioners.my-own.famly: unknown key; did you mean family?"]


def test_a_key_that_the_reference_has_and_the_stage_lacks_is_an_error_and_no_crash(tmp_path: Path) -> None:
    class Narrow(Section):
        spice: Literal["required", "skip"]

    class Old(Section):
        caption_generate: Narrow

    (tmp_path / "params.yaml").write_text("caption_generate:\n  batch_size: 3\n")
    with pytest.raises(UserError, match=r"caption_generate\.batch_size: unknown key, though"):
        read(Old, tmp_path / "params.yaml")


def test_a_root_key_that_two_stages_read_is_wrong_once() -> None:
    class Other(Section):
        seed: int

    assert len([line for line in list_problems({"seed": "x"}, [Params, Other]) if line.startswith("seed:")]) == 1


def test_own_checks_of_a_section_speak_in_their_own_words(tmp_path: Path) -> None:
    from pydantic import model_validator

    class Checked(Section):
        seed: int

        @model_validator(mode="after")
        def even(self) -> "Checked":
            if self.seed % 2:
                raise ValueError("seed: 43 is odd")
            return self

    (tmp_path / "params.yaml").write_text("seed: 43\n")
    with pytest.raises(UserError, match=r"\n  seed: 43 is odd$"):
        read(Checked, tmp_path / "params.yaml")


def test_nearest_names_one_or_none() -> None:
    assert suggest("userkn", ["userknn", "itemknn"]) == "; did you mean userknn?"
    assert suggest("zzz", ["userknn", "itemknn"]) == ""


def test_params_import_nothing_heavy() -> None:
    code = f"import sys; import {module.__name__}; print({{'torch', 'pandas', 'transformers'}} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "set()"
    )
