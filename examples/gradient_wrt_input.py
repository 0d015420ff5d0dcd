"""What grad_x C is for: the smallest change of an image that turns one digit into another.

    python examples/gradient_wrt_input.py [DIR] [--digit 3] [--target 8]

DIR holds the four files of MNIST in IDX format. Without DIR the 8 x 8 digits of scikit-learn are taken where it is
installed, else digits drawn in this file.

With cross-entropy on a softmax, C for the label k is -log a_k. So for two labels the difference of the costs is
    C_k - C_t = log a_t - log a_k = z_t - z_k,
by how much the target t leads its rival k, and the difference of their gradients with respect to x is how that lead
grows with the image. If the leads were straight lines, this would say at once which image with pixels in [0, 1] is the
nearest to the original that has them all; doing it again from there, until nothing moves, ends where it is true.
"""

import argparse
import sys

import bpnet
import digits
import numpy as np

LEAD = 0.05  # wanted of z_t over every other z: about 5 % more probable


def main():
    options = parse()
    try:
        source, (x, labels), (x_test, labels_test) = data(options.folder)
    except (OSError, ValueError) as error:
        sys.exit(f"gradient_wrt_input.py: {error}")

    print(f"{source}: {len(x)} training images of {x.shape[1]} pixels")
    net = bpnet.Network(
        [x.shape[1], 100, 10], activation="tanh", output_activation="softmax", dtype="float64", seed=options.seed
    )
    net.fit(x, labels, cost="cross_entropy", optimizer="adam", epochs=options.epochs, batch_size=32)
    classes = net.predict(x_test).argmax(axis=1)
    print(f"the network tells {np.mean(classes == labels_test):.1%} of {len(x_test)} test images right")

    candidates = np.flatnonzero((labels_test == options.digit) & (classes == options.digit))
    if len(candidates) == 0:
        sys.exit(f"gradient_wrt_input.py: no test image of a {options.digit} that the network gets right")
    # the one it is surest of: the hardest to change
    before = x_test[candidates[net.predict(x_test[candidates])[:, options.digit].argmax()]].astype(np.float64)
    after, steps = nearest(net, before, options.target)
    report(net, before, after, steps, x[labels == options.target], options)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", nargs="?", help="where the four IDX files are")
    parser.add_argument("--digit", type=int, default=3, choices=range(10), help="what to start from (default 3)")
    parser.add_argument("--target", type=int, default=8, choices=range(10), help="what to turn it into (default 8)")
    parser.add_argument("--epochs", type=int, default=None, help="of training (default: 3 with DIR, else 60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--png", metavar="FILE", default="gradient_wrt_input.png", help="needs matplotlib")
    options = parser.parse_args()
    if options.digit == options.target:
        parser.error("--digit and --target are the same")
    options.epochs = options.epochs or (3 if options.folder else 60)
    return options


def nearest(net, x0, target, max_steps=100):
    """The image in [0, 1] nearest to x0 that the network takes for the target; None where it found none.

    Each step replaces the lead of the target over every rival by its tangent at x, and solves that exactly.
    """
    labels = np.arange(net.sizes[-1])
    rivals = labels[labels != target]
    x, best = x0, None
    for step in range(1, max_steps + 1):
        z = net.forward(x).z[-1]
        # the same image once for each label; a sum of costs, so each row of g.x belongs to its own label
        g = net.gradient(np.tile(x, (len(labels), 1)), labels, cost="cross_entropy", wrt="x", reduction="sum")
        growth = g.x[rivals] - g.x[target]  # grad_x (z_t - z_k), one row a rival
        lead = z[target] - z[rivals]
        if lead.min() > 0 and (best is None or np.linalg.norm(x - x0) < np.linalg.norm(best - x0)):
            best = x
        following = project(x0, growth, LEAD - lead + growth @ x)
        if np.linalg.norm(following - x) < 1e-4 * np.linalg.norm(x - x0):
            break
        x = following if step < 20 else (x + following) / 2  # half steps, should it swing to and fro
    return best, step


def project(x0, growth, level, sweeps=50):
    """The point x of the box [0, 1] nearest to x0 with growth[k] @ x >= level[k] for all k, or near to that.

    It is clip(x0 + sum_k force[k] growth[k]) with forces >= 0 that push no further than they must. They are set one
    after the other, again and again (Hildreth's method).
    """
    force = np.zeros(len(level))
    for _ in range(sweeps):
        before = force.copy()
        for k in range(len(force)):
            force[k] = 0
            force[k] = least_force(x0 + force @ growth, growth[k], level[k])
        if np.abs(force - before).max() <= 1e-6 * force.max():
            break
    return np.clip(x0 + force @ growth, 0, 1)


