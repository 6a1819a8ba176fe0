"""Write an adapter, or a model with the adapter merged in, with a model card: a folder ready for a model hub."""

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
from lookbook.workspace.vllm_export import check_family, rename_weights, write_script
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder
from pipeline.core.params import load, suggest

ADAPTERS = Path("data/adapters")
MODELS = Path("data/models")
TRAIN = Path("metrics/train")
LOCK = Path("dvc.lock")
SCORES = Path("metrics/captions.json")
PARAMS = Path("params.yaml")
SET = re.compile(r"(?P<captioner>\S+)(?: (?P<variant>pt|ft|floor))? (?P<count>\d+)")
DATA = ("data/prepared/items.parquet", "data/prepared/images")


def export(captioner: str, out: Path, merged: bool, vllm: bool = False) -> None:
    """Write `out`: README.md and the adapter, or with `merged` the whole model (safetensors) and its processor.

    With `vllm` also a script that captions pictures by vLLM, which needs the whole model.

    Raises:
        UserError: there is no such adapter, `dvc.lock` records another one, or `out` exists and is not an export; or
            vLLM has no such models.
    """
    adapter = check_adapter(captioner, out)
    if vllm and not merged:
        raise UserError("--vllm: needs --merged: the script reads the whole model")
    if vllm:
        check_family(find_family(captioner))
    card = render_card(captioner, merged)
    check_recorded(captioner, adapter)
    with new_folder(out) as partial:
        if merged:
            save_merged(captioner, adapter, partial, vllm)
        else:
            save_adapter(captioner, adapter, partial)
        (partial / "README.md").write_text(card, encoding="utf-8")


def check_adapter(captioner: str, out: Path) -> Path:
    """Return the adapter's folder, after everything that can be refused without reading a model.

    Raises:
        UserError: there is no such adapter, or `out` exists and is not an export.
    """
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
    """Check that the adapter is the one that `dvc.lock` records: the card describes that one.

    Raises:
        UserError: it is another one, or DVC cannot tell.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    cell = f"caption_train@{captioner}"
    try:
        with Repo() as repo:
            outs = [out for out in repo.stage.load_one(name=cell).outs if out.def_path == adapter.as_posix()]
            changed = not outs or any(out.workspace_status() for out in outs)
    except DvcException as error:
        raise UserError(
            f"{cell}: DVC cannot tell whether {adapter} is the adapter that {LOCK} records: {str(error).strip()}"
        ) from error
    if changed:
        raise UserError(
            f"{adapter}: not the adapter that {LOCK} records, so what it was trained on is not known; "
            f"train it: dvc repro {cell}; or restore the recorded one: dvc checkout {adapter}; "
            f"or, if you have just trained it by hand, record it: dvc commit -f {cell}"
        )


def render_card(captioner: str, merged: bool = False) -> str:
    """Render README.md with the front matter that model hubs read.

    The card states base model, scores, parameters, data fingerprints, CO2 and licences.
    """
    stage = f"caption_train@{captioner}"
    cell, prepared = read_stages(stage, "catalogue_prepare")
    dataset, base = find_dataset(stage, cell, prepared), find_base(captioner)
    scores = json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.exists() else {}
    variants = [name for name in ("pt", "ft") if name in scores.get(captioner, {})]
    return _render(
        name=captioner,
        merged=merged,
        base={**base, "licence": licences.describe_base(base["id"])},
        dataset={"name": dataset, "licence": licences.describe_adapter(dataset)},
        prompt=find_prompt(captioner),
        variants=variants,
        scores=format_scores(scores.get(captioner, {}), variants),
        skipped=[note for reason in scores.get("skipped", []) if (note := select_counts(reason, captioner))],
        training=round_floats(read_run_record(TRAIN / f"{captioner}.json")),
        params=dump_yaml(cell["params"]["params.yaml"]),
        data=find_fingerprints(cell["deps"]),
    )


def read_run_record(path: Path) -> dict[str, Any]:
    """Read the figures and facts of a training, side by side."""
    record = json.loads(path.read_text(encoding="utf-8"))
    facts = record.pop("facts", [{}])
    return record | facts[0]


def read_stages(*names: str) -> list[dict[str, Any]]:
    """Read what `dvc.lock` records of these stages: the parameters and data that were really used.

    Raises:
        UserError: a stage has not run.
    """
    stages = YAML(typ="safe").load(LOCK)["stages"] if LOCK.exists() else {}
    for name in names:
        if name not in stages:
            raise UserError(f"{LOCK}: {name} has not run here; run: dvc repro {names[0]}")
    return [stages[name] for name in names]


def find_dataset(name: str, cell: dict[str, Any], prepared: dict[str, Any]) -> str:
    """Return the data set that the stage's data was prepared from; params.yaml may name another one by now.

    Raises:
        UserError: other data has been prepared since.
    """
    latest = find_fingerprints(prepared["outs"])
    for path, md5 in find_fingerprints(cell["deps"]).items():
        if latest.get(path) != md5:
            raise UserError(
                f"{LOCK}: {path} has changed since {name} was trained on it, so the data set of the adapter is not "
                f"known; run: dvc repro {name}"
            )
    return prepared["params"]["params.yaml"]["dataset"]


def find_fingerprints(entries: list[dict[str, Any]]) -> dict[str, str]:
    """Return the MD5 of the prepared data among a stage's deps or outs, by path."""
    return {entry["path"]: entry["md5"] for entry in entries if entry["path"] in DATA}


