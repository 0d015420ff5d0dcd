"""A process that gets SIGINT in the middle of one call, and the time until KeyboardInterrupt comes out of it."""

import signal
import subprocess
import sys
import time

PROMPT = 2.0  # seconds: the promise is 0.1; the rest is for a machine under load

HEAD = """
import os, random, signal, threading, time, numpy as np, bpnet
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with SIGINT ignored
"""
CALL = """
print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    caught = time.monotonic()
else:
    raise AssertionError("the call was over too soon, or the signal was lost")
{after}
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
print(caught, flush=True)
"""


def delay(before, call, after):
    """Seconds from the signal to the exception.

    `before` prepares `call`, which takes many seconds; `after` is what must hold once it has been interrupted.
    """
    script = HEAD + before + CALL.format(call=call, after=after)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.4)
            sent = time.monotonic()
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(timeout=120)
        finally:
            child.kill()
    assert child.returncode == 0
    return float(out) - sent
