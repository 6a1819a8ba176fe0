"""mypy compares every family with `Family`: `_typed.py` must name each of them."""

import ast

from pipeline.names import ROOT, allowed_names

TYPED = ROOT / "captioning/families/_typed.py"


def test_every_family_with_a_model_is_compared_with_the_protocol() -> None:
    assignments = [node for node in ast.walk(ast.parse(TYPED.read_text())) if isinstance(node, ast.AnnAssign)]
    typed = {ast.unparse(node.value): ast.unparse(node.annotation) for node in assignments if node.value}
    assert set(typed) == set(allowed_names("captioning/families")) - {"file"}
    assert set(typed.values()) == {"Family", "FeatureFamily", "ChatFamily"}