def least_force(x, growth, level):
    """The smallest k >= 0 with growth @ clip(x + k growth, 0, 1) >= level, by bisection."""

    def reached(k):
        return growth @ np.clip(x + k * growth, 0, 1) >= level

    if reached(0):
        return 0.0
    low, high = 0.0, 1 / np.abs(growth).max()
    while not reached(high):
        low, high = high, 2 * high
        if high > 1e9:  # out of reach within the box
            return 0.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def report(net, before, after, steps, others, options):
    if after is None:
        sys.exit(f"gradient_wrt_input.py: found no image that the network takes for a {options.target}")
    change = after - before
    length = np.linalg.norm(change)
    print(f"\nfrom {options.digit} to {options.target} in {steps} steps of the gradient:")
    for name, image in (("before", before), ("after", after)):
        a = net.predict(image)
        print(f"  {name + ',':7} it says {a.argmax()}: {a[options.digit]:.3f} for a {options.digit}, ", end="")
        print(f"{a[options.target]:.3f} for a {options.target}")
    print(f"  length of the change {length:.3f}, largest change of a pixel {np.abs(change).max():.2f}")
    print(f"  nearest training image of a {options.target}: {np.linalg.norm(others - before, axis=1).min():.3f} away")
    noise = np.random.default_rng(options.seed).standard_normal((1000, len(before)))
    noise *= length / np.linalg.norm(noise, axis=1, keepdims=True)
    turned = np.mean(net.predict(np.clip(before + noise, 0, 1)).argmax(axis=1) != options.digit)
    print(f"  of 1000 random changes of the same length, {turned:.1%} make it anything but a {options.digit}\n")

    side = int(np.sqrt(len(before)))
    scale = np.abs(change).max()
    images = [image.reshape(side, side) for image in (before, after, np.maximum(change, 0) / scale)]
    images.append(np.maximum(-change, 0).reshape(side, side) / scale)
    margin = 3 if side > 20 else 0
    captions = ["before", "after", "made darker", "made lighter"]
    if side < 16:
        images = [np.kron(image, np.ones((2, 2))) for image in images]
    digits.draw(np.stack(images)[:, margin : len(images[0]) - margin, margin : len(images[0]) - margin], captions)
    save(options.png, before, after, side, options)


def save(path, before, after, side, options):
    try:
        from bpnet import plotting

        figure = plotting.new_figure(9, 3.4)
    except ImportError as error:
        print(f"no picture: {error}")
        return
    change = after - before
    scale = np.abs(change).max()
    panels = [
        (before, f"taken for a {options.digit}", {"cmap": "gray_r", "vmin": 0, "vmax": 1}),
        (after, f"taken for a {options.target}", {"cmap": "gray_r", "vmin": 0, "vmax": 1}),
        (change, "difference", {"cmap": "PuOr_r", "vmin": -scale, "vmax": scale}),
    ]
    for axes, (image, title, shades) in zip(figure.subplots(1, 3), panels, strict=True):
        drawn = axes.imshow(image.reshape(side, side), **shades)
        axes.set_title(title)
        axes.set(xticks=[], yticks=[])
    figure.colorbar(drawn, ax=figure.axes[-1], shrink=0.8)
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


def data(folder):
    """A name, then (x, labels) for training and for test."""
    if folder:
        (x, labels), test = digits.load(folder)
        return folder, (x, labels), test
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        source, (x, labels) = "digits drawn here", drawn_digits()
    else:
        x, labels = load_digits(return_X_y=True)
        source, x, labels = "scikit-learn's digits", (x / 16).astype(np.float32), labels.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    cut = len(x) * 4 // 5
    train, test = order[:cut], order[cut:]
    return source, (x[train], labels[train]), (x[test], labels[test])


GLYPHS = """
.###. ..#.. .###. .###. ...#. ##### .###. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... #.... ....# #...# #...#
#...# ..#.. ....# ..##. .#.#. ####. ####. ...#. .###. #...#
#...# ..#.. ..##. ....# #..#. ....# #...# ..#.. #...# .####
#...# ..#.. .#... #...# ##### #...# #...# ..#.. #...# ....#
.###. .###. ##### .###. ...#. .###. .###. ..#.. .###. .###.
"""


def drawn_digits(copies=150):
    """The glyphs above, shifted within 8 x 8 pixels, of changing strength and with noise."""
    rng = np.random.default_rng(0)
    rows = [line.split() for line in GLYPHS.split("\n") if line]
    images = []
    for digit in range(10):
        glyph = np.array([[letter == "#" for letter in row[digit]] for row in rows], dtype=float)
        for _ in range(copies):
            image = np.zeros((8, 8))
            top, left = rng.integers(0, 3), rng.integers(0, 4)
            image[top : top + 6, left : left + 5] = glyph * rng.uniform(0.6, 1.0)
            images.append(np.clip(image + 0.1 * rng.standard_normal((8, 8)), 0, 1).ravel())
    return np.array(images, dtype=np.float32), np.repeat(np.arange(10), copies)


if __name__ == "__main__":
    main()
