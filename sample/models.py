"""python -m sample.models [--only NAME …] [--steps-scale 1.0]: build the small pre-trained models in data/models/.

This takes about 20 minutes on a core. The results are part of the repository and the stage is frozen, so that a study
never runs it.
"""

import argparse
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.params import suggest
from pipeline.core.stage import print_summary, run

FOLDER = Path("data/models")
CAPTIONERS = {"tiny-blip2-opt": "blip2_opt", "tiny-blip2-t5": "blip2_t5", "tiny-llava": "llava"}  # name -> family
NAMES = [*CAPTIONERS, "tiny-clip", "tiny-stanza"]


def main() -> None:
    """Build the models that are named, in a fixed order."""
    parser = argparse.ArgumentParser(description="Builds the small pre-trained models in data/models/.")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        default=NAMES,
        help=f"models to build, of {', '.join(NAMES)} (default: all)",
    )
    parser.add_argument(
        "--steps-scale", type=float, default=1.0, help="train for this share of the steps (default: 1.0)"
    )
    options = parser.parse_args()
    for name in options.only:
        if name not in NAMES:
            raise UserError(f"--only {name}: no such model; allowed: {', '.join(NAMES)}{suggest(name, NAMES)}")
    if options.steps_scale <= 0:
        raise UserError(f"--steps-scale {options.steps_scale}: give a number above 0")
    figures = [f"{name} ({build(name, options.steps_scale)})" for name in NAMES if name in options.only]
    print_summary(f"wrote {FOLDER}/: {'; '.join(figures)}")


def build(name: str, steps_scale: float = 1.0) -> str:
    """Build a model into its folder and return its key figures."""
    if name == "tiny-stanza":
        from sample.treebank.training import build as build_tagger

        build_tagger(FOLDER / name)
        return "tagger"
    import torch

    torch.set_num_threads(1)  # more threads sum in another order, which changes the weights, and are not faster here
    from sample.pretraining.build import Recipe, build_captioner, build_clip

    recipe = Recipe().scale(steps_scale)
    folder = FOLDER / name
    quality = build_clip(folder, recipe) if name == "tiny-clip" else build_captioner(folder, CAPTIONERS[name], recipe)
    return ", ".join(f"{key} {value:.3f}" for key, value in quality.items())


if __name__ == "__main__":
    run(main)
