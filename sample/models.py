"""python -m sample.models [--only NAME …] [--steps-scale 1.0]: the small pre-trained models in data/models/.

About 15 minutes on one core. The results are part of the repository and the stage is frozen: a study never runs it.
"""

import argparse
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.params import suggest
from pipeline.core.stage import print_summary, run

FOLDER = Path("data/models")
CAPTIONERS = {"tiny-blip2-opt": "blip2_opt", "tiny-blip2-t5": "blip2_t5", "tiny-llava": "llava"}
NAMES = [*CAPTIONERS, "tiny-clip", "tiny-stanza"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the small pre-trained models in data/models/.")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=NAMES, help=", ".join(NAMES))
    parser.add_argument("--steps-scale", type=float, default=1.0, help="train for a share of the steps")
    options = parser.parse_args()
    for name in options.only:
        if name not in NAMES:
            raise UserError(f"--only {name}: no such model; known: {', '.join(NAMES)}{suggest(name, NAMES)}")
    if options.steps_scale <= 0:
        raise UserError(f"--steps-scale {options.steps_scale}: must be above 0")
    figures = [f"{name} ({build(name, options.steps_scale)})" for name in NAMES if name in options.only]
    print_summary(f"wrote {FOLDER}/: {'; '.join(figures)}")


def build(name: str, steps_scale: float = 1.0) -> str:
    """Builds one model into its folder; returns its key figures."""
    if name == "tiny-stanza":
        from sample.treebank.training import build as build_tagger

        build_tagger(FOLDER / name)
        return "tagger"
    import torch

    torch.set_num_threads(1)  # another order of sums makes other weights, and these models gain nothing from more
    from sample.pretraining.build import Recipe, build_captioner, build_clip

    recipe = Recipe().scaled(steps_scale)
    folder = FOLDER / name
    quality = build_clip(folder, recipe) if name == "tiny-clip" else build_captioner(folder, CAPTIONERS[name], recipe)
    return ", ".join(f"{key} {value:.3f}" for key, value in quality.items())


if __name__ == "__main__":
    run(main)
