"""A curve through noisy points, and its slope: the network is differentiated with respect to its input.

    python examples/curve_fit.py [--png FILE]

The points are y = sin(3 x) exp(-x^2 / 2) plus noise. The network never sees a slope; dy/dx comes from `wrt="x"`.
"""

import argparse

import bpnet
import numpy as np


def curve(x):
    return np.sin(3 * x) * np.exp(-(x**2) / 2)


def slope(x):
    return (3 * np.cos(3 * x) - x * np.sin(3 * x)) * np.exp(-(x**2) / 2)


def output_itself(a, y):
    """A cost that is the output: C = a, dC/da = 1. Its gradient with respect to x is dy/dx."""
    return a[:, 0], np.ones_like(a)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=400, help="noisy points to learn from (default 400)")
    parser.add_argument("--noise", type=float, default=0.05, help="their standard deviation (default 0.05)")
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--png", metavar="FILE", default="curve_fit.png", help="the picture (needs matplotlib)")
    options = parser.parse_args()

    rng = np.random.default_rng(options.seed)
    x = np.sort(rng.uniform(-2.5, 2.5, (options.points, 1)), axis=0)
    y = curve(x) + options.noise * rng.standard_normal(x.shape)

    net = bpnet.Network(
        [1, 32, 32, 1], activation="tanh", output_activation="identity", dtype="float64", seed=options.seed
    )
    net.normalize(x)
    batch_size = 32
    steps = options.epochs * -(-len(x) // batch_size)
    history = net.fit(
        x,
        y,
        cost="quadratic",
        optimizer=bpnet.Adam(learning_rate=bpnet.CosineDecay(initial=0.01, steps=steps)),
        epochs=options.epochs,
        batch_size=batch_size,
    )

    t = np.linspace(-2.3, 2.3, 201)[:, None]
    fitted = net.predict(t)
    # a sum of one-sample costs: row i of its gradient is dy/dx at t[i]
    dy_dx = net.gradient(t, np.zeros_like(t), cost=output_itself, wrt="x", reduction="sum").x

    print(f"{history.steps} steps in {history.seconds:.2f} s; noise {options.noise:g}")
    print("\n     x    true y  fitted y    true y'  network's y'")
    for i in range(0, len(t), 25):
        print(f"{t[i, 0]:6.2f} {curve(t[i, 0]):9.3f} {fitted[i, 0]:9.3f} {slope(t[i, 0]):10.3f} {dy_dx[i, 0]:13.3f}")
    print(f"\nroot mean square error of y:  {rms(fitted - curve(t)):.4f}")
    print(f"root mean square error of y': {rms(dy_dx - slope(t)):.4f} (y' is up to {np.abs(slope(t)).max():.1f})")
    save(options.png, x, y, t, fitted, dy_dx)


def rms(error):
    return np.sqrt(np.mean(error**2))


def save(path, x, y, t, fitted, dy_dx):
    try:
        from bpnet import plotting

        figure = plotting.new_figure(8, 6.5)
    except ImportError as error:
        print(f"no picture: {error}")
        return
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot(x, y, ".", color="#999999", markersize=4, label="noisy points")
    for axes, truth, network, name in ((upper, curve(t), fitted, "y"), (lower, slope(t), dy_dx, "dy/dx")):
        axes.plot(t, truth, color="#222222", linewidth=3, alpha=0.35, label=f"true {name}")
        axes.plot(t, network, color="#c8501e", linewidth=1.3, label=f"network's {name}")
        axes.set_ylabel(name)
        axes.legend(frameon=False)
        axes.grid(alpha=0.25)
    lower.set_xlabel("x")
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
