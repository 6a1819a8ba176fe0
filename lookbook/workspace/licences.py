"""State in a sentence each what the licences of data sets and base models allow, for model cards and warnings."""

DATASETS = {
    "sample": "drawn by Lookbook itself, Apache-2.0.",
    "hm": (
        "H&M Personalized Fashion Recommendations, under the rules of its Kaggle competition: non-commercial, "
        "not to be redistributed."
    ),
    "facad": "Fashion Captioning Dataset (FACAD), for non-commercial research only.",
}
RESTRICTED = {"hm", "facad"}  # data sets that must not reach a public remote
BEFORE_PUBLISHING = " Ask yourself whether a public copy of this adapter is compatible with that before you publish it."
UNKNOWN_DATASET = "a shop of your own: say here what its owner allows."

BASE_MODELS = {  # start of a hub id or folder -> licence as the model's page states it
    "Salesforce/blip2-": "MIT; its language model (OPT or Flan-T5) has a licence of its own.",
    "llava-hf/llava-1.5-": "Llama 2 Community License.",
    "data/models/tiny-": "part of Lookbook, Apache-2.0.",
}
UNKNOWN_BASE = "see the page of the base model."


def describe_dataset(name: str) -> str:
    """Return the licence of a data set."""
    return DATASETS.get(name, UNKNOWN_DATASET)


def describe_base(model: str) -> str:
    """Return the licence of a base model, by the start of its hub id or folder."""
    return next((text for start, text in BASE_MODELS.items() if model.startswith(start)), UNKNOWN_BASE)


def describe_adapter(dataset: str) -> str:
    """Return what the model card of an adapter trained on the data set must say."""
    return describe_dataset(dataset) + (BEFORE_PUBLISHING if dataset in RESTRICTED else "")
