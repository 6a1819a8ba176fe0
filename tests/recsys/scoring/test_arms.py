"""Names of recommenders are built and taken apart in one place."""

import re
from pathlib import Path

import pytest

from pipeline.core.errors import UserError
from pipeline.core.params import read
from pipeline.names import ROOT, allowed_names
from recsys import fit, score
from recsys.fitting.cells import parse_cell
from recsys.scoring import arms


def test_a_name_is_taken_apart_into_what_it_was_built_from() -> None:
    for recommender, features in (("vbpr", "sbert"), ("vbpr", "blip2-visual"), ("itemknn", None)):
        assert arms.split_name(arms.build_name(recommender, features)) == (recommender, features)


def test_a_recommenders_own_name_has_no_hyphen() -> None:
    """So that a name is taken apart without a list of recommenders."""
    assert [name for name in allowed_names("recsys/recommenders") if "-" in name] == []


def test_a_text_has_its_catalogue_and_an_unknown_one_is_refused() -> None:
    assert [arms.catalogue_of(text) for text in ("augmented", "masked-ft")] == ["all", "original"]
    with pytest.raises(UserError, match=r"--text: .*did you mean masked-ft"):
        arms.catalogue_of("masked-fd")


def read_params(*content_recommenders: str) -> score.Params:
    params = read(score.Params, ROOT / "studies" / "sample.yaml")
    return params.model_copy(update={"warm_content_recommenders": list(content_recommenders)})


def test_a_second_recommender_with_features_is_scored_wherever_the_first_is() -> None:
    before = score.name_files(read_params("vbpr"))
    after = score.name_files(read_params("vbpr", "second"))
    of_first = [file for file in before if file.recommender.startswith("vbpr-")]
    added = [file._replace(recommender=file.recommender.replace("vbpr-", "second-")) for file in of_first]
    assert added
    assert sorted(after) == sorted(before + added)


def test_its_lists_lie_where_they_are_scored() -> None:
    cells = [
        parse_cell("recsys.fit", "", f"--recommender second {arguments}".split())
        for arguments in ("--catalogue all --features resnet50", "--text masked-ft --features sbert")
    ]
    outputs = {fit.FOLDER / cell.arm / f"{cell.name}.parquet" for cell in cells}
    scored = {file.path(score.LISTS) for file in score.name_files(read_params("vbpr", "second"))}
    assert outputs == {
        Path("data/recommendations/all/second-resnet50.parquet"),
        Path("data/recommendations/masked-ft/second-sbert.parquet"),
    }
    assert outputs <= scored


@pytest.mark.parametrize("package", ["recsys", "lookbook", "catalogue", "features"])
def test_no_other_module_builds_a_name_or_takes_one_apart(package: str) -> None:
    """Nor the name of a masked text: `catalogue.descriptions.variants` alone knows how those are called."""
    homes = {ROOT / "recsys/scoring/arms.py", ROOT / "catalogue/descriptions/variants.py"}
    copy = re.compile(r"""f?["'](vbpr-|masked-)[{"']|\.partition\(["']-["']\)\[""")
    copies = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / package).rglob("*.py"))
        if path not in homes
        for line in path.read_text(encoding="utf-8").splitlines()
        if copy.search(line)
    ]
    assert copies == []
