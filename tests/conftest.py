"""What every test needs: the helper modules on the path, and hypothesis that gives the same examples everywhere."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("bpnet", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("bpnet")

# What pytest-run-parallel (`pytest --parallel-threads=4`) is to run in one thread, and why. Keys begin ids of tests.
ELSEWHERE = "all of it happens in processes of its own"
ORACLE = "mpmath's precision is one number for all threads"
PROCESS = "changes what the whole process shares: its limits, its working folder, attributes of modules"
THREAD_UNSAFE = {
    "test_cmake_package.py": ELSEWHERE,
    "test_config.py::test_docstring_examples": "doctest takes hold of sys.stdout",
    "test_elementwise.py": ORACLE,
    "test_environments.py": ELSEWHERE,
    "test_exactness.py": ORACLE,
    "test_examples.py": ELSEWHERE,
    "test_failures.py::test_ctrl_c": ELSEWHERE,
    "test_file_failures.py": PROCESS,
    "test_files.py::test_large_arrays_go_in_pieces": PROCESS,
    "test_files.py::test_subclasses_come_back_as_themselves": "defines a class where pickle looks for it",
    "test_fork.py": ELSEWHERE,
    "test_hostile_files.py::test_memory": ELSEWHERE,
    "test_interop.py::test_a_missing_library": PROCESS,
    "test_interop_docs.py": PROCESS,
    "test_interrupt.py": ELSEWHERE,
    "test_levels.py": ELSEWHERE,
    "test_onnx_": PROCESS,
    "test_process.py": ELSEWHERE,
    "test_readme.py": PROCESS,
    "test_views.py::test_networks_go_with_their_last_view": ELSEWHERE,
}


def pytest_collection_modifyitems(items):
    for item in items:
        place = item.nodeid.rpartition("tests/")[2]
        reason = next((why for start, why in THREAD_UNSAFE.items() if place.startswith(start)), None)
        if reason:
            item.add_marker(pytest.mark.thread_unsafe(reason=reason))
