"""python -m captioning.spice_models: fetches Stanford CoreNLP 3.6.0, with which SPICE parses captions, into data/corenlp/.

It comes by its Maven coordinates through jgo, about 385 MB once; kept are the code and the two models that SPICE
reads, 80 MB. With `caption_score.spice: skip` only a note is written. CoreNLP is GPL: it is fetched, never shipped.
"""

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Literal

import requests

from pipeline.errors import UserError
from pipeline.outputs import new_folder
from pipeline.params import Section, read
from pipeline.stage import done, run

OUT = Path("data/corenlp")
SKIPPED = "SKIPPED"
GROUP, ARTIFACT, VERSION = "edu.stanford.nlp", "stanford-corenlp", "3.6.0"
SHA256 = {  # by classifier; jgo only warns where a download differs from its checksum
    "": "d341d5863276f55782c5ef73212222d6b3b48e02ae1951ab6de7618d28b12742",
    "models": "d285157bd7887ee3018094b5dbae092e49088b023361ccdb550ee1daf9b2c9bd",
}
MODELS = "edu/stanford/nlp/models/"
READ_BY_SPICE = (MODELS + "lexparser/englishPCFG.ser.gz", MODELS + "dcoref/")
OLDEST = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold: no times in the output
TIMEOUT_SECONDS = 60


class CaptionScore(Section):
    """Section `caption_score`."""

    spice: Literal["required", "skip"]


class Params(Section):
    """The root keys that this stage reads."""

    caption_score: CaptionScore


def main() -> None:
    if read(Params).caption_score.spice == "skip":
        with new_folder(OUT) as partial:
            (partial / SKIPPED).write_text(
                "caption_score.spice: skip in params.yaml; SPICE is not computed\n", encoding="utf-8"
            )
        done(f"wrote {OUT / SKIPPED}: SPICE is skipped")
        return
    with new_folder(OUT) as partial:
        fetch(partial)
    megabytes = sum(path.stat().st_size for path in OUT.iterdir()) / 1e6
    done(f"wrote {OUT}: CoreNLP {VERSION} for SPICE, {megabytes:.0f} MB")


def fetch(folder: Path) -> None:
    """Writes the code jar and a jar of the models that SPICE reads, with the same bytes each time.

    Files in the local Maven repository are used where they are; downloads go to a temporary folder.

    Raises:
        UserError: the network or the files are not what they should be; the message says how to go on.
    """
    with tempfile.TemporaryDirectory(prefix="corenlp-") as cache:
        code, models = (_resolve(classifier, Path(cache)) for classifier in SHA256)
        shutil.copyfile(code, folder / f"{ARTIFACT}-{VERSION}.jar")
        repack(models, folder / f"{ARTIFACT}-{VERSION}-models-spice.jar")


def repack(source: Path, target: Path) -> None:
    """Copies the entries that SPICE reads: sorted, without times, stored (compressed bytes differ between zlib versions).

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
    if _sha256(path) != SHA256[classifier]:
        raise UserError(f"{path}: not the {name} that was expected (sha256 {_sha256(path)}); delete it and run again")
    return path


def _how_to_go_on(name: str, error: Exception) -> str:
    reason = str(error).splitlines()[0][:200]
    return (
        f"could not fetch {name} ({type(error).__name__}: {reason}).\n"
        f"Without a network: set `caption_score.spice: skip` in params.yaml, and every table says that SPICE is missing.\n"
        f"Or fetch it where there is one: `python -m captioning.spice_models` there, then copy {OUT} or `dvc push` and `dvc pull` it;\n"
        f"a mirror is named in jgo's own settings (section [repositories])"
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    run(main)
