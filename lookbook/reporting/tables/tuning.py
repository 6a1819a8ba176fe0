"""Tables of tuning: what each recommender chose on validation, and how much its settings matter."""

from collections.abc import Mapping

import pandas as pd

from lookbook.reporting.formatting import Table, Tuning, Values, format_value, name_of

FIGURE = "ndcg_"  # of a trial: what it reached; everything else is a setting
EPOCHS = "epochs"
TITLES = {"arrivals": "new arrivals", "warm": "warm items"}


def tuning_table(tuning: Tuning, most_epochs: int) -> Table | None:
    """Return what every recommender chose, and the range of its trials; None in a study that tuned nothing.

    Args:
        tuning: (experiment, recommender with features) -> metrics/tune/<experiment>/<name>.json. A recommender that
            has nothing to choose has no trials, and no row.
        most_epochs: `rec_tune.epochs`, at which every trial ended at the latest.
    """
    tuning = {key: results for key, results in tuning.items() if results["trials"]}
    if not tuning:
        return None
    body, frame = [], []
    edges = {key: find_edges(results, most_epochs) for key, results in tuning.items()}
    for (experiment, name), results in tuning.items():
        trials = list(results["trials"].values())
        scores, metric = [_read_score(trial) for trial in trials], _find_metric(trials[0])
        best, worst = max(scores), min(scores)
        kept = "" if best == 0 else f"{100 * worst / best:.0f} %"
        figures = [format_value(metric, best), format_value(metric, worst), kept, str(len(scores))]
        choice, edge = _write_settings(results["choice"]), _write_settings(edges[experiment, name])
        body.append([TITLES.get(experiment, experiment), name_of(name), choice, edge, *figures])
        chosen = {"chosen": choice, "edges": edge, "best": best, "worst": worst, "trials": len(scores)}
        frame.append({"experiment": experiment, "recommender": name} | chosen)
    header = ["Experiment", "Recommender", "Chosen", "At the edge", "Best", "Worst", "Worst / best", "Trials"]
    notes = [
        f"NDCG on validation purchases, of arrivals on those of validation arrivals. {_describe_counts(tuning)} A "
        "choice holds for all texts and sources. No test figure was looked at.",
        describe_edges(edges, most_epochs),
    ]
    heading_of = {"best": "Best", "worst": "Worst", "trials": "Trials"}
    return Table("tuning", "What was tuned", header, body, 4, pd.DataFrame(frame), notes, heading_of=heading_of)


def _describe_counts(tuning: Tuning) -> str:
    """Say how many trials the recommenders had: the same number each, or not."""
    counts = {len(results["trials"]) for results in tuning.values()}
    if len(counts) == 1:
        return "Every recommender and feature set had the same number of trials."
    return f"The number of trials differs, from {min(counts)} to {max(counts)}: see the last column."


def find_edges(results: Values, most_epochs: int) -> Values:
    """Return the chosen settings beyond which nothing was tried, with the edge that each lies at.

    >>> trials = {"1": {"k": 5, "epochs": 30, "ndcg_12": 0.1}, "2": {"k": 9, "epochs": 30, "ndcg_12": 0.2}}
    >>> find_edges({"choice": {"k": 9, "epochs": 30}, "trials": trials}, 30)
    {'k': 'highest of 2', 'epochs': 'all 30'}

    Args:
        results: metrics/tune/<experiment>/<name>.json. A setting with one value in all trials was not tuned.
        most_epochs: See `tuning_table`.
    """
    edges: dict[str, str] = {}
    for key, value in results["choice"].items():
        tried = {trial[key] for trial in results["trials"].values()}
        if key == EPOCHS:
            edges |= {key: f"all {most_epochs}"} if value >= most_epochs else {}
        elif len(tried) > 1 and all(isinstance(other, (int, float)) for other in tried):
            sides = {min(tried): "lowest", max(tried): "highest"}
            edges |= {key: f"{sides[value]} of {len(tried)}"} if value in sides else {}
    return edges


def describe_edges(edges: Mapping[tuple[str, str], Values], most_epochs: int) -> str:
    """Say how many choices lie at an edge of what was tried, and what that means.

    Args:
        edges: (experiment, recommender with features) -> what `find_edges` found.
        most_epochs: See `tuning_table`.
    """
    at_edge = [found for found in edges.values() if found]
    if not at_edge:
        return "No choice lies at an edge of what was tried."
    longest = sum(EPOCHS in found for found in at_edge)
    limit = f" or, {longest} of them, at the limit of {most_epochs} epochs" if longest else ""
    return (
        f"{len(at_edge)} of {len(edges)} choices lie at an edge: at the lowest or the highest value that was tried"
        f"{limit}. A wider search may choose otherwise there."
    )


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
    table = pd.DataFrame(frame)
    heading_of = {str(column): header[3] for column in table.columns if str(column).startswith(FIGURE)}
    return Table("tuning-trials", "Every trial", header, body, 3, table, heading_of=heading_of)


def _write_settings(settings: Values) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _find_metric(trial: Values) -> str:
    return next(key for key in trial if key.startswith(FIGURE))


def _read_score(trial: Values) -> float:
    return float(trial[_find_metric(trial)])
