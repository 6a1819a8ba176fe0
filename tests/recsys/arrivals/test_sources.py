"""Sources of the arrivals' features: found by folder, refused where they lack arrivals, compared with the reference."""

from pathlib import Path

import numpy as np
import pytest

from features.files import all_rows, write_features
from pipeline.core.errors import UserError
from recsys.arrivals.sources import compare_with_reference, read_sources

IDS = [f"i{number}" for number in range(9)]
FOLDERS = [Path("sources/words"), Path("imputed/words")]


def write(folder: str, ids: list[str] = IDS, dim: int = 3) -> None:
    write_features(folder, ids, np.random.default_rng(len(ids)).normal(size=(len(ids), dim)))


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in FOLDERS:
        folder.mkdir(parents=True)


def test_every_folder_is_a_source_and_may_hold_more_items() -> None:
    write("sources/words/reference", [*IDS, "other"])
    write("sources/words/none")
    write("imputed/words/mean", [*IDS, "other"])
    write("imputed/words/warm-mean", ["other"])
    (FOLDERS[0] / "no source").mkdir()
    sources = read_sources(FOLDERS, IDS, 3)
    assert [source.name for source in sources] == ["mean", "none", "reference"]
    assert [source.name for source in sources if source.has(["other", *IDS])] == ["mean", "reference"]


def test_no_source_at_all_is_refused() -> None:
    with pytest.raises(UserError, match=r"no source of features for arrivals in sources/words or imputed/words"):
        read_sources(FOLDERS, IDS, 3)


def test_a_source_that_lacks_arrivals_names_the_first_five() -> None:
    write("sources/words/reference", IDS[7:])
    with pytest.raises(
        UserError, match=r"sources/words/reference: 7 of 9 items have no features, first i0, i1, i2, i3, i4, …"
    ):
        read_sources(FOLDERS, IDS, 3)


def test_a_source_of_another_extractor_is_refused() -> None:
    write("sources/words/reference", dim=4)
    with pytest.raises(UserError, match="features of 4 dimensions, but models were fitted on 3"):
        read_sources(FOLDERS, IDS, 3)


def test_two_sources_of_one_name_are_refused() -> None:
    write("sources/words/mean")
    write("imputed/words/mean")
    with pytest.raises(UserError, match="imputed/words/mean: the source mean is in sources/words/mean too"):
        read_sources(FOLDERS, IDS, 3)


def test_similarity_is_the_cosine_of_centred_vectors() -> None:
    random = np.random.default_rng(0)
    one, two, centre = random.normal(size=(5, 3)), random.normal(size=(5, 3)), random.normal(size=3)
    a, b = one - centre, two - centre
    expected = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    found = compare_with_reference(all_rows(one.astype(np.float32)), all_rows(two.astype(np.float32)), centre)
    assert found == pytest.approx(expected, abs=1e-6)
    assert compare_with_reference(all_rows(one), all_rows(one), centre) == pytest.approx(1)
    nothing = all_rows(np.tile(centre, (5, 1)).astype(np.float32))
    assert (
        compare_with_reference(nothing, all_rows(one), centre.astype(np.float32).astype(np.float64)).tolist() == [0] * 5
    )
