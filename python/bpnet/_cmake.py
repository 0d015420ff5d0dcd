"""Where C++ users find bpnet. Standard library only: it must answer without any extra installed."""


def get_cmake_dir() -> str:
    """Folder of ``bpnetConfig.cmake``, for ``cmake -Dbpnet_DIR=...``.

    Returns
    -------
    str
        The absolute path.

    Raises
    ------
    FileNotFoundError
        bpnet is imported from a source tree that was never installed.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.get_cmake_dir().endswith("bpnet/lib/cmake/bpnet")
    True
    """
    from importlib.util import find_spec  # imported here: `import bpnet` stays light
    from pathlib import Path

    # The compiled core, and not this file, lies where CMake installed: in an editable install they are apart.
    core = find_spec("bpnet._core")
    home = Path(core.origin if core and core.origin else __file__).resolve().parent
    folder = home / "lib" / "cmake" / "bpnet"
    if not (folder / "bpnetConfig.cmake").is_file():
        raise FileNotFoundError(f"bpnet's CMake package is not in {folder}; install bpnet with pip first")
    return str(folder)
