"""The Python blocks of docs/interop.md run, in order, in one session."""

import re
from pathlib import Path

import pytest

for _library in ("torch", "sklearn", "keras", "onnx", "onnxruntime"):
    pytest.importorskip(_library)

PAGE = Path(__file__).parent.parent / "docs" / "interop.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # in Keras
def test_the_python_blocks_run(tmp_path, monkeypatch):
    text = PAGE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    session = {"__name__": "__main__"}
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == 4
    for block in blocks:
        line = text[: block.start(1)].count("\n")
        exec(compile("\n" * line + block.group(1), str(PAGE), "exec"), session)  # tracebacks give the page's line
