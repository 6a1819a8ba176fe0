"""The preference that the study's headline shows: fine-tuned over pre-trained captions of the writer."""

from collections.abc import Mapping
from typing import Any


def find_headline(rounds: Mapping[str, Any], writer: str) -> dict[str, Any]:
    """Find the net preference for the writer's fine-tuned captions over its pre-trained ones.

    It is that of the first finished round, by name, that compares the two, and of its first question; in a round whose
    first arm is the pre-trained one the sign is turned.

    Args:
        rounds: Name -> what `analyse_round` says.
        writer: The captioner whose words are tried on the recommenders.

    Returns:
        `headline`: round, question, preference, low, high, p; nothing where there is no such round.
    """
    ft, pt = f"{writer}-ft", f"{writer}-pt"
    for name, figures in rounds.items():
        if not figures["finished"] or "questions" not in figures:
            continue
        question, answers = next(iter(figures["questions"].items()))
        for first, second, sign in ((ft, pt, 1), (pt, ft, -1)):
            pair = answers["pairs"].get(f"{first} over {second}")
            if pair:
                low, high = sorted((sign * pair["low"], sign * pair["high"]))
                figures_of_pair = {"preference": sign * pair["preference"], "low": low, "high": high, "p": pair["p"]}
                return {"headline": {"round": name, "question": question} | figures_of_pair}
    return {}
