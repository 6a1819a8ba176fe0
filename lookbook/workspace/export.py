"""An adapter, or a model with the adapter merged in, as a folder that is ready for a model hub: with a model card."""

import io
import json
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import jinja2
from ruamel.yaml import YAML

from lookbook.workspace import licences
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder
from pipeline.core.params import load, suggest

ADAPTERS, MODELS, TRAIN = Path("data/adapters"), Path("data/models"), Path("metrics/train")
LOCK, SCORES, PARAMS = Path("dvc.lock"), Path("metrics/captions.json"), Path("params.yaml")
SET = re.compile(r"(?P<captioner>\S+)(?: (?P<variant>pt|ft|floor))? (?P<count>\d+)")
DATA = ("data/prepared/items.parquet", "data/prepared/images")


def export(captioner: str, out: Path, merged: bool) -> None:
    """Writes `out`: the adapter and README.md, or with `merged` the whole model (safetensors), its processor and README.md.

    Raises:
        UserError: no such adapter, one that `dvc.lock` does not tell of, or `out` exists and is not an export.
    """
    adapter = check(captioner, out)
    card = model_card(captioner, merged)
    check_recorded(captioner, adapter)
    with new_folder(out) as partial:
        if merged:
            save_merged(captioner, adapter, partial)
        else:
            save_adapter(captioner, adapter, partial)
        (partial / "README.md").write_text(card, encoding="utf-8")


def check(captioner: str, out: Path) -> Path:
    """The adapter's folder, after everything that can be refused without reading a model."""
    adapter = ADAPTERS / captioner
    if not (adapter / "adapter_model.safetensors").is_file():
        trained = sorted(path.parent.name for path in ADAPTERS.glob("*/adapter_model.safetensors"))
        raise UserError(
            f"{adapter}: no adapter; trained here: {', '.join(trained) or 'none'}{suggest(captioner, trained)}; "
            f"train one with: dvc repro caption_train@{captioner}"
        )
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "README.md").exists())):
        raise UserError(f"{out}: exists and is no earlier export; choose another --out")
    return adapter


def check_recorded(captioner: str, adapter: Path) -> None:
    """Raises UserError unless the adapter is the one that `dvc.lock` tells of: the card would be about another."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    cell = f"caption_train@{captioner}"
    try:
        with Repo() as repo:
            outs = [out for out in repo.stage.load_one(name=cell).outs if out.def_path == adapter.as_posix()]
            changed = not outs or any(out.workspace_status() for out in outs)
    except DvcException as error:
        raise UserError(
            f"{cell}: DVC cannot tell whether {adapter} is the one of {LOCK}: {str(error).strip()}"
        ) from error
    if changed:
        raise UserError(
            f"{adapter}: not the adapter that {LOCK} tells of, so what it was trained on is not known; train it: dvc repro "
            f"{cell}; or get the one of {LOCK}: dvc checkout {adapter}; or, if you have just trained it by hand, "
            f"record it: dvc commit -f {cell}"
        )


def model_card(captioner: str, merged: bool = False) -> str:
    """README.md with the front matter that model hubs read: base, scores, parameters, data fingerprints, CO2, licences."""
    stage = f"caption_train@{captioner}"
    cell, prepared = read_stages(stage, "catalogue_prepare")
    dataset, base = dataset_of(stage, cell, prepared), base_of(captioner)
    scores = json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.exists() else {}
    variants = [name for name in ("pt", "ft") if name in scores.get(captioner, {})]
    return render(
        name=captioner,
        merged=merged,
        base={**base, "licence": licences.of_base(base["id"])},
        dataset={"name": dataset, "licence": licences.of_adapter(dataset)},
        prompt=prompt_of(captioner),
        variants=variants,
        scores=rows(scores.get(captioner, {}), variants),
        skipped=[told for reason in scores.get("skipped", []) if (told := about(reason, captioner))],
        training=short(json.loads((TRAIN / f"{captioner}.json").read_text(encoding="utf-8"))),
        params=dumped(cell["params"]["params.yaml"]),
        data=fingerprints(cell["deps"]),
    )


def read_stages(*names: str) -> list[dict[str, Any]]:
    """What `dvc.lock` says about these stages: the parameters and data that were really used."""
    stages = YAML(typ="safe", pure=True).load(LOCK)["stages"] if LOCK.exists() else {}
    for name in names:
        if name not in stages:
            raise UserError(f"{LOCK}: {name} has not run here; run: dvc repro {names[0]}")
    return [stages[name] for name in names]


def dataset_of(name: str, cell: dict[str, Any], prepared: dict[str, Any]) -> str:
    """The data set that the stage's data was prepared from; params.yaml may name another one by now.

    Raises:
        UserError: other data has been prepared since.
    """
    written = fingerprints(prepared["outs"])
    for path, md5 in fingerprints(cell["deps"]).items():
        if written.get(path) != md5:
            raise UserError(
                f"{LOCK}: {name} was trained on another {path} than catalogue_prepare has written since, so the data set "
                f"is not known; run: dvc repro {name}"
            )
    return prepared["params"]["params.yaml"]["dataset"]


def fingerprints(entries: list[dict[str, Any]]) -> dict[str, str]:
    """MD5 of the prepared data among a stage's deps or outs."""
    return {entry["path"]: entry["md5"] for entry in entries if entry["path"] in DATA}


