"""The YAML that Elliot reads: keys as in its `namespace/namespace_model.py` and in each model's `_params_list`.

- Paths are relative to the configuration's own folder. Results go to `../results/<dataset>/`, so each feature set is a
  `dataset` of its own (VBPR's file name does not contain its features).
- Only cutoffs and metrics are lists: Elliot takes any other list for a grid to search.
- Models that are trained in epochs are evaluated after the last one alone (`validation_rate`), so that nothing is
  selected on test.
- Neighbours: `standard` counts a row as one of its own k neighbours, as `neighbourhood: elliot` does, and has neither
  shrinkage nor Jaccard; `aiolli` has both and does not count it. Neither has our `neighbourhood: standard`
  (`list_differences`).
"""

from collections.abc import Sequence
from typing import Any

from recsys.pairwise.settings import PairwiseSettings
from recsys.ranking.settings import RecFit
from recsys.recommenders import bpr, itemknn, mostpop, userknn, vbpr
from recsys.recommenders._neighbours import NeighbourSettings

OURS = {  # a model's name in Elliot's files → our recommender
    "MostPop": "mostpop",
    "Random": "random",
    "ItemKNN": "itemknn",
    "UserKNN": "userknn",
    "BPRMF": "bpr",
    "VBPR": "vbpr",
}
WITH_FEATURES = ("vbpr",)  # those of our content recommenders that Elliot has
METRICS = {"nDCG": "ndcg", "MAP": "map_elliot", "Recall": "recall", "Precision": "precision", "HR": "hit_rate"}
DATASET = "lookbook"


class ElliotFit(RecFit):
    """Section `rec_fit` of params.yaml with the recommenders that Elliot has too."""

    mostpop: mostpop.Settings
    userknn: userknn.Settings
    itemknn: itemknn.Settings
    bpr: bpr.Settings
    vbpr: vbpr.Settings


def name_dataset(features: str | None) -> str:
    """Return the `dataset` of a configuration, which is the name of its folder of results.

    >>> name_dataset(None), name_dataset("sbert")
    ('lookbook', 'lookbook-sbert')
    """
    return DATASET if features is None else f"{DATASET}-{features}"


def build_configuration(
    fit: ElliotFit, cutoffs: list[int], recommenders: list[str], features: str | None, ducho: bool, gpu: bool
) -> dict[str, Any]:
    """Return a configuration: of VBPR where `features` names a feature set, else of the recommenders without features.

    Args:
        fit: The section `rec_fit`.
        cutoffs: Those of the section `rec_score`.
        recommenders: The axis `recommenders` of params.yaml.
        features: The feature set, or None.
        ducho: Whether Ducho-meets-Elliot will run it.
        gpu: Whether models learn on a GPU.
    """
    data: dict[str, Any] = {"strategy": "fixed", "train_path": "../data/train.tsv", "test_path": "../data/test.tsv"}
    if features is not None:
        side = {"dataloader": "VisualAttribute", "visual_features": f"../data/features/{features}"}
        data["side_information"] = [side]
    experiment: dict[str, Any] = {"backend": "pytorch"} if ducho else {}
    experiment |= {"dataset": name_dataset(features), "data_config": data, "top_k": max(fit.top_k, *cutoffs)}
    experiment |= {"random_seed": fit.seed, "gpu": 0 if gpu else -1}
    metrics = [*METRICS, "ItemCoverage"]
    experiment["evaluation"] = {"cutoffs": cutoffs, "relevance_threshold": 0, "simple_metrics": metrics}
    if ducho:
        experiment["external_models_path"] = "../external/models/__init__.py"
    every = configure_models(fit, ducho)
    chosen: Sequence[str] = recommenders if features is None else WITH_FEATURES
    experiment["models"] = {name: values for ours, (name, values) in every.items() if ours in chosen}
    return {"experiment": experiment}


def configure_models(fit: ElliotFit, ducho: bool) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return our recommender → its name and section in Elliot.

    Learning rate and regularisation have the study's values. In Elliot they do not mean the same, as its BPRMF makes
    plain gradient steps of one triple; in Ducho-meets-Elliot (Adam, batches) they do.
    """
    every = {
        "random": ("Random", _meta({}) | {"random_seed": fit.seed}),
        "mostpop": ("MostPop", _meta({})),
        "userknn": ("UserKNN", _meta({}) | _neighbours(fit.userknn)),
        "itemknn": ("ItemKNN", _meta({}) | _neighbours(fit.itemknn)),
    }
    if ducho:
        every["bpr"] = ("external.BPRMF", _in_batches(fit.bpr, fit.seed))
        loaders = {"modalities": "('visual',)", "loaders": "('VisualAttribute',)", "comb_mod": "concat"}
        every["vbpr"] = ("external.VBPR", _in_batches(fit.vbpr, fit.seed) | loaders)
        return every
    kinds = ("user", "positive_item", "negative_item")
    regularisation = {f"{kind}_regularization": fit.bpr.regularisation for kind in (*kinds, "bias")}
    every["bpr"] = ("BPRMF", _in_epochs(fit.bpr, fit.seed) | regularisation)
    seen = fit.vbpr.factors // 2  # ours shares its factors half and half between purchases and features
    shared = {"factors": fit.vbpr.factors - seen, "factors_d": seen, "l_b": fit.vbpr.regularisation, "l_e": 0}
    loader = {"batch_eval": 512, "loader": "VisualAttribute"}
    every["vbpr"] = ("VBPR", _in_batches(fit.vbpr, fit.seed) | shared | loader)
    return every


def list_differences(fit: ElliotFit, recommenders: list[str]) -> list[str]:
    """Return a sentence for each of the study's recommenders that no configuration of Elliot equals."""
    sentences = []
    if "mostpop" in recommenders and fit.mostpop.half_life_days:
        sentences.append(
            "Elliot's MostPop has no decay: its figures are of another recommender than the study's; set "
            "rec_fit.mostpop.half_life_days to 0 to compare them"
        )
    both = {"userknn": fit.userknn, "itemknn": fit.itemknn}
    neighbours = [name for name, own in both.items() if name in recommenders and own.neighbourhood == "standard"]
    if neighbours:
        sentences.append(
            f"Elliot has no `neighbourhood: standard`: its figures of {' and '.join(neighbours)} are of another "
            "recommender than the study's; set their neighbourhood to elliot to compare them"
        )
    return sentences


def _meta(more: dict[str, Any]) -> dict[str, Any]:
    return {"meta": {"verbose": False, "save_recs": True, "save_weights": False} | more}


def _neighbours(own: NeighbourSettings) -> dict[str, Any]:
    values: dict[str, Any] = {"neighbors": own.k, "similarity": own.similarity, "implementation": "standard"}
    if own.similarity == "cosine" and not own.shrink:
        return values
    itself = own.neighbourhood == "elliot"  # one of our k; of k = 1 none is left, which aiolli understands
    return values | {"neighbors": own.k - itself, "implementation": "aiolli", "shrink": own.shrink}


def _in_epochs(own: PairwiseSettings, seed: int) -> dict[str, Any]:
    values = {"seed": seed, "epochs": own.epochs, "factors": own.factors, "lr": own.learning_rate}
    return _meta({"validation_rate": own.epochs}) | values


def _in_batches(own: PairwiseSettings, seed: int) -> dict[str, Any]:
    return _in_epochs(own, seed) | {"batch_size": own.batch_size, "l_w": own.regularisation}
