"""`python -m benchmarks`: training and prediction beside the rivals that are installed."""

import argparse
import sys
from pathlib import Path

from . import machine


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="bpnet beside its rivals, one thread, in one run: same data, same start weights, results compared "
        "before any clock starts. Minimum and, in brackets, median of the rounds.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, no torch.compile, no huge nets")
    parser.add_argument("--table", choices=("training", "prediction"), help="only this table")
    parser.add_argument("--rows", metavar="TEXT", nargs="+", help="only nets whose row contains one of these")
    parser.add_argument("--rivals", metavar="NAME", nargs="+", help="only these, by the names of their files")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--avx2", action="store_true", help="hold everybody to AVX2 (ONNX Runtime cannot be held)")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write the tables, JSON and PNG there")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    machine.settle(options.avx2, options.dtype == "float64")

    from . import report, rivals
    from .tables import TABLES, DisagreementError, Settings

    settings = Settings(options.dtype, 5, 0.03) if options.quick else Settings(options.dtype, 15, 0.15)
    names = tuple(options.rivals or (n for n in rivals.MODULES if not (options.quick and n == rivals.COMPILES_LONG)))
    if unknown := set(names) - set(rivals.MODULES):
        sys.exit(f"--rivals: there is no {', '.join(sorted(unknown))}; there are {', '.join(rivals.MODULES)}")
    found, missing = rivals.load(tuple(dict.fromkeys(["bpnet_", *names])))

    text: list[str] = []

    def say(*lines: str) -> None:
        text.extend(lines)
        print(*lines, sep="\n", flush=True)

    here = machine.describe(options.dtype)
    gflops, how = machine.peak(options.dtype)
    here["peak"] = f"{gflops:.0f} GFLOP/s on one core, by {how}"
    say(*(f"{name}: {value}  " for name, value in here.items()), *missing)

    measured = {}
    for name, (title, cases, measure) in TABLES.items():
        if options.table not in (None, name):
            continue
        if options.rows:
            cases = [case for case in cases if any(part in case.name for part in options.rows)]
        elif options.quick:
            cases = [case for case in cases if case.quick]
        rows = []
        try:
            for row in measure(found, cases, settings):
                rows.append(row)
                print(f"  {row.case.name}: {row.lead():.2f} times the best rival", file=sys.stderr, flush=True)
        except DisagreementError as error:
            sys.exit(str(error))
        if rows:
            measured[name] = rows
            say("", f"{title}, {options.dtype}, one thread: minimum (median of {settings.rounds} rounds)", "")
            say(*report.markdown(rows))
    if options.output:
        written = report.write(options.output, here, measured, "\n".join(text))
        print("", *(f"written: {path}" for path in written), sep="\n")


if __name__ == "__main__":
    main()
