"""Tables of tuning: what each recommender chose on validation, and how much its settings matter."""

import pandas as pd

from lookbook.reporting.formatting import Table, Tuning, Values, format_value, name_of

FIGURE = "ndcg_"  # of a trial: what it reached; everything else is a setting
TITLES = {"arrivals": "new arrivals", "warm": "warm items"}


def tuning_table(tuning: Tuning) -> Table | None:
    """Return what every recommender chose, and the range of its trials; None in a study that tuned nothing.

    Args:
        tuning: (experiment, recommender with features) -> metrics/tune/<experiment>/<name>.json. A recommender that
            has nothing to choose has no trials, and no row.
    """
    tuning = {key: results for key, results in tuning.items() if results["trials"]}
    if not tuning:
        return None
    body, frame = [], []
    for (experiment, name), results in tuning.items():
        trials = list(results["trials"].values())
        scores, metric = [_read_score(trial) for trial in trials], _find_metric(trials[0])
        best, worst = max(scores), min(scores)
        kept = "" if best == 0 else f"{100 * worst / best:.0f} %"
        figures = [format_value(metric, best), format_value(metric, worst), kept, str(len(scores))]
        body.append([TITLES.get(experiment, experiment), name_of(name), _write_settings(results["choice"]), *figures])
        chosen = {"chosen": _write_settings(results["choice"]), "best": best, "worst": worst, "trials": len(scores)}
        frame.append({"experiment": experiment, "recommender": name} | chosen)
    header = ["Experiment", "Recommender", "Chosen", "Best", "Worst", "Worst / best", "Trials"]
    notes = [
        "NDCG on validation purchases, of arrivals on those of validation arrivals. Every recommender and feature set "
        "had the same budget of trials. Its choice holds for all texts and sources. No test figure was looked at.",
    ]
    return Table("tuning", "What was tuned", header, body, 3, pd.DataFrame(frame), notes)


def trials_table(tuning: Tuning) -> Table | None:
    """Return every trial; None in a study that tuned nothing.

    Args:
        tuning: See `tuning_table`.
    """
    body, frame = [], []
    for (experiment, name), results in tuning.items():
        for trial in results["trials"].values():
            settings = {key: value for key, value in trial.items() if not key.startswith(FIGURE)}
            is_chosen = all(results["choice"].get(key) == value for key, value in settings.items())
            score = format_value(_find_metric(trial), _read_score(trial)) + (" (chosen)" if is_chosen else "")
            body.append([TITLES.get(experiment, experiment), name_of(name), _write_settings(settings), score])
            frame.append({"experiment": experiment, "recommender": name, "chosen": is_chosen} | trial)
    if not body:
        return None
    header = ["Experiment", "Recommender", "Settings", "NDCG on validation"]
    return Table("tuning-trials", "Every trial", header, body, 3, pd.DataFrame(frame))


def _write_settings(settings: Values) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _find_metric(trial: Values) -> str:
    return next(key for key in trial if key.startswith(FIGURE))


def _read_score(trial: Values) -> float:
    return float(trial[_find_metric(trial)])
