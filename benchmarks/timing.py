"""The clock: rivals in turn, many rounds, so that a noisy minute hits all of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

Run = Callable[[int], object]  # does its work that many times and returns when it is done


@dataclass
class Timing:
    """Seconds of one piece of work, one number a round."""

    samples: list[float] = field(default_factory=list)

    @property
    def minimum(self) -> float:
        return min(self.samples)

    @property
    def median(self) -> float:
        return median(self.samples)


def seconds_for(run: Run, repeats: int) -> float:
    start = time.perf_counter()
    run(repeats)
    return time.perf_counter() - start


def repeats_for(run: Run, seconds: float) -> int:
    """How many repeats take about so long. Also the warm-up: whatever is compiled on first use is compiled here."""
    run(1)
    repeats = 1
    while (taken := seconds_for(run, repeats)) < seconds / 4:
        repeats = max(2 * repeats, min(100 * repeats, int(repeats * seconds / 4 / taken)))
    return max(1, round(repeats * seconds / taken))


def interleaved(runs: Mapping[str, Run], rounds: int, seconds: float) -> dict[str, Timing]:
    """Each of `runs` once a round, for about `seconds`."""
    repeats = {name: repeats_for(run, seconds) for name, run in runs.items()}
    timings = {name: Timing() for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            timings[name].samples.append(seconds_for(run, repeats[name]) / repeats[name])
    return timings