def find_base(captioner: str) -> dict[str, str]:
    """Return `id` and `revision` of the base model on the hub; a folder of this project has no revision."""
    pinned = MODELS / captioner / "hub.json"
    if pinned.is_file():
        values = json.loads(pinned.read_text(encoding="utf-8"))
        return {"id": values["id"], "revision": values["revision"]}
    return {"id": (MODELS / captioner).as_posix(), "revision": ""}


def find_family(captioner: str) -> str:
    """Return the captioner's family by params.yaml.

    Raises:
        UserError: params.yaml has no such captioner.
    """
    captioners = load(PARAMS)["captioners"]
    if captioner not in captioners:
        raise UserError(f"{PARAMS}: captioners has no {captioner}{suggest(captioner, list(captioners))}")
    return captioners[captioner]["family"]


def find_prompt(captioner: str) -> str:
    """Return the captioner's prompt on one line, empty where the model takes none."""
    return import_module(f"captioning.families.{find_family(captioner)}").PROMPT.replace("\n", "\\n")


def format_scores(scores: dict[str, dict[str, float]], variants: list[str]) -> dict[str, list[str]]:
    """Return metric -> a cell per variant, at four digits."""
    names = dict.fromkeys(name for variant in variants for name in scores[variant])
    return {name: [_format_cell(scores[variant].get(name)) for variant in variants] for name in names}


def select_counts(reason: str, captioner: str) -> str:
    """Return a reason for missing scores with this captioner's counts alone, empty if it concerns only others.

    >>> select_counts("core_type: no type: big pt 3, small ft 1", "small")
    'core_type: no type: ft 1'
    """
    what, _, counts = reason.rpartition(": ")
    sets = [SET.fullmatch(count) for count in counts.split(", ")]
    if not all(sets):
        return reason
    own = [f"{match['variant']} {match['count']}" for match in sets if match and match["captioner"] == captioner]
    return f"{what}: {', '.join(own)}" if own else ""


def round_floats(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with floats as text of four significant digits."""
    return {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in values.items()}


def _format_cell(value: float | None) -> str:
    return "n/a" if value is None else str(value) if isinstance(value, int) else f"{value:.4f}"


def dump_yaml(params: dict[str, Any]) -> str:
    """Return parameters as YAML, keys in their order."""
    stream = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.dump(params, stream)
    return stream.getvalue().rstrip()


def _render(**page: Any) -> str:
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
    """Copy the adapter's bytes, and its config with the hub's id and revision where the base model has them."""
    shutil.copyfile(adapter / "adapter_model.safetensors", folder / "adapter_model.safetensors")
    config, base = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8")), find_base(captioner)
    config |= {"base_model_name_or_path": base["id"], "revision": base["revision"] or None}
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")


def save_merged(captioner: str, adapter: Path, folder: Path, vllm: bool = False) -> None:
    """Write the processor, and the model with the adapter added to its weights in the dtype of captioning.

    With `vllm` also what captions pictures by vLLM.
    """
    from captioning.modelling import DTYPES
    from captioning.modelling import load as load_captioner

    section, family = load(PARAMS)["caption_generate"], find_family(captioner)
    whole = load_captioner(MODELS / captioner, family, DTYPES[section["precision"]], adapter=adapter)
    if vllm:
        write_script(whole, family, section["max_new_tokens"], section["precision"], folder)
    merged = whole.model.merge_and_unload()
    merged.save_pretrained(folder, safe_serialization=True)
    whole.processor.save_pretrained(folder)
    if vllm:
        rename_weights(merged, folder)
