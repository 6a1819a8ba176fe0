"""Write an adapter, or a model with the adapter merged in, with a model card: a folder ready for a model hub."""

import io
import json
import re
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import jinja2
from ruamel.yaml import YAML

from captioning.generation.settings import CaptionGenerate
from lookbook.workspace import caption_with_vllm, licences
from lookbook.workspace.vllm_export import check_family, rename_weights, write_script
from pipeline.captioners import Captioners
from pipeline.core.errors import UserError, first_five
from pipeline.core.outputs import new_folder, write_json
from pipeline.core.params import PARAMS, Section, read, suggest
from pipeline.destinations import check_folder

ADAPTERS = Path("data/adapters")
MODELS = Path("data/models")
TRAIN = Path("metrics/train")
LOCK = Path("dvc.lock")
CAPTIONS = Path("data/captions")
SCORES = Path("metrics/captions.json")
ABOUT = "lookbook.json"  # in an export: what it is of, and the files that it wrote
PROGRAM = "hub"  # as `program` of the file of that name in exports for Elliot and WarpRec
REPLACED = (ABOUT, caption_with_vllm.PARTS.name)  # what an earlier export may hold beside the files that it lists
SET = re.compile(r"(?P<captioner>\S+)(?: (?P<variant>pt|ft|floor))? (?P<count>\d+)")
DATA = ("data/prepared/items.parquet", "data/prepared/images")


class Params(Section):
    """What an export reads of params.yaml."""

    captioners: Captioners
    caption_generate: CaptionGenerate


def export(captioner: str, out: Path, merged: bool, vllm: bool = False) -> str:
    """Write `out`: README.md and the adapter, or with `merged` the whole model (safetensors) and its processor.

    `lookbook.json` beside them lists the files, by which a later export knows the folder as one that it may replace.
    With `vllm` also a script that captions pictures by vLLM, which needs the whole model.

    Returns:
        why README.md has no scores; nothing if it has.

    Raises:
        UserError: there is no such adapter, `dvc.lock` records another one, or `out` holds anything but an earlier
            export; or vLLM has no such models.
    """
    adapter = check_adapter(captioner, out)
    if vllm and not merged:
        raise UserError("--vllm: needs --merged: the script reads the whole model")
    if vllm:
        check_family(find_family(captioner))
    no_scores = explain_no_scores(captioner)
    card = render_card(captioner, merged, no_scores)
    check_recorded(captioner, adapter)
    with new_folder(out) as partial:
        if merged:
            save_merged(captioner, adapter, partial, vllm)
        else:
            save_adapter(captioner, adapter, partial)
        (partial / "README.md").write_text(card, encoding="utf-8")
        files = sorted(path.name for path in partial.iterdir())
        write_json(partial / ABOUT, {"program": PROGRAM, "captioner": captioner, "files": files})
    return no_scores


def check_adapter(captioner: str, out: Path) -> Path:
    """Return the adapter's folder, after everything that can be refused without reading a model.

    Raises:
        UserError: there is no such adapter, or `out` holds anything but an earlier export.
    """
    adapter = ADAPTERS / captioner
    if not (adapter / "adapter_model.safetensors").is_file():
        trained = sorted(path.parent.name for path in ADAPTERS.glob("*/adapter_model.safetensors"))
        raise UserError(
            f"{adapter}: no adapter; trained here: {', '.join(trained) or 'none'}{suggest(captioner, trained)}; "
            f"train one with: dvc repro caption_train@{captioner}"
        )
    check_replaced(out)
    return adapter


