"""Checks of where a user's command writes, before the work: what else lies there stays."""

import os
from pathlib import Path

from pipeline.core.errors import UserError

KEPT = (".git", ".dvc", "dvc.yaml", "params.yaml")  # names in a folder that no command replaces


def check_folder(option: str, folder: Path) -> None:
    """Refuse a folder that no command may replace, whatever else it holds.

    Args:
        option: The user's, for the message.
        folder: The folder that would be replaced; it need not exist.

    Raises:
        UserError: It is a link, the working directory or a folder above it, or holds a repository or a study.
    """
    advice = f"it is not replaced; name a new folder: {option} FOLDER"
    if folder.is_symlink():
        raise UserError(f"{option} {folder}: a link; {advice}")
    here = Path.cwd().resolve()
    if folder.resolve() in (here, *here.parents):
        raise UserError(f"{option} {folder}: the working directory, or a folder above it; {advice}")
    held = [name for name in KEPT if (folder / name).exists()]
    if held:
        raise UserError(f"{option} {folder}: holds {', '.join(held)}; {advice}")


def check_file(option: str, file: Path | None) -> None:
    """Refuse a path that no file can be written to.

    Args:
        option: The user's, for the message.
        file: The path; None: none is written.

    Raises:
        UserError: It is a folder or a device, lies below a file, or where this user may not write.
    """
    if file is None:
        return
    target = file.absolute() if not file.is_symlink() else file.parent.absolute() / os.readlink(file)
    if target.parts[1:2] in (("dev",), ("proc",)):
        raise UserError(f"{option} {file}: a device; name a file")
    if file.exists() and not file.is_file():
        raise UserError(f"{option} {file}: a {'folder' if file.is_dir() else 'device'}; name a file")
    above = next(folder for folder in file.absolute().parents if os.path.lexists(folder))
    if not above.is_dir():
        raise UserError(f"{option} {file}: {above} is no folder; name a file in a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UserError(f"{option} {file}: no permission to write in {above}; name a file elsewhere")
