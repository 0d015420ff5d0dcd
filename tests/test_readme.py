"""The Python blocks of the README, and of the page on arrays, run in order, in one session each; tables are whole."""

import re
from pathlib import Path

import bpnet
import numpy as np
import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_python_blocks_run(tmp_path, monkeypatch):
    text = README.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks, "the README shows no Python"
    monkeypatch.chdir(tmp_path)
    session = {"__name__": "__main__"}
    for block in blocks:
        line = text[: block.start(1)].count("\n")
        exec(compile("\n" * line + block.group(1), str(README), "exec"), session)  # tracebacks give the README's line


def test_the_page_on_arrays_runs(tmp_path, monkeypatch):
    """On files of a thousandth of the size."""
    pl = pytest.importorskip("polars")
    text = (README.parent / "docs" / "arrays.md").read_text(encoding="utf-8")
    blocks = [block.replace("10_000_000", "10_000") for block in BLOCK.findall(text)]
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rng.standard_normal((10_000, 4), np.float32).tofile("x.f32")
    rng.standard_normal(10_000, np.float32).tofile("y.f32")
    pl.DataFrame({name: rng.standard_normal(1000) for name in "abcde"}).write_parquet("table.parquet")
    net = bpnet.Network([4, 8, 1], output_activation="identity", seed=0)
    session = {"net": net, "bpnet": bpnet, "np": np, "pl": pl}
    for block in blocks:
        exec(block, session)
    assert Path("out.f32").stat().st_size == 40_000
    assert session["trainer"].steps == 4


PAGES = [README, *sorted((README.parent / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_table_is_empty(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    heads = [k for k, line in enumerate(lines) if re.fullmatch(r"\|([ :]*-+[ :]*\|)+", line)]
    for k in heads:
        columns = lines[k].count("|")
        assert lines[k - 1].count("|") >= columns, f"{page.name}:{k + 1} has no heading"
        assert k + 1 < len(lines) and lines[k + 1].startswith("|"), f"{page.name}:{k + 1} has no rows"
