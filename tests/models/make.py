"""Writes this release's model file and, beside it, what the network in it predicts: python tests/models/make.py

Run once for every release, by the release itself; what older ones wrote is never touched again.
"""

import json
from pathlib import Path

import bpnet
import numpy as np

HERE = Path(__file__).parent


def main():
    """Every activation there is, normalised on both sides, with initialisers that have numbers."""
    names = [name for name in bpnet._core.activation_names() if name not in ("exponential", "softmax")]
    net = bpnet.Network(
        [3] + [6] * len(names) + [2], names, "identity", init=bpnet.Normal(std=0.5), dtype="float64", seed=2**63 + 1
    )
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (50, 3))
    net.normalize(x + 5, np.stack([x[:, 0] * x[:, 1], 100 * x[:, 2]], axis=1))
    write(f"{bpnet.__version__}-float64", net, x[:8] + 5)
    net = bpnet.Network([3, 5, 4], "exponential", "softmax", bias_init=bpnet.Uniform(low=-0.2, high=0.2), seed=7)
    net.fit(x, rng.integers(0, 4, 50), cost="cross_entropy", epochs=3)
    write(f"{bpnet.__version__}-float32", net, x[:8])


def write(name, net, x):
    path = HERE / f"{name}.safetensors"
    if path.exists():
        raise SystemExit(f"{path.name} is there already")
    net.save(path)
    known = {"config": net.config, "x": x.tolist(), "y": net.predict(x).tolist(), "theta": net.parameters.tolist()}
    path.with_suffix(".json").write_text(json.dumps(known) + "\n")


if __name__ == "__main__":
    main()
