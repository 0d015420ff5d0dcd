"""`python -m bpnet` and the `bpnet` command."""

from __future__ import annotations

import sys


def main() -> None:
    """The command line, and `--cmakedir`: where find_package(bpnet) should look, which needs no extra."""
    if sys.argv[1:] == ["--cmakedir"]:
        from bpnet._cmake import get_cmake_dir

        print(get_cmake_dir())
        return
    try:
        from bpnet.cli import app
    except ModuleNotFoundError as error:
        package = (error.name or "bpnet").partition(".")[0]
        if package == "bpnet":
            raise
        sys.exit(f'The bpnet command line needs {package}, which is not installed: pip install "bpnet[cli]"')
    app()


if __name__ == "__main__":
    main()
