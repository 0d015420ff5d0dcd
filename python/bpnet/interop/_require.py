"""Libraries that bpnet works with but does not need."""

from __future__ import annotations

import importlib
from typing import Any


def require(library: str, install: str) -> Any:
    """The module `library`; where it is missing, an ImportError that says what to install."""
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library.partition(".")[0]:  # it is there, and something else is wrong
            raise
        raise ImportError(f"{error.name} is not installed; `pip install {install}` brings it") from error
