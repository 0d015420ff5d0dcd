"""bpnet from C++, in a process of its own that is told by a line of text what to do."""

import subprocess
import tempfile
import weakref
from pathlib import Path

import numpy as np

from ..cases import LEARNING_RATE, Case, Problem
from . import bpnet_

NAME = "bpnet, C++"
program: Path | None = None  # benchmarks/cpp/rival.cpp, compiled


class Server:
    """The program at work on one problem. A line with a number: do it so often. `result`: write down what came out."""

    def __init__(self, kind: str, case: Case, problem: Problem) -> None:
        assert program is not None, "it has to be compiled first"
        folder = tempfile.TemporaryDirectory(prefix="bpnet-rival-")
        self.folder, self.dtype = Path(folder.name), problem.x.dtype
        self.start = bpnet_.network(case, problem)
        for name, array in (("theta", self.start.parameters), ("x", problem.x), ("y", problem.y)):
            (self.folder / name).write_bytes(array.tobytes())
        sizes, rate = ",".join(map(str, case.sizes)), LEARNING_RATE[case.optimizer]
        words = [kind, self.dtype, sizes, case.batch, case.activation, case.optimizer, rate, self.folder]
        self.process = subprocess.Popen(
            [program, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        weakref.finalize(self, end, self.process, folder)

    def run(self, times: int) -> None:
        self.ask(str(times))

    def ask(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        if self.process.stdout.readline() != "done\n":
            raise RuntimeError(f"{program} ended with {self.process.wait()}")

    def result(self) -> np.ndarray:
        self.ask("result")
        return np.fromfile(self.folder / "result", self.dtype)


def end(process: subprocess.Popen, folder: tempfile.TemporaryDirectory) -> None:
    process.communicate()  # it ends with its input
    folder.cleanup()


class Training(Server):
    def __init__(self, case: Case, problem: Problem) -> None:
        super().__init__("training", case, problem)

    def parameters(self) -> list[np.ndarray]:
        net = self.start.copy()
        net.parameters[...] = self.result()
        return [array for layer in zip(net.weights, net.biases, strict=True) for array in layer]


class Prediction(Server):
    def __init__(self, case: Case, problem: Problem) -> None:
        self.n_outputs = case.sizes[-1]
        super().__init__("prediction", case, problem)

    def outputs(self) -> np.ndarray:
        return self.result().reshape(-1, self.n_outputs)
