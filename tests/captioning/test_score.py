"""The stage on a small study with the real tagger, MiniLM and METEOR, without SPICE."""

import json
import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from captioning import score
from captioning.scores import bleu, meteor, reference_based
from captioning.scores.java.process import Jvm
from captioning.scores.study import load
from pipeline.core.errors import UserError
from tests.helpers.scored_study import write_classifier, write_study

SETS = [
    ("one", "pt"),
    ("one", "ft"),
    ("one", "floor"),
    ("two", "pt"),
    ("two", "ft"),
    ("two", "floor"),
    ("ceiling", "ceiling"),
]
CONTRACT = {
    *("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider"),
    *("attribute_precision", "attribute_recall", "attributes_selected"),
    *("visible_recall", "invisible_recall", "core_precision", "core_type", "core_colour"),
    *("accuracy", "accuracy_zero_shot", "length_ratio", "finished_share", "items"),
}
STATISTICS = {*bleu.STATISTICS, *meteor.STATISTICS}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Write the study without a classifier and without scores, and go there."""
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path, "skip")
    return tmp_path


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Run the stage once; return metrics/captions.json, data/scores/captions.parquet and the folder."""
    folder = tmp_path_factory.mktemp("scored")
    write_study(folder, "skip")
    write_classifier(folder / "data" / "classifier")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        score.main()
    return json.loads((folder / score.METRICS).read_text()), pd.read_parquet(folder / score.SCORES), folder


def values(metrics, captioner, variant):
    return metrics[captioner] if captioner == "ceiling" else metrics[captioner][variant]


@pytest.mark.slow
def test_scores_take_the_threads_of_the_machine_and_are_the_same(study, scored, monkeypatch):
    """Two threads as in the sample, three here: Java's programs, and torch's after the tagger, which takes one."""
    metrics, _, _ = scored
    write_classifier(study / "data" / "classifier")
    params = (study / "params.yaml").read_text()
    (study / "params.yaml").write_text(params.replace("  threads: 2", "  threads: 3"))
    before, of_java = torch.get_num_threads(), []

    def make_jvm(spice_folder, threads):
        of_java.append(threads)
        return Jvm(spice_folder, threads)

    monkeypatch.setattr(reference_based, "Jvm", make_jvm)
    try:
        score.main()
        assert (of_java, torch.get_num_threads()) == ([3], 3)
    finally:
        torch.set_num_threads(before)
    assert json.loads(score.METRICS.read_text()) == metrics


def test_the_metrics_are_those_of_the_contract_and_spice_is_listed_as_skipped(scored):
    metrics, _, _ = scored
    assert list(metrics) == ["one", "two", "ceiling", "reference", "skipped"]
    for captioner, variant in SETS:
        metrics_of_set = values(metrics, captioner, variant)
        assert set(metrics_of_set) == CONTRACT - ({"finished_share"} if captioner == "ceiling" else set())
        assert all(math.isfinite(value) for value in metrics_of_set.values())
        assert metrics_of_set["items"] == 12
    assert metrics["skipped"][0] == "spice: `caption_score.spice: skip` in params.yaml"


def test_every_item_has_every_metric_and_statistic(scored):
    _, table, _ = scored
    assert list(table.columns) == ["item_id", "captioner", "variant", "metric", "value"]
    assert table["value"].dtype == "float64"
    assert not table.duplicated(["item_id", "captioner", "variant", "metric"]).any()
    for captioner, variant in SETS:
        rows = table[table["captioner"].eq(captioner) & table["variant"].eq(variant)]
        expected = (CONTRACT - {"items"}) | STATISTICS
        assert set(rows["metric"]) == expected - ({"finished_share"} if captioner == "ceiling" else set())
        assert rows["item_id"].nunique() == 12


def test_the_scores_on_disk_give_the_metrics_at_full_precision(scored):
    """Defect: rounded twice, the corpus scores would not be the means and sums of the per-item scores."""
    metrics, table, _ = scored
    for captioner, variant in SETS:
        rows = table[table["captioner"].eq(captioner) & table["variant"].eq(variant)]
        wide = rows.pivot(index="item_id", columns="metric", values="value")
        expected = values(metrics, captioner, variant)
        sums = wide.sum()
        corpus = bleu.bleu_from_statistics(sums[list(bleu.STATISTICS)].to_numpy()).tolist()
        assert corpus == [expected[f"bleu_{n}"] for n in (1, 2, 3, 4)]
        assert meteor.meteor_from_statistics(sums[list(meteor.STATISTICS)].to_numpy()) == expected["meteor"]
        for metric in ("rouge_l", "cider", "attribute_precision", "attribute_recall", "core_precision", "accuracy"):
            assert expected[metric] == pytest.approx(wide[metric].mean(), abs=1e-15)


