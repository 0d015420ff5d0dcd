"""Files that change in one piece: whoever reads meets the old content or the new one, also after a crash."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from ._options import wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BUFFER = 1 << 20
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}  # some network file systems


def file_path(path: object) -> str:
    """`path` as a str; a TypeError says what else may be written to."""
    try:
        return os.fsdecode(path)  # type: ignore[arg-type]
    except TypeError:
        wrong_type("path", path, "a path or a binary file")


def write_file(path: str, fill: Callable[[BinaryIO], None]) -> None:
    """Replaces the file at `path`, or where a link there leads, by what `fill` writes.

    An OSError means that the old file stands, but for one case: the folder could not be synchronised after the rename;
    then the new file stands, and a loss of power may bring the old one back. No temporary file stays in any case.
    """
    target = os.path.realpath(path) if os.path.islink(path) else path
    try:
        before = _status(target)
        if before is not None and not stat.S_ISREG(before.st_mode):  # a device, a pipe; of a folder, open complains
            with open(target, "wb") as file:
                fill(file)
            return
        with _folder(os.path.dirname(target) or ".") as folder:
            _replace(target, before, fill)
            if folder is not None:
                _sync_folder(folder)
    except OSError as error:  # names the file that was asked for
        raise OSError(error.errno, error.strerror or str(error), target) from error


def _replace(target: str, before: os.stat_result | None, fill: Callable[[BinaryIO], None]) -> None:
    temporary = os.path.join(os.path.dirname(target), f".bpnet-{os.urandom(8).hex()}.tmp")
    mode = 0o666 if before is None else 0o600  # never more open than the old file is
    try:
        with open(temporary, "xb", _BUFFER, opener=lambda name, flags: os.open(name, flags, mode)) as file:
            fill(file)
            file.flush()
            if before is not None:
                _take_after(file.fileno(), before)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _take_after(descriptor: int, before: os.stat_result) -> None:
    """Owner, group and mode of the old file, as far as this process may give them.

    Where the group cannot stay, the other one gets no right that not everybody has.
    """
    now, mode = os.fstat(descriptor), stat.S_IMODE(before.st_mode)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        except PermissionError:
            try:
                os.fchown(descriptor, -1, before.st_gid)
            except PermissionError:
                mode &= (mode & 0o007) << 3 | 0o7707
            mode &= 0o777  # set-user-ID and its like were meant for the old owner
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:  # chown clears bits
        os.fchmod(descriptor, mode)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _folder(path: str) -> Iterator[int | None]:
    """The folder, opened before anything changes; None where it may not be read, and so not be synchronised."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        yield None
        return
    try:
        yield descriptor
    finally:
        with contextlib.suppress(OSError):  # nothing was written to it
            os.close(descriptor)


def _sync_folder(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
