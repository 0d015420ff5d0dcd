"""Networks as ONNX models, which ONNX Runtime and many others run (the extra `onnx`).

>>> import bpnet, os, tempfile
>>> net = bpnet.Network([3, 8, 2], activation="gelu", output_activation="softmax", seed=0)
>>> with tempfile.TemporaryDirectory() as folder:
...     path = os.path.join(folder, "net.onnx")
...     bpnet.onnx.export(net, path)
...     again = bpnet.onnx.load(path)
>>> bool((again.parameters == net.parameters).all())
True
"""

from ._export import export
from ._load import load

__all__ = ["export", "load"]

for _function in (export, load):
    _function.__module__ = "bpnet.onnx"
del _function