def test_captions_equal_to_the_references_floor_and_ceiling(scored):
    metrics, _, _ = scored
    ft, floor, ceiling = metrics["one"]["ft"], metrics["one"]["floor"], metrics["ceiling"]
    assert ft["bleu_4"] == pytest.approx(1.0, abs=1e-8)
    assert ft["attribute_precision"] == ft["core_precision"] == ft["length_ratio"] == 1.0
    assert floor["bleu_4"] < ft["bleu_4"]
    assert floor["core_precision"] < 0.7
    assert floor["length_ratio"] == 1.0  # the same captions
    assert ceiling["core_precision"] == 1.0
    assert 0 < ceiling["bleu_1"] < 1


def test_an_empty_caption_counts_and_unfinished_ones_are_seen(scored):
    metrics, table, _ = scored
    empty = table[table["captioner"].eq("two") & table["variant"].eq("ft") & table["item_id"].eq("0000000000")]
    of_empty = empty.set_index("metric")["value"]
    assert of_empty["bleu_4"] < 1e-9
    assert of_empty[["meteor", "rouge_l", "cider", "attribute_precision", "attributes_selected"]].tolist() == [0.0] * 5
    assert "core_precision" not in of_empty  # it names nothing: left out, with a note
    assert any(note.startswith("core_precision: left out where") and "two ft 1" in note for note in metrics["skipped"])
    assert metrics["two"]["ft"]["finished_share"] == 11 / 12
    assert metrics["one"]["ft"]["finished_share"] == 1.0


def test_attributes_and_confusions_are_counted_for_every_set(scored):
    metrics, table, folder = scored
    attributes, confusions = pd.read_parquet(folder / score.BY_ATTRIBUTE), pd.read_parquet(folder / score.CONFUSIONS)
    for captioner, variant in SETS:
        rows = attributes[attributes["captioner"].eq(captioner) & attributes["variant"].eq(variant)]
        selected = table[table["captioner"].eq(captioner) & table["variant"].eq(variant)]
        selected = selected[selected["metric"].eq("attributes_selected")]["value"].sum()
        assert rows["right"].sum() + rows["invented"].sum() == selected
        assert rows["right"].sum() + rows["missed"].sum() == rows["reference"].sum() == 48
    for (captioner, variant), rows in confusions.groupby(["captioner", "variant"]):
        assert rows["items"].sum() == 12
        right = rows[rows["true_category"].eq(rows["predicted_category"])]["items"].sum() / 12
        expected = metrics["reference"] if captioner == "reference" else values(metrics, captioner, variant)
        assert right == pytest.approx(expected["accuracy"])
    assert set(metrics["reference"]) == {"accuracy", "accuracy_zero_shot"}


def test_the_words_of_every_caption_are_where_they_say_and_give_the_scores(scored):
    """Right and invented attributes, found again by their places in the captions, are those that were counted."""
    _, table, folder = scored
    words = pd.read_parquet(folder / score.WORDS)
    attributes = pd.read_parquet(folder / "data/attributes/items.parquet").set_index("item_id")["attributes"]
    counts = pd.read_parquet(folder / score.BY_ATTRIBUTE).set_index(["captioner", "variant", "attribute"])
    counts = counts.sort_index()
    assert words[["captioner", "variant"]].drop_duplicates().to_numpy().tolist() == [
        [captioner, variant] for captioner in ("one", "two") for variant in ("pt", "ft")
    ]
    for (captioner, variant), rows in words.groupby(["captioner", "variant"]):
        captions = pd.read_parquet(folder / f"data/captions/{captioner}-{variant}.parquet").set_index("item_id")
        right, invented = Counter(), Counter()
        for item, spans, category in zip(rows["item_id"], rows["attributes"], rows["predicted_category"], strict=True):
            caption = captions.loc[item, "caption"]
            for span in spans:
                assert caption[span["start"] : span["end"]].lower().startswith(span["attribute"])
            named, true = {span["attribute"] for span in spans}, set(attributes[item])
            right.update(named & true)
            invented.update(named - true)
            scores = table[table["item_id"].eq(item) & table["captioner"].eq(captioner) & table["variant"].eq(variant)]
            of_caption = scores.set_index("metric")["value"]
            assert of_caption["attributes_selected"] == len(named)
            assert category in ("dress", "skirt", "jacket")
        expected = counts.loc[captioner, variant]
        assert {name: int(count) for name, count in expected["right"].items() if count} == dict(right)
        assert {name: int(count) for name, count in expected["invented"].items() if count} == dict(invented)


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(scored, monkeypatch):
    _, _, folder = scored
    monkeypatch.chdir(folder)
    before = [path.read_bytes() for path in (score.METRICS, score.SCORES, score.WORDS)]
    score.main()
    assert [path.read_bytes() for path in (score.METRICS, score.SCORES, score.WORDS)] == before


