"""Raw files in a folder, or in a zip that is read without being unpacked."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

from pipeline.core.errors import UserError

ENCRYPTED = 0x1  # bit of a zip member's flags
BUFFER_BYTES = 1 << 20  # of a zip member that is streamed


@dataclass(frozen=True)
class Folder:
    """Files of a folder, by their path in it."""

    path: Path

    @cached_property
    def stamps(self) -> dict[str, tuple[int, int]]:
        """Map every file below, in sorted order, to its size and time of change, which change with its content.

        Raises:
            UserError: a folder below is a link.
        """
        below = sorted(self.path.rglob("*"))
        link = next((path for path in below if path.is_symlink() and path.is_dir()), None)
        if link:
            raise UserError(
                f"{link}: a link to a folder, into which DVC does not look, so changes in it would go unnoticed; "
                f"put the folder itself there, or make {self.path} the link"
            )
        return {file.relative_to(self.path).as_posix(): _stamp(file) for file in below if file.is_file()}

    def __contains__(self, name: str) -> bool:
        return (self.path / name).is_file()

    def locate(self, name: str) -> str:
        """Name a file for a message."""
        return str(self.path / name)

    def read(self, name: str) -> bytes:
        """Read a file."""
        return (self.path / name).read_bytes()

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        return open(self.path / name, "rb")


@dataclass(frozen=True)
class Zip:
    """Members of a zip, which is opened once; several threads may read at once."""

    path: Path

    @cached_property
    def archive(self) -> zipfile.ZipFile:
        """The open zip.

        Raises:
            UserError: it is not a zip, is cut off, is encrypted, or a member's name leads out of it.
        """
        try:
            archive = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"{self.path}: not a readable zip ({error}); it may be cut off: fetch it again") from None
        for member in archive.infolist():
            _refuse_unsafe(self.path, member)
        return archive

    @cached_property
    def stamps(self) -> dict[str, tuple[int, int]]:
        """Map every member, in sorted order, to its size and checksum.

        Raises:
            UserError: see `archive`.
        """
        members = sorted(self.archive.infolist(), key=lambda member: member.filename)
        return {member.filename: (member.file_size, member.CRC) for member in members if not member.is_dir()}

    def __contains__(self, name: str) -> bool:
        return name in self.stamps

    def locate(self, name: str) -> str:
        """Name a member for a message."""
        return f"{self.path}: {name}"

    def read(self, name: str) -> bytes:
        """Read a member.

        Raises:
            UserError: it is damaged.
        """
        try:
            return self.archive.read(name)
        except (zipfile.BadZipFile, EOFError) as error:
            raise UserError(f"{self.locate(name)}: damaged in the zip ({error}); fetch the zip again") from None

    def open(self, name: str) -> IO[bytes]:
        """Open a member for reading."""
        return io.BufferedReader(self.archive.open(name), BUFFER_BYTES)  # type: ignore[type-var]


Files = Folder | Zip


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _refuse_unsafe(path: Path, member: zipfile.ZipInfo) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise UserError(
            f"{path}: the member {member.filename!r} leads out of the zip, so this is not the file as published; "
            "fetch it again"
        )
    if member.flag_bits & ENCRYPTED:
        raise UserError(
            f"{path}: {member.filename} is encrypted; unpack the zip with its password, and put the files there"
        )


def list_images(files: Files, prefix: str, suffixes: tuple[str, ...] = (".jpg",)) -> Iterator[str]:
    """List the names below `prefix` that end in one of `suffixes`, in sorted order."""
    return (name for name in files.stamps if name.startswith(prefix) and name.lower().endswith(suffixes))
