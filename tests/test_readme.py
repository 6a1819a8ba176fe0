"""The first screen of the README against the metrics in git. (Those of a run on another machine may differ in the last digit.)"""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def metrics(name: str) -> dict:
    """As committed, whatever has run here since."""
    command = ["git", "show", f"HEAD:metrics/{name}.json"]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def table_row(label: str) -> list[float]:
    """The numbers of the row that begins with `label`."""
    row = next(line for line in README.splitlines() if line.startswith(f"| {label} |"))
    return [float(cell) for cell in row.split("|")[2:] if cell.strip()]


def test_the_table_is_what_the_study_measured() -> None:
    captions, lists = metrics("captions")["tiny-blip2-opt"], metrics("recommendations")
    rows = {
        "the shop's own descriptions": "reference",
        "fine-tuned (FT)": "ft",
        "pre-trained (PT)": "pt",
        "no description": "none",
    }
    for label, variant in rows.items():
        shown = table_row(label)
        assert shown[0] == round(lists[f"masked-{variant}"]["vbpr-resbert"]["ndcg_masked_12"], 4)
        if variant in captions:
            scores = captions[variant]
            assert shown[1:] == [
                round(scores["bleu_4"], 3),
                round(scores["cider"], 2),
                round(scores["core_precision"], 3),
            ]


def test_the_sentences_under_it_are_too() -> None:
    text = README.replace("−", "-")
    for features, a, b, sign in [("resbert", "ft", "pt", 1), ("resbert", "ft", "reference", -1)]:
        row = next(
            row
            for row in all_rows(metrics("comparison"))
            if row.get("recommender") == f"vbpr-{features}"
            and row["metric"] == "ndcg_masked_12"
            and (row["a"], row["b"]) == (a, b)
        )
        low, high = sorted((sign * row["low"], sign * row["high"]))
        assert f"{sign * row['difference']:.4f} [{low:.4f}, {high:.4f}]" in text


def test_the_two_commands_are_those_that_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = re.findall(r"```bash\n(.+?)\n```", README, flags=re.DOTALL)[:2]
    assert commands == ["pip install -e '.[test]' && dvc repro", "pytest"]
    assert "-e '.[test]'" in ci
    assert "benchmarks/stages.py" in ci  # dvc repro, with the seconds by stage


def all_rows(values: object) -> list[dict]:
    if isinstance(values, list):
        return [row for value in values for row in all_rows(value)]
    if isinstance(values, dict):
        return [values] if "metric" in values else [row for value in values.values() for row in all_rows(value)]
    return []
