"""The first screen of the README against the metrics in git; another machine's may differ in the last digit."""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def metrics(name: str) -> dict:
    """Read metrics from the last commit, not from the working directory."""
    command = ["git", "show", f"HEAD:metrics/{name}.json"]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def table_row(label: str) -> list[float]:
    """Return the numbers of the row that begins with `label`."""
    row = next(line for line in README.splitlines() if line.startswith(f"| {label} |"))
    return [float(cell) for cell in row.split("|")[2:] if cell.strip()]


def test_the_table_is_what_the_study_measured() -> None:
    captions, lists = metrics("captions")["tiny-blip2-opt"], metrics("recommendations")
    rows = {
        "the shop's own": "reference",
        "fine-tuned caption (FT)": "ft",
        "pre-trained caption (PT)": "pt",
        "none": "none",
    }
    for label, variant in rows.items():
        shown, arm = table_row(label), lists[f"masked-{variant}"]
        assert shown[:3] == [round(arm[f"vbpr-{name}"]["ndcg_masked_12"], 4) for name in ("sbert", "resbert", "clip")]
        if variant in captions:
            scores = captions[variant]
            assert shown[3:] == [round(scores["bleu_4"], 3), round(scores["cider"], 2), round(scores["core_type"], 2)]
    for arm, words in (("bpr", "ranks the same garments with"), ("vbpr-resnet50", "VBPR on pictures alone has")):
        assert f"{words} {lists['original'][arm]['ndcg_masked_12']:.4f}." in README


def test_the_differences_under_it_are_too() -> None:
    rows = {
        row["recommender"]: row
        for row in metrics("comparison")["rows"]
        if row["table"] == "masked" and row["metric"] == "ndcg_masked_12" and (row["a"], row["b"]) == ("ft", "pt")
    }
    for name in ("vbpr-sbert", "vbpr-resbert", "vbpr-clip"):
        difference, low, high = (f"{rows[name][key]:+.4f}" for key in ("difference", "low", "high"))
        assert f"{difference} [{low}, {high}]" in README.replace("\N{MINUS SIGN}", "-")
    shown = rows["vbpr-sbert"]["low"] > 0 or rows["vbpr-sbert"]["high"] < 0
    assert ("a difference is not shown" in README) == (not shown)


def test_the_headline_is_the_one_in_git() -> None:
    """The column HEAD of `dvc metrics diff HEAD pt --precision 3`: the keys that PT changes."""
    headline = metrics("headline")
    rows = dict(re.findall(r"^((?:caption|rec_masked)_\w+) +(\S+) ", README, flags=re.MULTILINE))
    assert set(rows) == {key for key in headline if key.startswith(("caption_", "rec_masked_"))}
    assert {key: float(value) for key, value in rows.items()} == {key: round(headline[key], 3) for key in rows}


def test_the_two_commands_are_those_that_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = re.findall(r"```bash\n(.+?)\n```", README, flags=re.DOTALL)[:2]
    assert commands == ["pip install -e '.[test]' && dvc repro", "pytest"]
    assert "-e '.[test]'" in ci
    assert "benchmarks/stages.py" in ci  # dvc repro, with the seconds by stage
