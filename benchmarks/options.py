"""What the command line asks for."""

import argparse
from pathlib import Path

TABLES = ("training", "rare", "prediction", "precision", "threads", "growth")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="bpnet beside its rivals, one thread, in one run: same data, same start weights, results compared "
        "before any clock starts. Minimum and, in brackets, median of the rounds.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, no torch.compile, no huge nets")
    parser.add_argument("--table", choices=TABLES, nargs="+", default=TABLES, help="only these")
    parser.add_argument("--rows", metavar="TEXT", nargs="+", help="only rows whose net and batch contain one of these")
    parser.add_argument("--rivals", metavar="NAME", nargs="+", help="only these, by the names of their files")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--avx2", action="store_true", help="hold everybody to AVX2; who cannot be held is left out")
    parser.add_argument("--threads", metavar="N", type=int, help="try up to so many, else one a core")
    parser.add_argument("--up-to", metavar="N", type=int, default=4096, help="growth: no batch or width above this")
    parser.add_argument(
        "--cpp",
        metavar="DIR",
        nargs="?",
        const="",
        help="compile bpnet's steps in C++, in DIR or a temporary folder, and put them beside the others",
    )
    parser.add_argument("--output", metavar="DIR", type=Path, help="write the tables, JSON and PNG there")
    return parser.parse_args()
