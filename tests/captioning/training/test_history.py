"""Best epoch, patience, curve and samples, read from Trainer's log."""

from pathlib import Path

from captioning.training import history


def make_log(validation: list[float], steps_per_epoch: int = 3) -> history.Log:
    """Makes a log as Trainer writes it: a row for each step and for each evaluation."""
    rows = []
    for epoch, loss in enumerate(validation):
        for step in range(epoch * steps_per_epoch + 1, (epoch + 1) * steps_per_epoch + 1):
            rows.append({"loss": 10.0 / step, "learning_rate": 0.1, "step": step})
        rows.append({"eval_loss": loss, "step": (epoch + 1) * steps_per_epoch})
    return rows


def test_the_best_epoch_is_the_lowest_and_of_equal_ones_the_first() -> None:
    assert history.find_best_evaluation(make_log([3.0, 1.0, 1.0, 2.0])) == history.Evaluation(epoch=2, step=6, loss=1.0)
    assert history.find_best_evaluation([]) is None


def test_patience_counts_epochs_since_the_best() -> None:
    stops = [history.is_out_of_patience(make_log([3.0, 1.0, 1.5, 1.0, 0.5][:epochs]), 2) for epochs in range(1, 6)]
    assert stops == [False, False, False, True, False]


def test_finished_after_the_last_evaluation_or_out_of_patience() -> None:
    whole = make_log([3.0, 1.0])
    assert history.is_finished(whole, steps=6, patience=2)
    assert not history.is_finished(whole[:-1], steps=6, patience=2)
    assert not history.is_finished(whole, steps=9, patience=2)
    assert history.is_finished(make_log([1.0, 2.0, 3.0]), steps=90, patience=2)
    assert not history.is_finished([], steps=6, patience=2)


def test_training_loss_is_the_mean_of_its_steps() -> None:
    assert history.compute_training_loss(make_log([3.0, 1.0]), 4, 5) == (10 / 4 + 10 / 5) / 2


def test_the_curve_of_a_long_run_averages_and_keeps_the_ends_of_epochs() -> None:
    rows = history.make_curve(make_log([2.0, 1.0], steps_per_epoch=601), steps=1202)
    assert [row["step"] for row in rows[:2]] == [6, 12]
    assert rows[0]["loss"] == sum(10 / step for step in range(1, 7)) / 6
    assert {row["step"]: row["validation_loss"] for row in rows if row["validation_loss"]} == {601: 2.0, 1202: 1.0}
    assert rows[-1]["step"] == 1202


def test_the_file_leaves_empty_what_was_not_measured(tmp_path: Path) -> None:
    history.write_curve(tmp_path / "curve.csv", history.make_curve(make_log([0.25], steps_per_epoch=2), steps=2))
    assert (
        tmp_path / "curve.csv"
    ).read_text() == "step,kind,value\n1,loss,10.0\n1,lr,0.1\n2,loss,5.0\n2,validation_loss,0.25\n2,lr,0.1\n"


def test_samples_show_what_became_of_an_items_caption_epoch_by_epoch(tmp_path: Path) -> None:
    rows = make_log([3.0, 1.0])
    for row, caption in zip((row for row in rows if "eval_loss" in row), ("a shirt", "a red shirt"), strict=True):
        row["samples"] = {"2": "trousers", "1": caption}
    history.write_samples(
        tmp_path / "samples.csv", history.collect_samples(rows, {"1": "red shirt, cotton", "2": "blue trousers"})
    )
    assert (tmp_path / "samples.csv").read_text() == (
        'item_id,epoch,caption,reference\n1,1,a shirt,"red shirt, cotton"\n1,2,a red shirt,"red shirt, cotton"\n'
        "2,1,trousers,blue trousers\n2,2,trousers,blue trousers\n"
    )
