"""The YAML that WarpRec 2.2 reads: keys as in its `utils/config`.

- Paths are relative to the exported folder, which has to be the working directory.
- Ids are whole numbers: WarpRec's `ProxyRecommender`, which evaluates lists of others, reads no other.
- Without validation data WarpRec's `train` chooses the epoch by the test set, silently. It is evaluated after the last
  epoch alone here (`eval_every_n`), so that there is nothing to choose.
- A configuration holds a model once: one configuration for each feature set, and one for each file of lists.
- Neighbours: WarpRec counts a row among its own k neighbours, so its k is that of our `neighbourhood: standard` and
  one. It has neither our `neighbourhood: elliot`, nor Jaccard, nor shrinkage, nor a sample
  of neighbours (`list_differences`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.params import Section

METRICS = {"nDCG": "ndcg", "MAP": "map", "Recall": "recall", "Precision": "precision", "HitRate": "hit_rate"}
LISTS = "ProxyRecommender"
PAIRWISE = {
    "factors": "embedding_size",
    "epochs": "epochs",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "regularisation": "reg_weight",
}
HOPS = PAIRWISE | {"layers": "n_layers"}
TWO_GRAPHS = PAIRWISE | {"layers": "n_ui_layers", "neighbours": "knn_k"}


@dataclass(frozen=True)
class Model:
    """A model of WarpRec.

    Attributes:
        name: Its name there.
        keys: Our key → its key.
        fixed: Its keys with the value that is ours in every study.
    """

    name: str
    keys: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)


MODELS = {  # our recommender → WarpRec's model
    "random": Model("Random"),
    "mostpop": Model("Pop"),
    "userknn": Model("UserKNN"),
    "itemknn": Model("ItemKNN"),
    "bpr": Model("BPR", PAIRWISE),
    "lightgcn": Model("LightGCN", HOPS),
    "vbpr": Model("VBPR", PAIRWISE),
    "freedom": Model("FREEDOM", TWO_GRAPHS | {"dropped": "dropout"}, {"n_layers": 1}),
    "bm3": Model("BM3", HOPS | {"dropout": "dropout", "content": "cl_weight"}),
    "mgcn": Model("MGCN", TWO_GRAPHS | {"contrast": "cl_weight"}, {"n_layers": 1, "temperature": 0.2}),
    "lattice": Model("LATTICE", TWO_GRAPHS | {"frozen": "lambda_coeff"}, {"n_layers": 1}),
}
OURS = {model.name: ours for ours, model in MODELS.items()}
BY_MODALITY = ("freedom", "bm3", "mgcn", "lattice")  # they read pictures and words of one feature set apart
WITH_FEATURE_SIZE = ("freedom", "lattice")  # they project features to a width of their own


def configure_model(recommender: str, settings: Section, shape: tuple[int, int], seed: int) -> dict[str, Any]:
    """Return a model's section.

    Learning rate and regularisation have the study's values. They do not mean the same everywhere.

    Args:
        recommender: One of `MODELS`.
        settings: Its section of `rec_fit`.
        shape: The numbers of users and items of train.
        seed: The section's seed.
    """
    own, model = dict(settings), MODELS[recommender]
    values = {theirs: own[ours] for ours, theirs in model.keys.items()} | dict(model.fixed)
    if recommender in ("userknn", "itemknn"):
        n_rows = shape[0] if recommender == "userknn" else shape[1]
        itself = own["neighbourhood"] == "standard"  # one of WarpRec's k
        values |= {"k": min(own["k"] + itself, n_rows), "similarity": "cosine"}
    if recommender == "vbpr" and own["variant"] == "paper":
        values["embedding_size"] = max(1, own["factors"] // 2)  # ours shares them half and half; its two have so many
    if recommender in WITH_FEATURE_SIZE:
        values["feature_size"] = own["factors"]
    if "knn_k" in values:
        values["knn_k"] = min(values["knn_k"], shape[1])
    optimization: dict[str, Any] = {"properties": {"seed": seed}}
    if "epochs" in values:
        optimization["eval_every_n"] = values["epochs"]
    return {"meta": {"save_recs": True}, "optimization": optimization, **values}


def build_configuration(
    name: str, models: Mapping[str, Any], cutoffs: list[int], features: str | None = None
) -> dict[str, Any]:
    """Return a configuration.

    Args:
        name: Its name, and that of its folder of results.
        models: WarpRec's model → its section.
        cutoffs: Those of the section `rec_score`; lists are as long as the largest.
        features: The feature set of the models, or None.
    """
    reader: dict[str, Any] = {
        "loading_strategy": "split",
        "data_type": "transaction",
        "reading_method": "local",
        "rating_type": "implicit",
        "split": {"local_path": "data", "ext": ".tsv", "sep": "\t", "header": False},
    }
    if features is not None:
        folder = f"data/features/{features}"
        files = {"local_path": f"{folder}/features.npy", "item_path": f"{folder}/ids.txt"}
        reader["multimodal"] = {features: {"file_format": "numpy", **files, "header": False}}
        models = {model: {**section, "modalities": [features]} for model, section in models.items()}
    return {
        "reader": reader,
        "writer": {
            "dataset_name": name,
            "writing_method": "local",
            "local_experiment_path": "results",
            "recommendation": {"k": max(cutoffs), "header": False},
        },
        "models": dict(models),
        "evaluation": {
            "top_k": cutoffs,
            "metrics": list(METRICS),
            "validation_metric": f"nDCG@{max(cutoffs)}",
            "save_per_user": True,
        },
        "general": {"ray_address": "local", "ray_verbose": 0},  # its default joins any Ray that runs on the machine
    }


def configure_lists(recommender: str) -> dict[str, Any]:
    """Return the section of the model that evaluates the lists of a recommender, made here."""
    file = f"data/lists/{recommender}.tsv"
    return {LISTS: {"meta": {"save_recs": True}, "recommendation_file": file, "separator": "\t", "header": False}}


def list_differences(settings: Mapping[str, Section], names: Iterable[str], both: Iterable[str] = ()) -> list[str]:
    """Return a sentence for each of the study's recommenders that no model of WarpRec equals.

    Args:
        settings: Recommender → its section of `rec_fit`.
        names: The recommenders that are exported.
        both: The exported feature sets of pictures and words.
    """
    own = {name: dict(settings[name]) for name in names}
    sentences = []
    if own.get("mostpop", {}).get("half_life_days"):
        sentences.append(_tell("mostpop", "decay", "half_life_days to 0"))
    for name in ("userknn", "itemknn"):
        values = own.get(name, {})
        if values.get("neighbourhood") == "elliot":
            sentences.append(_tell(name, "`neighbourhood: elliot`", "neighbourhood to standard"))
        if values.get("similarity", "cosine") != "cosine":
            sentences.append(_tell(name, f"{values['similarity']}", "similarity to cosine"))
        if values.get("shrink"):
            sentences.append(_tell(name, "shrinkage", "shrink to 0"))
        if values.get("sample"):
            sentences.append(_tell(name, "sample of neighbours", "sample to 0"))
    for name, values in own.items():
        if values.get("features") == "fixed":
            sentences.append(_tell(name, "`features: fixed`", "features to trained"))
    divided = [MODELS[name].name for name in own if name in BY_MODALITY]
    sentences += [
        f"WarpRec's {', '.join(divided)} read {features} as one modality, the study's pictures and words as two: their "
        "figures are of other recommenders; export a set of pictures or of words alone to compare them"
        for features in both
        if divided
    ]
    return sentences


def _tell(name: str, lacks: str, setting: str) -> str:
    return (
        f"WarpRec's {MODELS[name].name} has no {lacks}: its figures of {name} are of another recommender than the "
        f"study's; set rec_fit.{name}.{setting} to compare them"
    )
