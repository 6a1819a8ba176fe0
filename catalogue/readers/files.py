"""Raw files in a folder, or in a zip that is read without being unpacked."""

import errno
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any, ClassVar

from pipeline.core.errors import UserError

ENCRYPTED = 0x1  # bit of a zip member's flags
BUFFER_BYTES = 1 << 20  # of a zip member that is streamed
DAMAGE = (  # what zipfile raises where bytes are wrong
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
    IndexError,
)


@dataclass(frozen=True)
class Folder:
    """Files of a folder, by their path in it."""

    path: Path
    is_archive: ClassVar[bool] = False

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
    """Members of a zip, which is opened once; several threads may read at once.

    A member is named with slashes, as in a folder, and without a folder that holds all others, unless that is images/.
    What macOS adds to a zip is left out.
    """

    path: Path
    is_archive: ClassVar[bool] = True

    @cached_property
    def archive(self) -> zipfile.ZipFile:
        """The open zip.

        Raises:
            UserError: it is not a zip, is cut off, is encrypted, or a member's name leads out of it.
        """
        try:
            archive = zipfile.ZipFile(self.path)
        except (*DAMAGE, OSError) as error:
            raise UserError(f"{self.path}: not a readable zip ({error}); it may be cut off: fetch it again") from None
        for member in archive.infolist():
            _refuse_unsafe(self.path, member)
        return archive

    @cached_property
    def members(self) -> dict[str, zipfile.ZipInfo]:
        """Map the name of every file, in sorted order, to its member.

        Raises:
            UserError: see `archive`.
        """
        by_name = {member.filename.replace("\\", "/").removeprefix("./"): member for member in self.archive.infolist()}
        names = sorted(name for name in by_name if name and not name.endswith("/") and not _is_of_macos(name))
        above = _find_folder_above(names)
        return {name.removeprefix(above): by_name[name] for name in names}

    @cached_property
    def stamps(self) -> dict[str, tuple[int, int]]:
        """Map every file, in sorted order, to its size and checksum.

        Raises:
            UserError: see `archive`.
        """
        return {name: (member.file_size, member.CRC) for name, member in self.members.items()}

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def locate(self, name: str) -> str:
        """Name a member for a message, as the zip names it."""
        return f"{self.path}: {self.members[name].filename if name in self.members else name}"

    def read(self, name: str) -> bytes:
        """Read a member.

        Raises:
            UserError: it is damaged, or packed by a method that Python does not know.
        """
        with self.open(name) as file:
            return file.read()

    def open(self, name: str) -> IO[bytes]:
        """Open a member for reading.

        Raises:
            UserError: also while it is read: it is damaged, or packed by a method that Python does not know.
        """
        with _explain_damage(self.locate(name)):
            member = self.archive.open(self.members[name])
        return io.BufferedReader(_Member(member, self.locate(name)), BUFFER_BYTES)


class _Member(io.RawIOBase):
    """Reads a member of a zip, and says which one it is where it is damaged."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.file, self.label = file, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _explain_damage(self.label):
            data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.file.close()
        super().close()


@contextmanager
def _explain_damage(name: str) -> Iterator[None]:
    try:
        yield
    except NotImplementedError as error:  # such as Deflate64, which Windows uses for large files
        raise UserError(
            f"{name}: packed by a method that cannot be read here ({error}); unpack the zip and put its files there, "
            "or pack them by Deflate"
        ) from None
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # the disk's own
            raise
        raise UserError(f"{name}: damaged in the zip ({error}); fetch the zip again") from None


def _is_of_macos(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts[0] == "__MACOSX" or path.name.startswith("._") or path.name == ".DS_Store"


def _find_folder_above(names: Sequence[str]) -> str:
    """Find the folders that hold all files, with a slash at their end; images/ is none of them.

    >>> _find_folder_above(["shop/images/1.jpg", "shop/images/2.jpg"])
    'shop/'
    """
    above = ""
    while names:
        top = names[0].partition("/")[0]
        if top.lower() == "images" or not all(name.startswith(f"{top}/") for name in names):
            break
        above += f"{top}/"
        names = [name.removeprefix(f"{top}/") for name in names]
    return above


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
