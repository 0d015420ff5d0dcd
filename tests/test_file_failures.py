"""Saves that fail, at any call: the old file stands, nothing else is left, and the complaint is an OSError."""

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import bpnet
import numpy as np
import pytest
from bpnet import _self_test, _serialization
from bpnet._serialization import to_bytes
from nets import random_net

HERE = Path(__file__).parent
CC = shutil.which("cc")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


# ---- every call fails once -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("shim") / "failing_calls.so"
    command = [CC, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path, HERE / "failing_calls.c", "-ldl"]
    subprocess.run(command, check=True)
    return path


@pytest.mark.skipif(CC is None or not sys.platform.startswith("linux"), reason="needs cc, and LD_PRELOAD")
@pytest.mark.parametrize("scenario", ["new", "existing", pytest.param("another owner", marks=needs_root)])
def test_the_nth_call_fails(scenario, library, tmp_path):
    target = tmp_path / "net"
    done = subprocess.run(
        [sys.executable, HERE / "failing_saves.py", library, target, scenario],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    old = "nothing" if scenario == "new" else "old"
    for row in rows:
        error, call, outcome = row["error"], row["call"], row["outcome"]
        assert row["litter"] == [], row
        if call is None or (call, error) in HARMLESS or (call == "write" and error == "short"):
            assert (outcome, row["stands"]) == ("saved", "new"), row
        elif call == "fsync folder":  # too late for the old file, and worth an alarm
            assert (outcome, row["stands"]) == (error, "new"), row
        else:
            assert (outcome, row["stands"]) == (error.replace("short", "EINTR"), old), row
        if row["stands"] != "nothing" and scenario != "new":
            assert row["mode"] == 0o640, row
            assert row["owner"] == ([12345, 23456] if scenario == "another owner" else [os.getuid(), os.getgid()]), row
    print(f"{scenario}: {sum(row['call'] is not None for row in rows)} failures, of", *dict.fromkeys(rows[-1]["calls"]))
    assert [row["error"] for row in rows if row["call"] is None] == ["ENOSPC", "EIO", "EINTR", "short"]
    check_order(
        rows[-1]["calls"], {"new": set(), "existing": {"fchmod"}, "another owner": {"fchown", "fchmod"}}[scenario]
    )


# Python itself calls again after EINTR; closing the folder, which was only read, may fail as it likes.
AGAIN = ("open", "open folder", "write", "fsync", "fsync folder", "fchmod", "fchown")
HARMLESS = {(call, error) for call in AGAIN for error in ("EINTR", "short")}
HARMLESS |= {("close folder", error) for error in ("ENOSPC", "EIO", "EINTR", "short")}


def check_order(calls, expected):
    """Durable: the content is on the disk before the name is, and then the name."""
    assert {"open folder", "open", "write", "fsync", "rename", "fsync folder"} | expected <= set(calls), calls
    last_write = len(calls) - 1 - calls[::-1].index("write")
    assert last_write < calls.index("fsync") < calls.index("rename") < calls.index("fsync folder"), calls
    assert calls.count("write") >= 2 and calls.count("rename") == 1


# ---- real failures ---------------------------------------------------------------------------------------------------


def test_a_full_disk(tmp_path):
    old, new = random_net([3, 2]), random_net([300, 200])
    old.save(tmp_path / "net")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with pytest.raises(OSError, match="net"):
            new.save(tmp_path / "net")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in tmp_path.iterdir()] == ["net"]
    assert (tmp_path / "net").read_bytes() == to_bytes(old)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_a_full_device():
    with pytest.raises(OSError, match="/dev/full"):
        random_net([3, 2]).save("/dev/full")


