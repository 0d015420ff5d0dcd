"""Files of released versions: all that ever were still load, and predict what they predicted."""

import json
from pathlib import Path

import bpnet
import numpy as np
import pytest

FOLDER = Path(__file__).parent / "models"
FILES = sorted(FOLDER.glob("*.safetensors"))
# Another level rounds differently: the networks are tame, so a few hundred units in the last place are plenty.
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def test_every_release_left_one():
    versions = {path.name.split("-")[0] for path in FILES}
    assert {"0.1.0", bpnet.__version__} <= versions
    assert len(list(FOLDER.glob("*.json"))) == len(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_old_file_means_what_it_meant(path):
    known = json.loads(path.with_suffix(".json").read_text())
    net = bpnet.load(path)
    assert net.config == known["config"]
    assert net.parameters.tolist() == known["theta"]
    y = np.array(known["y"])
    error = np.abs(net.predict(np.array(known["x"])) - y).max(axis=0)
    assert (error <= TOLERANCE[net.dtype.name] * np.abs(y).max(axis=0)).all()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_written_again_as_it_was(path, tmp_path):
    """Where this machine rounds as the one that wrote it did; the rest of the file in any case."""
    if path.name.split("-")[0] != bpnet.__version__:
        pytest.skip("of another release")
    bpnet.load(path).save(tmp_path / "net")
    old, new = path.read_bytes(), (tmp_path / "net").read_bytes()
    header = 8 + int.from_bytes(old[:8], "little")
    n = bpnet.load(path).parameters.nbytes
    assert new[: header + n] == old[: header + n]
    assert len(new) == len(old)