def check_replaced(out: Path) -> None:
    """Refuse a folder that holds anything but an earlier export.

    Raises:
        UserError: it does, or no command may replace it.
    """
    check_folder("--out", out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    written = read_written(out)
    if not written:
        raise UserError(
            f"{out}: exists and is no earlier export of a captioner; choose another --out, or remove it yourself"
        )
    known = {path.name for path in out.iterdir() if path.name in REPLACED or (path.name in written and path.is_file())}
    others = sorted(path.name for path in out.iterdir() if path.name not in known)
    if others:
        raise UserError(
            f"{out}: holds other files than an earlier export's, {first_five(others)}; choose another --out, or move "
            "them elsewhere"
        )


def read_written(folder: Path) -> list[str]:
    """Read the names of the files that an export wrote to a folder; none where it is no export of a captioner."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return list(about["files"]) if about["program"] == PROGRAM else []
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def check_recorded(captioner: str, adapter: Path) -> None:
    """Check that the adapter is the one that `dvc.lock` records: the card describes that one.

    Raises:
        UserError: it is another one, or DVC cannot tell.
    """
    cell = f"caption_train@{captioner}"
    if find_changed(cell, [adapter]):
        raise UserError(
            f"{adapter}: not the adapter that {LOCK} records, so what it was trained on is not known; "
            f"train it: dvc repro {cell}; or restore the recorded one: dvc checkout {adapter}; "
            f"or, if you have just trained it by hand, record it: dvc commit -f {cell}"
        )


def explain_no_scores(captioner: str) -> str:
    """Return why `metrics/captions.json` may lack scores of this adapter, or hold those of an earlier one; or nothing.

    The scores are this adapter's if its captions were generated by it, and scored, as `dvc.lock` records both.

    Raises:
        UserError: DVC cannot tell.
    """
    captions = CAPTIONS / f"{captioner}-ft.parquet"
    for cell, paths in (
        (f"caption_generate_ft@{captioner}", [ADAPTERS / captioner, captions]),
        ("caption_score", [CAPTIONS, SCORES]),
    ):
        if changed := find_changed(cell, paths):
            return (
                f"{changed[0]} is not what {LOCK} records of {cell}; to score this adapter run: dvc repro caption_score"
            )
    if "ft" not in read_scores().get(captioner, {}):
        return f"{SCORES} has none of {captioner}; to score this adapter run: dvc repro caption_score"
    return ""


def find_changed(cell: str, paths: Sequence[Path]) -> list[Path]:
    """List which of these dependencies and outputs of a stage are not here as `dvc.lock` records them of it.

    Raises:
        UserError: DVC cannot tell.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            stage = repo.stage.load_one(name=cell)
            files = {file.def_path: file for file in (*stage.deps, *stage.outs)}
            return [path for path in paths if path.as_posix() not in files or files[path.as_posix()].workspace_status()]
    except DvcException as error:
        raise UserError(
            f"{cell}: DVC cannot tell whether {paths[0]} is what {LOCK} records: {str(error).strip()}"
        ) from error


def read_scores() -> dict[str, Any]:
    """Read the scores of the study's captions; nothing where they are not scored."""
    return json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.exists() else {}


def render_card(captioner: str, merged: bool = False, no_scores: str = "") -> str:
    """Render README.md with the front matter that model hubs read.

    The card states base model, scores (or `no_scores`, why it has none), parameters, data fingerprints, CO2 and
    licences.
    """
    stage = f"caption_train@{captioner}"
    cell, prepared = read_stages(stage, "catalogue_prepare")
    dataset, base = find_dataset(stage, cell, prepared), find_base(captioner)
    scores = {} if no_scores else read_scores()
    variants = [name for name in ("pt", "ft") if name in scores.get(captioner, {})]
    return _render(
        name=captioner,
        merged=merged,
        base={**base, "licence": licences.describe_base(base["id"])},
        dataset={"name": dataset, "licence": licences.describe_adapter(dataset)},
        prompt=find_prompt(captioner),
        no_scores=no_scores,
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
        UserError: params.yaml has no such captioner, or a wrong value.
    """
    captioners = read(Params).captioners
    if captioner not in captioners:
        raise UserError(f"{PARAMS}: captioners has no {captioner}{suggest(captioner, list(captioners))}")
    return captioners[captioner].family


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

    section, family = read(Params).caption_generate, find_family(captioner)
    whole = load_captioner(MODELS / captioner, family, DTYPES[section.precision], adapter=adapter)
    if vllm:
        write_script(whole, family, section.max_new_tokens, section.precision, folder)
    merged = whole.model.merge_and_unload()
    merged.save_pretrained(folder, safe_serialization=True)
    whole.processor.save_pretrained(folder)
    if vllm:
        rename_weights(merged, folder)
