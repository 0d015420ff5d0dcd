"""Which build runs, on what."""

from __future__ import annotations

from typing import Any

from . import _core


def get_config() -> dict[str, Any]:
    """What this build is and what it runs on.

    Returns
    -------
    dict
        "version", "isa" (the instruction-set level in use), "isa_available", "compiler", "eigen", "threads" (what
        `threads=None` means), "numpy", "python" and more.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.get_config()["version"] == bpnet.__version__
    True
    """
    import platform

    import numpy as np

    return {**_core.config(), "numpy": np.__version__, "python": platform.python_version()}


def show_config() -> None:
    """Prints `get_config()` as a table.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.show_config()  # doctest: +ELLIPSIS
    version ...
    """
    config = get_config()
    width = max(map(len, config))
    for name, value in config.items():
        print(f"{name:<{width}}  {', '.join(map(str, value)) if isinstance(value, (list, tuple)) else value}")
