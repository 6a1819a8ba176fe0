"""Tables of tuning: what each recommender chose on validation, and how much its settings matter."""

import pandas as pd

from lookbook.reporting.formatting import Table, Tuning, Values, format_value, name_of

FIGURES = ("ndcg_", "seconds")  # of a trial: what it reached and took; everything else is a setting
TITLES = {"arrivals": "new arrivals", "warm": "warm items"}


def tuning_table(tuning: Tuning) -> Table | None:
    """Return what every recommender chose, and the range of its trials; None in a study that tuned nothing.

    Args:
        tuning: (experiment, recommender with features) -> metrics/tune/<experiment>/<name>.json.
    """
    if not tuning:
        return None
    body, frame = [], []
    for (experiment, name), results in tuning.items():
        scores = [_read_score(trial) for trial in results["trials"]]
        metric = _find_metric(results["trials"][0])
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
    if not tuning:
        return None
    body, frame = [], []
    for (experiment, name), results in tuning.items():
        for trial in results["trials"]:
            settings = {key: value for key, value in trial.items() if not key.startswith(FIGURES)}
            is_chosen = all(results["choice"].get(key) == value for key, value in settings.items())
            score = format_value(_find_metric(trial), _read_score(trial)) + (" (chosen)" if is_chosen else "")
            body.append([TITLES.get(experiment, experiment), name_of(name), _write_settings(settings), score])
            frame.append({"experiment": experiment, "recommender": name, "chosen": is_chosen} | trial)
    header = ["Experiment", "Recommender", "Settings", "NDCG on validation"]
    return Table("tuning-trials", "Every trial", header, body, 3, pd.DataFrame(frame))


def _write_settings(settings: Values) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "nothing to choose"


def _find_metric(trial: Values) -> str:
    return next(key for key in trial if key.startswith("ndcg_"))


def _read_score(trial: Values) -> float:
    return float(trial[_find_metric(trial)])
