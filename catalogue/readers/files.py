"""Raw files where they lie: in a folder, or in a zip that is read without being unpacked."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

from pipeline.core.errors import UserError

ENCRYPTED = 0x1  # bit of a zip member's flags


@dataclass(frozen=True)
class Folder:
    """Files of a folder, by their path in it."""

    path: Path

    @cached_property
    def stamps(self) -> dict[str, tuple[int, int]]:
        """name -> size and time of change of every file below, in sorted order: what tells that it is still the same.

        Raises:
            UserError: a folder below is a link.
        """
        below = sorted(self.path.rglob("*"))
        linked = next((path for path in below if path.is_symlink() and path.is_dir()), None)
        if linked:
            raise UserError(
                f"{linked}: a link to a folder, into which DVC does not look: changes there would go unnoticed. Put the folder "
                f"itself there, or make {self.path} the link"
            )
        return {file.relative_to(self.path).as_posix(): _stamp(file) for file in below if file.is_file()}

    def __contains__(self, name: str) -> bool:
        return (self.path / name).is_file()

    def where(self, name: str) -> str:
        """The file's name for a message."""
        return str(self.path / name)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def open(self, name: str) -> IO[bytes]:
        return open(self.path / name, "rb")


@dataclass(frozen=True)
class Zip:
    """Members of a zip. Opened once; reading is safe from several threads.

    Raises:
        UserError: it is no zip, is cut off, is encrypted, or a member's name leads out of it.
    """

    path: Path

    @cached_property
    def archive(self) -> zipfile.ZipFile:
        try:
            archive = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"{self.path}: not a readable zip ({error}); it may be cut off: fetch it again") from None
        for member in archive.infolist():
            _refuse_unsafe(self.path, member)
        return archive

    @cached_property
    def stamps(self) -> dict[str, tuple[int, int]]:
        """name -> size and checksum of every member, in sorted order."""
        members = sorted(self.archive.infolist(), key=lambda member: member.filename)
        return {member.filename: (member.file_size, member.CRC) for member in members if not member.is_dir()}

    def __contains__(self, name: str) -> bool:
        return name in self.stamps

    def where(self, name: str) -> str:
        return f"{self.path}: {name}"

    def read(self, name: str) -> bytes:
        try:
            return self.archive.read(name)
        except (zipfile.BadZipFile, EOFError) as error:
            raise UserError(f"{self.where(name)}: damaged in the zip ({error}); fetch the zip again") from None

    def open(self, name: str) -> IO[bytes]:
        return io.BufferedReader(self.archive.open(name), 1 << 20)  # type: ignore[type-var]


Files = Folder | Zip


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _refuse_unsafe(path: Path, member: zipfile.ZipInfo) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise UserError(
            f"{path}: the member {member.filename!r} leads out of the zip; this is not the file as published"
        )
    if member.flag_bits & ENCRYPTED:
        raise UserError(
            f"{path}: {member.filename} is encrypted; unpack the zip with its password, and put the files there"
        )


def images_in(files: Files, prefix: str, suffixes: tuple[str, ...] = (".jpg",)) -> Iterator[str]:
    """Names below `prefix` that end as pictures do, in sorted order."""
    return (name for name in files.stamps if name.startswith(prefix) and name.lower().endswith(suffixes))