def test_an_exception_in_the_middle(tmp_path, monkeypatch):
    net, first, calls = random_net([3, 4, 2]), _self_test.outputs, []
    net.save(tmp_path / "net")
    before = (tmp_path / "net").read_bytes()

    def outputs(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return first(*arguments)

    monkeypatch.setattr(_self_test, "outputs", outputs)
    with pytest.raises(KeyboardInterrupt):
        random_net([5, 4, 2]).save(tmp_path / "net")
    assert [path.name for path in tmp_path.iterdir()] == ["net"]
    assert (tmp_path / "net").read_bytes() == before


def test_a_network_that_changes_meanwhile_is_not_saved(tmp_path, monkeypatch):
    net, tiles = random_net([3, 4, 2]), _serialization.tiles

    def changing(array):
        net.parameters[-1] += 1
        return tiles(array)

    monkeypatch.setattr(_serialization, "tiles", changing)
    with pytest.raises(RuntimeError, match="changed"):
        net.save(tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


def test_saving_while_it_is_trained(tmp_path):
    """A callback of the fit may save; another thread is told that it may not."""
    net, complaints = random_net([3, 4, 2], dtype="float32"), []
    x = np.random.default_rng(0).normal(size=(50, 3))

    def elsewhere():
        try:
            net.save(tmp_path / "elsewhere")
        except RuntimeError as error:
            complaints.append(error)

    def callback(trainer, epoch, history):
        net.save(tmp_path / "net")
        assert np.array_equal(bpnet.load(tmp_path / "net").parameters, net.parameters)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    net.fit(x, x[:, :2], epochs=2, callback=callback)
    assert len(complaints) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


# ---- what stays as it was --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o400, 0o755, 0o640])
def test_the_mode_stays(mode, tmp_path):
    for net in (random_net([3, 2]), random_net([3, 4, 2])):
        net.save(tmp_path / "net")
        (tmp_path / "net").chmod(mode)
        net.save(tmp_path / "net")
        assert (tmp_path / "net").stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_follows_the_umask(umask, tmp_path):
    before = os.umask(umask)
    try:
        random_net([3, 2]).save(tmp_path / "net")
    finally:
        os.umask(before)
    assert (tmp_path / "net").stat().st_mode & 0o7777 == 0o666 & ~umask


def test_links_are_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to("folder/net")
    for net in (random_net([3, 2]), random_net([3, 4, 2])):  # first to nowhere, then to a file
        net.save(link)
        assert link.is_symlink()
        assert (tmp_path / "folder" / "net").read_bytes() == to_bytes(net)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["net"]


@needs_root
def test_the_owner_stays(tmp_path):
    random_net([3, 2]).save(tmp_path / "net")
    os.chown(tmp_path / "net", 12345, 23456)
    random_net([3, 2]).save(tmp_path / "net")
    status = (tmp_path / "net").stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)


AS_SOMEBODY = """
import os, bpnet
net = bpnet.load("new")
net.copy()  # imports what a save needs, while the files of Python may be read
os.setgroups([777])
os.setgid(12345)
os.setuid(12345)
net.save("net")
"""


@needs_root
@pytest.mark.parametrize(
    ("mode", "group", "expected"), [(0o664, 23456, 0o644), (0o640, 23456, 0o600), (0o664, 777, 0o664)]
)
def test_who_may_not_keep_owner_or_group_gives_no_new_rights(mode, group, expected, tmp_path):
    """The saver is user 12345 of groups 12345 and 777; the file belongs to root."""
    random_net([3, 2]).save(tmp_path / "net")
    os.chown(tmp_path / "net", 0, group)
    (tmp_path / "net").chmod(mode)
    tmp_path.chmod(0o777)
    (tmp_path / "new").write_bytes(to_bytes(random_net([3, 4, 2])))
    subprocess.run([sys.executable, "-c", AS_SOMEBODY], cwd=tmp_path, check=True)
    status = (tmp_path / "net").stat()
    assert (status.st_uid, status.st_gid) == (12345, group if group == 777 else 12345)
    assert status.st_mode & 0o7777 == expected
    assert (tmp_path / "net").read_bytes() == (tmp_path / "new").read_bytes()


def test_pipes_and_devices_are_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    net = random_net([3, 2])
    writer = threading.Thread(target=net.save, args=(tmp_path / "pipe",))
    writer.start()
    again = bpnet.load(tmp_path / "pipe")
    writer.join()
    assert np.array_equal(again.parameters, net.parameters)
    net.save("/dev/null")