def test_a_captioner_that_left_the_axis_is_not_read(study):
    shutil.copy("data/captions/one-pt.parquet", "data/captions/gone-pt.parquet")
    assert set(load(["one"], score.FILES).captions["captioner"]) == {"one", "ceiling"}


def test_the_floor_is_the_ft_captions_on_other_groups(study):
    captions = load(["one"], score.FILES).captions
    ft, floor = (
        captions[captions["variant"].eq(variant)].set_index("item_id")["caption"] for variant in ("ft", "floor")
    )
    assert sorted(ft) == sorted(floor)
    assert (ft != floor[ft.index]).all()


def test_the_ceiling_is_the_second_description_as_it_was_prepared(study):
    """Stage catalogue_prepare lower-cases both descriptions or neither."""
    truth = pd.read_parquet("data/prepared/truth.parquet")
    truth["second_description"] = truth["second_description"].str.title()
    truth.to_parquet("data/prepared/truth.parquet")
    captions = load(["one"], score.FILES).captions
    ceiling = captions[captions["variant"].eq("ceiling")]
    assert ceiling["caption"].tolist() == truth["second_description"].dropna().tolist()


def test_without_truth_there_is_no_ceiling_and_a_note_says_so(study):
    pd.DataFrame({"item_id": np.array([], dtype=str)}).to_parquet("data/prepared/truth.parquet")
    loaded = load(["one"], score.FILES)
    assert set(loaded.captions["variant"]) == {"pt", "ft", "floor"}
    assert [note.split(":")[0] for note in loaded.skipped] == ["ceiling", "core_precision"]


def test_one_large_group_has_no_floor_and_a_note_says_so(study):
    items = pd.read_parquet("data/prepared/items.parquet")
    items.assign(group=1).to_parquet("data/prepared/items.parquet")
    loaded = load(["one"], score.FILES)
    assert "floor" not in set(loaded.captions["variant"])
    assert loaded.skipped[0].startswith("floor: ")


def test_captions_that_do_not_fit_are_refused(study):
    path = Path("data/captions/one-ft.parquet")
    table = pd.read_parquet(path)
    table.iloc[3:].to_parquet(path)
    with pytest.raises(UserError, match=r"one-ft\.parquet: no caption for 3 of 12 test items, first 0000000000"):
        load(["one"], score.FILES)
    pd.concat([table, table.iloc[:1]]).to_parquet(path)
    with pytest.raises(UserError, match="item 0000000000 comes twice"):
        load(["one"], score.FILES)
    table.assign(caption=None).astype({"caption": "str"}).to_parquet(path)
    with pytest.raises(UserError, match="the caption of 0000000000 is no text"):
        load(["one"], score.FILES)
    path.unlink()
    with pytest.raises(UserError, match="no such file"):
        load(["one"], score.FILES)


def test_spice_required_without_corenlp_says_which_command_fetches_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path, "required")
    with pytest.raises(UserError, match="dvc repro caption_spice_models"):
        score.main()
    (tmp_path / "data" / "corenlp").mkdir()
    (tmp_path / "data" / "corenlp" / "SKIPPED").touch()
    with pytest.raises(UserError, match="dvc repro caption_spice_models"):
        score.main()


def test_a_captioner_named_like_a_key_of_the_metrics_is_refused(study):
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["captioners"] = {"ceiling": {"family": "llava"}}
    yaml.dump(params, Path("params.yaml"))
    with pytest.raises(UserError, match="ceiling: this name has a meaning of its own"):
        score.main()
