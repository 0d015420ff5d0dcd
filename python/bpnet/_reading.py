"""Batches of an iterable, one after the other; where reading is slow, ahead of time in a thread."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Generator
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import as_array
from ._options import wrong_type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from numpy.typing import NDArray
    from typing_extensions import Self

    from . import _core

    Batch: TypeAlias = "tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]"

_END = object()
_HANDOVER = 2e-4  # seconds: what passing a batch from thread to thread may cost, so what it must save at least
_PATIENCE = 1.0  # seconds that an interrupted reader gets to come back from what it is reading


class Reader:
    """The batches of an iterator as arrays. A context: on leaving it the thread ends and a generator is closed.

    With `ahead` > 0, arrays are copied before the next batch is asked for, and a thread reads up to that many batches
    in advance as soon as two batches in a row took long, both to read and to train on. So the iterator may fill the
    same buffer again and again, and what lies in a mapped file is read where nobody waits for it. A generator that
    looks at the network which is trained meets it as it would without the thread: after all batches that it gave.
    """

    def __init__(self, iterator: Iterator[Any], ahead: int, net: _core.Network) -> None:
        self._iterator = iterator
        self._ahead = ahead
        self._net = net
        self._numbers = itertools.count()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._ready: SimpleQueue[Batch | BaseException | None] = SimpleQueue()  # None: the end
        self._room = threading.Semaphore(ahead)  # counts the batches that may be read
        self._finished: SimpleQueue[None] = SimpleQueue()  # one for each batch that was trained on
        self._behind = 0  # batches given by the thread, but not known to be finished

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is None:
            return _close(self._iterator)
        self._stopping = True
        self._room.release()
        self._finished.put(None)
        self._thread.join(_PATIENCE)

    def __iter__(self) -> Iterator[Batch]:
        slow = 0  # batches in a row
        while self._ahead == 0 or slow < 2:
            start = time.perf_counter()
            batch = self._next()
            if batch is None:
                return
            read = time.perf_counter()
            yield batch
            slow = slow + 1 if min(read - start, time.perf_counter() - read) > _HANDOVER else 0
        yield from self._from_thread()

    def _next(self) -> Batch | None:
        """None: the end."""
        given = next(self._iterator, _END)
        return None if given is _END else _arrays(next(self._numbers), given, copied=self._ahead > 0)

    def _from_thread(self) -> Iterator[Batch]:
        context = copy_context()  # np.errstate and its like hold there too
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="bpnet reader", daemon=True)
        try:
            self._thread.start()
        except (RuntimeError, MemoryError):  # there are too many already: then without
            self._thread = None
            while (batch := self._next()) is not None:
                yield batch
            return
        while (item := self._ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            self._room.release()
            yield item
            self._finished.put(None)

    # ---- in the thread

    def _run(self) -> None:
        self._net.before_use(self._catch_up)
        try:
            self._read()
        except BaseException as error:  # whatever it is, it belongs to whoever waits for the batch
            self._ready.put(error)
        finally:
            self._net.before_use(None)

    def _read(self) -> None:
        try:
            while True:
                self._room.acquire()
                if self._stopping:
                    return
                batch = self._next()
                self._ready.put(batch)
                if batch is None:
                    return
                self._behind += 1
        finally:
            _close(self._iterator)

    def _catch_up(self) -> None:
        """Waits until every batch so far was trained on."""
        while self._behind > 0 and not self._stopping:
            self._finished.get()
            self._behind -= 1
        if self._stopping:
            raise GeneratorExit


def _arrays(number: int, given: Any, *, copied: bool) -> Batch:
    if not isinstance(given, (tuple, list)) or not 2 <= len(given) <= 3:
        wrong_type(f"batches[{number}]", given, "(x, y) or (x, y, sample_weight)")
    try:
        x, y = as_array("x", given[0]), as_array("y", given[1])
        w = as_array("sample_weight", given[2]) if len(given) == 3 and given[2] is not None else None
    except TypeError as error:
        raise TypeError(f"batches[{number}]: {error}") from error
    if not copied:
        return x, y, w
    return np.array(x), np.array(y), None if w is None else np.array(w)


def _close(iterator: Iterator[Any]) -> None:
    """Runs a generator's `finally` now, not when the last traceback lets go of it."""
    if isinstance(iterator, Generator):
        iterator.close()
