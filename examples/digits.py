"""What the digit examples share: reading IDX files and drawing images in a terminal."""

import gzip
import sys
from pathlib import Path

import numpy as np

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def read_idx(path):
    """The array of unsigned bytes in an IDX file, plain or gzipped.

    Two zero bytes, the type (8: unsigned byte), the number of axes, their lengths as big-endian 32-bit integers, data.
    """
    data = Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not an IDX file of bytes: it begins with {data[:4].hex(' ')}")
    start = 4 + 4 * data[3]
    shape = tuple(np.frombuffer(data[4:start], dtype=">u4").astype(int).tolist())
    if len(data) - start != np.prod(shape):
        raise ValueError(f"{path} says that it holds {shape}, but has {len(data) - start} bytes of data")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def load(folder):
    """((x, labels), (x, labels)) for training and test: x (m, pixels) float32 in 0..1, labels (m,) 0..9."""
    arrays = [read_idx(find(folder, name)) for name in NAMES]
    for images, labels, name in zip(arrays[0::2], arrays[1::2], NAMES[0::2], strict=True):
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise ValueError(f"{name} has shape {images.shape}, its labels {labels.shape}: they do not fit together")
    pixels = [images.reshape(len(images), -1).astype(np.float32) / 255 for images in arrays[0::2]]
    return (pixels[0], arrays[1]), (pixels[1], arrays[3])


def find(folder, name):
    """The file of that name in the folder: as it is, gzipped, or with a dot before idx, as some distribute it."""
    for candidate in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            path = Path(folder) / (candidate + ending)
            if path.is_file():
                return path
    raise FileNotFoundError(f"{folder} has no {name} (nor {name}.gz); it must hold the four MNIST files in IDX format")


def draw(images, captions, width=76):
    """Prints images (k, h, w), 0 (blank) to 1 (full), side by side as far as they fit, each under its caption."""
    columns = max(1, (width + 2) // (images.shape[2] + 2))
    columns = -(-len(images) // -(-len(images) // columns))  # rows of about equal length
    for first in range(0, len(images), columns):
        pictures = [picture(image) for image in images[first : first + columns]]
        print("  ".join(f"{caption:<{images.shape[2]}}" for caption in captions[first : first + columns]).rstrip())
        for line in zip(*pictures, strict=True):
            print("  ".join(line).rstrip())
        print()


def picture(image):
    """Lines of characters, one for two rows of pixels, since a character is about twice as high as it is wide."""
    shades = " ░▒▓█" if (sys.stdout.encoding or "").lower().startswith("utf") else " .+*#"
    rows = image[: len(image) // 2 * 2].reshape(len(image) // 2, 2, -1).mean(axis=1)
    levels = np.clip(np.ceil(rows * 4 - 0.25), 0, 4).astype(int)
    return ["".join(shades[level] for level in row) for row in levels]
