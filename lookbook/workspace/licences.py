"""What the licences of the data sets and base models allow, in a sentence each: for model cards and warnings."""

DATASETS = {
    "sample": "drawn by Lookbook itself, Apache-2.0.",
    "hm": "H&M Personalized Fashion Recommendations, under the rules of its Kaggle competition: non-commercial, not to be redistributed.",
    "facad": "Fashion Captioning Dataset (FACAD), for non-commercial research only.",
}
RESTRICTED = {"hm", "facad"}  # whose data must not reach a public remote
BEFORE_PUBLISHING = " Ask yourself whether a public copy of this adapter is compatible with that before you publish it."
UNKNOWN_DATASET = "a shop of your own: say here what its owner allows."

# Hub owners and names as they begin -> licence as the model's page states it.
BASE_MODELS = {
    "Salesforce/blip2-": "MIT; its language model (OPT or Flan-T5) has a licence of its own.",
    "llava-hf/llava-1.5-": "Llama 2 Community License.",
    "data/models/tiny-": "part of Lookbook, Apache-2.0.",
}
UNKNOWN_BASE = "see the page of the base model."


def of_dataset(name: str) -> str:
    return DATASETS.get(name, UNKNOWN_DATASET)


def of_base(model: str) -> str:
    return next((text for start, text in BASE_MODELS.items() if model.startswith(start)), UNKNOWN_BASE)


def of_adapter(dataset: str) -> str:
    """For the model card of an adapter that was trained on the data set."""
    return of_dataset(dataset) + (BEFORE_PUBLISHING if dataset in RESTRICTED else "")
