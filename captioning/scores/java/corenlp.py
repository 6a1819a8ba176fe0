"""Finds or fetches the jars of Stanford CoreNLP 3.6.0, with which SPICE parses captions.

CoreNLP is GPL: it is fetched from Maven Central, never shipped.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import requests

from pipeline.checkpoints import hash_file
from pipeline.core.errors import UserError

OUT = Path("data/corenlp")
SKIPPED = "SKIPPED"  # the note in OUT where SPICE is skipped
GROUP = "edu.stanford.nlp"
ARTIFACT = "stanford-corenlp"
VERSION = "3.6.0"
SHA256 = {  # by classifier; jgo only warns where a download differs from its checksum
    "": "d341d5863276f55782c5ef73212222d6b3b48e02ae1951ab6de7618d28b12742",
    "models": "d285157bd7887ee3018094b5dbae092e49088b023361ccdb550ee1daf9b2c9bd",
}
CODE = f"{ARTIFACT}-{VERSION}.jar"  # the two files of the output: the code,
SMALL = f"{ARTIFACT}-{VERSION}-models-spice.jar"  # and the models that SPICE reads
SMALL_SHA256 = "49c99af4d3b9235e6e49d5344a02c68472cc09e3fea4921295af5254fb3b2144"
MODELS = "edu/stanford/nlp/models/"
READ_BY_SPICE = (MODELS + "lexparser/englishPCFG.ser.gz", MODELS + "dcoref/")
OLDEST = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold: no times in the output
TIMEOUT_SECONDS = 60


def fetch(folder: Path) -> None:
    """Write the code jar and a jar of the models that SPICE reads, with the same bytes each time.

    The source is the first of these: the folder `$CORENLP`, the folder that `lookbook fetch corenlp` filled, the local
    Maven repository, and a remote one through a temporary folder.

    Raises:
        UserError: the network cannot be reached or a file is damaged; the message says how to go on.
    """
    named = os.environ.get("CORENLP")
    if named or has_corenlp(user_folder()):
        _copy(Path(named) if named else user_folder(), folder)
        return
    with tempfile.TemporaryDirectory(prefix="corenlp-") as cache:
        code, models = (_resolve(classifier, Path(cache)) for classifier in SHA256)
        shutil.copyfile(code, folder / CODE)
        repack(models, folder / SMALL)


def cache_folder() -> Path:
    """Return Lookbook's cache folder: `$LOOKBOOK_CACHE`, else `lookbook` in the user's cache folder."""
    if folder := os.environ.get("LOOKBOOK_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lookbook"


def user_folder() -> Path:
    """Return the folder that `lookbook fetch corenlp` fills."""
    return cache_folder() / f"corenlp-{VERSION}"


def has_corenlp(folder: Path) -> bool:
    """Tell whether the folder has the code jar and one with the models."""
    return (folder / CODE).exists() and bool(_model_jars(folder))


def find() -> Path | None:
    """Find the jars for a command: in `$CORENLP`, data/corenlp, or the folder that `lookbook fetch corenlp` fills.

    Returns:
        The folder; None where no folder has them.

    Raises:
        UserError: `$CORENLP` is set, and the folder lacks a jar.
    """
    named = os.environ.get("CORENLP")
    if named:
        _refuse_incomplete(Path(named))
        return Path(named)
    return next((folder for folder in (OUT, user_folder()) if has_corenlp(folder)), None)


def list_jars(folder: Path) -> list[Path]:
    """List the jars of CoreNLP in a folder, which may hold other files: code, then models."""
    return [path for path in (folder / CODE, *_model_jars(folder)) if path.exists()]


def program_version(folder: Path) -> str:
    """Name all that a parse of SPICE depends on: the code and models in these jars, and SPICE's own.

    The name comes from the checksums of the entries that are read, so whole jars and repacked ones have the same.
    """
    package = importlib.util.find_spec("pycocoevalcap")
    assert package is not None
    assert package.submodule_search_locations is not None
    spice = Path(package.submodule_search_locations[0]) / "spice"
    read = [*list_jars(folder), spice / "spice-1.0.jar", *(spice / "lib").glob("*.jar")]
    sums = sorted({entry for jar in read for entry in _entries(jar)})
    return f"SPICE 1.0, CoreNLP {VERSION}, {hashlib.sha256(repr(sums).encode()).hexdigest()}"


def repack(source: Path, target: Path) -> None:
    """Copy the entries that SPICE reads, sorted, without times and not compressed: zlib versions differ in their bytes.

    Raises:
        UserError: the models are not in `source`.
    """
    with zipfile.ZipFile(source) as jar, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as small:
        names = sorted(name for name in jar.namelist() if name.startswith(READ_BY_SPICE) and not name.endswith("/"))
        if READ_BY_SPICE[0] not in names:
            raise UserError(f"{source}: no {READ_BY_SPICE[0]} in it; is it the models jar of CoreNLP {VERSION}?")
        for name in names:
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            small.writestr(entry, jar.read(name))


def _model_jars(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{ARTIFACT}-{VERSION}-models*.jar"))[:1]


def _entries(jar: Path) -> list[tuple[str, int]]:
    """List name and checksum of each entry that is read: all code, and the models that SPICE reads."""
    with zipfile.ZipFile(jar) as file:
        listed = [(entry.filename, entry.CRC) for entry in file.infolist()]
    return [
        (name, crc)
        for name, crc in listed
        if name.startswith(READ_BY_SPICE) or (name.endswith(".class") and not name.startswith(MODELS))
    ]


def _refuse_incomplete(folder: Path) -> None:
    if not has_corenlp(folder):
        raise UserError(
            f"CORENLP={folder}: {CODE} and {ARTIFACT}-{VERSION}-models.jar are expected there; "
            f"without CORENLP, `lookbook fetch corenlp` fetches them"
        )


def _copy(source: Path, folder: Path) -> None:
    """Copy code and models, whole or repacked, from a folder; the bytes are those of a download.

    Raises:
        UserError: the folder lacks a file, or a file is not that of Maven Central.
    """
    _refuse_incomplete(source)
    code, models = list_jars(source)
    sums = hash_file(code), hash_file(models)
    if sums[0] != SHA256[""] or sums[1] not in (SHA256["models"], SMALL_SHA256):
        raise UserError(
            f"{source}: {code.name} or {models.name} is not the file of Maven Central (sha256 {sums}); "
            "remove it, and `lookbook fetch corenlp` fetches it again"
        )
    shutil.copyfile(code, folder / CODE)
    if sums[1] == SMALL_SHA256:
        shutil.copyfile(models, folder / SMALL)
    else:
        repack(models, folder / SMALL)


def _resolve(classifier: str, cache: Path) -> Path:
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    settings = GlobalSettings.load()  # a user's mirrors and local repository
    name = ":".join(part for part in (GROUP, ARTIFACT, VERSION, classifier) if part)
    context = MavenContext(
        repo_cache=cache,
        local_repos=[Path(settings.repo_cache).expanduser()],
        remote_repos=settings.repositories or None,
        timeout=TIMEOUT_SECONDS,
    )
    try:
        path = context.project(GROUP, ARTIFACT).at_version(VERSION).artifact(classifier=classifier).resolve()
    except (requests.RequestException, RuntimeError) as error:
        raise UserError(_how_to_go_on(name, error)) from error
    if hash_file(path) != SHA256[classifier]:
        raise UserError(
            f"{path}: not the {name} that was expected (its sha256 is {hash_file(path)}, not {SHA256[classifier]}); "
            "delete it and run again"
        )
    return path


def _how_to_go_on(name: str, error: Exception) -> str:
    reason = str(error).splitlines()[0][:200]
    return (
        f"could not fetch {name} ({type(error).__name__}: {reason}).\n"
        "Without a network: set `caption_score.spice: skip` in params.yaml; tables then say that SPICE is missing.\n"
        "Or run `lookbook fetch corenlp --to FOLDER` on a machine with a network, copy the folder and set CORENLP to "
        "it; or run `dvc push` there and `dvc pull` here.\n"
        "To use a mirror, name it in jgo's own settings (section [repositories])."
    )
