"""Rounds of ratings: files ratings/rounds/<name>.yaml in git, typed and checked as parameters are."""

import re
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, field_validator, model_validator

from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file
from pipeline.core.params import Section, load, suggest
from pipeline.names import explain_unknown_name

ROUNDS = Path("ratings/rounds")
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
REFERENCE = "reference"  # the arm of the shop's own descriptions
QUESTIONS = {
    "better": "Which caption describes this garment better?",
    "right": "Which caption is more right about this garment?",
    "complete": "Which caption says more of what one sees?",
    "reads-well": "Which caption reads better?",
}
TEMPLATE = """# A round of blind ratings: `lookbook app`, page Rate. Once somebody has rated, nothing here may change.
a: {a}
b: {b}
others: {others} # further arms: each pair of arms has as many garments
questions: # asked of each pair, in this order: better, right, complete, reads-well
{questions}
items: {items} # garments drawn, one of a product; those with equal captions count as ties and are not shown
seed: {seed}
strata: {strata} # category: in proportion to the categories; none
overlap: {overlap} # all: every rater judges every pair; else how many pairs all judge, one rater each of the others
raters: {raters} # how many are planned
repeats: {repeats} # share of the pairs that come again with sides swapped
show_reference: {show_reference} # true: the shop's own description stands above the two captions
"""


class Round(Section):
    """A round: which captions are compared, on which garments, and who judges what.

    Attributes:
        a: The arm whose preference is counted as positive, such as `tiny-blip2-opt-ft`: a captioner with its variant,
            or `reference`.
        b: The arm it is compared with.
        others: Further arms.
        questions: Keys of `QUESTIONS`.
        items: Garments that are drawn.
        seed: Of what is drawn; order and sides also depend on the rater.
        strata: What the garments are drawn in proportion to.
        overlap: Pairs that every rater judges.
        raters: The number of raters that are planned.
        repeats: The share of a rater's pairs that come again with sides swapped.
        show_reference: Whether the shop's own description is shown.
    """

    a: str
    b: str
    others: list[str] = Field(default=[])
    questions: list[Literal["better", "right", "complete", "reads-well"]] = Field(default=["better"])
    items: Annotated[int, Field(ge=1)] = 100
    seed: Annotated[int, Field(ge=0)] = 42
    strata: Literal["category", "none"] = "category"
    overlap: Literal["all"] | Annotated[int, Field(ge=0)] = "all"
    raters: Annotated[int, Field(ge=1)] = 1
    repeats: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    show_reference: bool = False

    @property
    def arms(self) -> list[str]:
        """The arms, a and b first."""
        return [self.a, self.b, *self.others]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each pair of arms, in the order of `arms`."""
        return list(combinations(self.arms, 2))

    @field_validator("questions")
    @classmethod
    def _refuse_repeated_questions(cls, questions: list[str]) -> list[str]:
        if not questions or len(set(questions)) < len(questions):
            raise ValueError(f"each at most once, and at least one of {', '.join(QUESTIONS)}; found {questions}")
        return questions

    @model_validator(mode="after")
    def _refuse_equal_arms(self) -> "Round":
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"a, b, others: the arms must differ; found {', '.join(self.arms)}")
        if self.show_reference and REFERENCE in self.arms:
            raise ValueError("show_reference: true would show which caption is the reference; set it to false")
        return self


def list_arms(captioners: list[str]) -> list[str]:
    """List the arms that a study has: each captioner's two variants, and the reference.

    >>> list_arms(["llava"])
    ['llava-ft', 'llava-pt', 'reference']
    """
    return [f"{captioner}-{variant}" for captioner in captioners for variant in ("ft", "pt")] + [REFERENCE]


def split_arm(arm: str) -> tuple[str, str]:
    """Return the captioner and variant of an arm; the reference has no variant.

    >>> split_arm("tiny-blip2-opt-ft")
    ('tiny-blip2-opt', 'ft')
    """
    captioner, _, variant = arm.rpartition("-")
    return (arm, "") if arm == REFERENCE else (captioner, variant)


def read_round(path: Path, captioners: list[str]) -> Round:
    """Read a round.

    Args:
        path: ratings/rounds/<name>.yaml.
        captioners: The captioners of the study.

    Raises:
        UserError: the message lists every unknown key, every wrong value, and arms that the study does not have.
    """
    values = load(path)
    problems = []
    try:
        Round.model_validate(values)
    except pydantic.ValidationError as error:
        problems = [_describe(problem) for problem in error.errors()]
    if not NAME.fullmatch(path.stem):
        problems.append(f"the name {path.stem!r} is not allowed; use small letters, digits and hyphens")
    allowed = list_arms(captioners)
    arms = [values.get("a"), values.get("b"), *(values.get("others") or [])]
    unknown = [explain_unknown_name("arm of this study", arm, allowed) for arm in arms if isinstance(arm, str)]
    problems += [problem for problem in unknown if problem]
    if problems:
        raise UserError(f"{path}: {len(problems)} error(s)\n" + "\n".join(f"  {problem}" for problem in problems))
    return Round.model_validate(values)


def read_rounds(folder: Path, captioners: list[str]) -> dict[str, Round]:
    """Read every round of a folder, by name, sorted.

    Raises:
        UserError: a round has an error.
    """
    return {path.stem: read_round(path, captioners) for path in sorted(folder.glob("*.yaml"))}


def write_round(folder: Path, name: str, own: Round) -> Path:
    """Write a round as a file with comments; return its path.

    Raises:
        UserError: the name is not allowed, or there is such a round.
    """
    path = folder / f"{name}.yaml"
    if not NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name of a round; use small letters, digits and hyphens")
    if path.exists():
        raise UserError(f"{path}: there is such a round already; a round is never changed: choose another name")
    values = own.model_dump()
    values["questions"] = "\n".join(f"- {question}" for question in own.questions)
    values["others"] = f"[{', '.join(own.others)}]"
    values["show_reference"] = str(own.show_reference).lower()
    with new_file(path) as partial:
        partial.write_text(TEMPLATE.format(**values), encoding="utf-8")
    return path


def _describe(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"] if part != "constrained-int" and "literal" not in str(part))
    if problem["type"] == "extra_forbidden":
        known = list(Round.model_fields)
        hint = suggest(key, known) or "; known here: " + ", ".join(known)
        return f"{key}: unknown key{hint}"
    if problem["type"] == "missing":
        return f"{key}: missing; give an arm, such as tiny-blip2-opt-ft"
    if problem["type"] == "value_error":
        return ": ".join(part for part in (key, str(problem["ctx"]["error"])) if part)
    message = problem["msg"]
    return f"{key}: {problem['input']!r} is not allowed; {message[:1].lower()}{message[1:]}"