def base_of(captioner: str) -> dict[str, str]:
    """`id` and `revision` of the base model on the hub; a folder of this project has no revision."""
    pinned = MODELS / captioner / "hub.json"
    if pinned.is_file():
        values = json.loads(pinned.read_text(encoding="utf-8"))
        return {"id": values["id"], "revision": values["revision"]}
    return {"id": (MODELS / captioner).as_posix(), "revision": ""}


def family_of(captioner: str) -> str:
    captioners = load(PARAMS)["captioners"]
    if captioner not in captioners:
        raise UserError(f"{PARAMS}: captioners has no {captioner}{suggest(captioner, list(captioners))}")
    return captioners[captioner]["family"]


def prompt_of(captioner: str) -> str:
    """What a caption is asked for with, on one line; "" where the model is asked nothing."""
    return import_module(f"captioning.families.{family_of(captioner)}").PROMPT.replace("\n", "\\n")


def rows(scores: dict[str, dict[str, float]], variants: list[str]) -> dict[str, list[str]]:
    """Metric -> a cell per variant, at four digits."""
    names = dict.fromkeys(name for variant in variants for name in scores[variant])
    return {name: [_cell(scores[variant].get(name)) for variant in variants] for name in names}


def about(reason: str, captioner: str) -> str:
    """What was not scored, with the counts of this captioner's captions alone; empty where it concerns only others."""
    what, _, counts = reason.rpartition(": ")
    sets = [SET.fullmatch(one) for one in counts.split(", ")]
    if not all(sets):
        return reason
    own = [f"{one['variant']} {one['count']}" for one in sets if one and one["captioner"] == captioner]
    return f"{what}: {', '.join(own)}" if own else ""


def short(values: dict[str, Any]) -> dict[str, Any]:
    """Figures at four digits."""
    return {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in values.items()}


def _cell(value: float | None) -> str:
    return "n/a" if value is None else str(value) if isinstance(value, int) else f"{value:.4f}"


def dumped(params: dict[str, Any]) -> str:
    """As YAML, keys in order."""
    stream = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.dump(params, stream)
    return stream.getvalue().rstrip()


def render(**page: Any) -> str:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("model_card.md.j2").render(**page)


def save_adapter(captioner: str, adapter: Path, folder: Path) -> None:
    """The adapter's bytes; its config names the hub's id and revision where the base model has them."""
    shutil.copyfile(adapter / "adapter_model.safetensors", folder / "adapter_model.safetensors")
    config, base = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8")), base_of(captioner)
    config |= {"base_model_name_or_path": base["id"], "revision": base["revision"] or None}
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")


def save_merged(captioner: str, adapter: Path, folder: Path) -> None:
    """The model with the adapter added to its weights, in the dtype of captions, and its processor."""
    from captioning.modelling import DTYPES
    from captioning.modelling import load as load_captioner

    dtype = DTYPES[load(PARAMS)["caption_generate"]["precision"]]
    whole = load_captioner(MODELS / captioner, family_of(captioner), dtype, adapter=adapter)
    whole.model.merge_and_unload().save_pretrained(folder, safe_serialization=True)
    whole.processor.save_pretrained(folder)
