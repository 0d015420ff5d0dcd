"""A file that appears in one piece."""

from __future__ import annotations

import os
import stat


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to `path`: readers meet the old file or the new one, also after a crash. Its mode is kept."""
    target = os.path.realpath(os.fsdecode(path))  # through a link, to the file it names
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):  # a folder (open says so), a device or a pipe: nothing to replace
        with open(target, "wb") as file:
            file.write(data)
        return
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".bpnet-{os.urandom(8).hex()}.tmp")
    try:
        file = open(temporary, "xb")
    except OSError as error:
        error.filename = target
        raise
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _sync_folder(folder: str) -> None:
    if os.name != "posix":  # only there can a folder be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse; the file itself is safe
        pass
    finally:
        os.close(descriptor)
