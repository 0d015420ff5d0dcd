"""Exclusive or: the smallest problem that needs a hidden layer.

python examples/xor.py [--hidden 4] [--epochs 1000] [--seed 1]
"""

import argparse

import bpnet
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=4, help="hidden units (default 4; 2 suffice with a lucky seed)")
    parser.add_argument("--epochs", type=int, default=1000, help="passes over the four rows (default 1000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
    y = np.array([0, 1, 1, 0], dtype=np.float32)

    net = bpnet.Network([2, options.hidden, 1], activation="tanh", output_activation="sigmoid", seed=options.seed)
    history = net.fit(x, y, optimizer=bpnet.Adam(learning_rate=0.02), epochs=options.epochs, batch_size=4)

    print("learning curve (quadratic cost, an epoch a row):")
    show_curve(history.cost)
    print("\nx1 x2 | wanted  output")
    for row, wanted, output in zip(x, y, net.predict(x)[:, 0], strict=True):
        print(f"{row[0]:2.0f} {row[1]:2.0f} | {wanted:6.0f}  {output:6.3f}")
    right = int(np.sum((net.predict(x)[:, 0] > 0.5) == (y > 0.5)))
    print(f"{right} of 4 right; {history.steps} steps in {history.seconds * 1e3:.0f} ms")


def show_curve(cost, rows=10, width=50):
    """Prints about that many epochs, equally far apart, with a bar as long as the cost is large."""
    for epoch in np.unique(np.linspace(0, len(cost) - 1, rows).astype(int)):
        print(f"{epoch + 1:6d} {cost[epoch]:9.6f} {'#' * round(width * cost[epoch] / max(cost))}".rstrip())


if __name__ == "__main__":
    main()
