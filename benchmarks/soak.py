# SPDX-License-Identifier: MIT
"""Kill, interrupt and starve long calls for a while, resume them, and compare the answers.

A round is a computation on random input with a checkpoint. Its answer is taken once without
disturbance. Then it is begun again and again in a process of its own, which each time

- is killed (SIGKILL), or gets Ctrl-C (SIGINT), at a random moment; or
- has it worked on by a pool of processes, of which some are killed, and at times itself, too; or
- may write little to a file (RLIMIT_FSIZE: a full disk), or take little memory (RLIMIT_AS);

and after some times is let alone. It must never end by a signal of its own, hang, or raise anything
but the error of its fault, and never answer anything but the answer. For POSIX. A round that fails
is named with its seed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import linear_regions as lr
from linear_regions import _ledger, _part_runs, _region_listing

from .cases import dense

FAULTS = ("kill", "interrupt", "workers", "disk", "memory")
Answer = list[Any]
Call = Callable[[str, dict[str, Any]], Answer]
MOST_SECONDS = 300.0  # of one attempt, on a machine however busy
BOX = lr.Box(-1.0, 1.0)


# --- computations --------------------------------------------------------------------------------


def told(count: lr.RegionCount, *arrays: Any) -> Answer:
    """Return what must be equal: the number, how sure it is, and hashes of arrays."""
    hashes = [hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest() for a in arrays]
    return [str(count.value), count.kind, count.status, *hashes]


def counted(draw: random.Random, dim: int, widths: list[int], **options: Any) -> Call:
    net = dense([dim, *widths, 1], draw.randrange(10**6))
    return lambda path, how: told(lr.count(net, BOX, checkpoint=path, **how, **options))


def listed(draw: random.Random, dim: int, widths: list[int], **options: Any) -> Call:
    net = dense([dim, *widths, 1], draw.randrange(10**6))

    def call(path: str, how: dict[str, Any]) -> Answer:
        folder = lr.regions(net, BOX, out=path, **how, **options)
        table = folder.read()
        assert len(table) == len(folder) == sum(len(part) for part in folder)
        return told(folder.count, table.patterns, table.interior_points)

    return call


def sharded(draw: random.Random) -> Call:
    net = dense([3, 24, 24, 1], draw.randrange(10**6))

    def call(path: str, how: dict[str, Any]) -> Answer:
        parts = [f"{path}-{i}" for i in (1, 2, 3)]
        for i, part in enumerate(parts, 1):
            lr.count_shard(net, BOX, shard=(i, 3), out=part, **how)
        return told(lr.merge_counts(parts))

    return call


def planes(draw: random.Random, n: int, d: int, simple: bool) -> lr.Arrangement:
    rng = np.random.default_rng(draw.randrange(10**6))
    if simple:
        return lr.Arrangement(rng.normal(size=(n, d)), rng.normal(size=n))
    return lr.Arrangement(rng.integers(-2, 3, (n, d)), rng.integers(-2, 3, n))


def chambers(draw: random.Random, method: str, n: int, d: int, simple: bool) -> Call:
    arrangement = planes(draw, n, d, simple)
    return lambda path, how: told(arrangement.count(method=method, checkpoint=path, **how))


def chambers_listed(draw: random.Random, method: str, n: int, d: int, simple: bool) -> Call:
    arrangement = planes(draw, n, d, simple)

    def call(path: str, how: dict[str, Any]) -> Answer:
        found = arrangement.chambers(method=method, checkpoint=path, points=True, **how)
        answer = [str(len(found)), found.status]
        for array in (found.sign_vectors, found.points):
            answer.append(hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest())
        return answer

    return call


def streamed(draw: random.Random, method: str) -> Call:
    arrangement = planes(draw, 20, 4, True)

    def call(path: str, how: dict[str, Any]) -> Answer:
        """What a sink has had outlives the process: rows in a file, at their numbers."""
        how = {name: value for name, value in how.items() if name != "executor"}
        words = (len(arrangement.normals) + 63) // 64
        with open(f"{path}-rows", "ab+") as file:

            def sink(block: lr.Chambers) -> bool:
                rows = np.ascontiguousarray(block.sign_vectors)
                os.pwrite(out.fileno(), rows.tobytes(), block.first * 8 * words)
                return True

            with open(file.name, "rb+") as out:
                count = arrangement.stream(sink, method=method, block=97, checkpoint=path, **how)
        # Not np.fromfile, which at times makes a SystemError of Ctrl-C (seen in NumPy 2).
        return told(count, np.frombuffer(Path(f"{path}-rows").read_bytes(), np.uint64))

    return call


def maximum(draw: random.Random, shape: tuple[int, ...], spec: lr.ConvSpec, **options: Any) -> Call:
    seed = draw.randrange(10**6)
    return lambda path, how: told(
        lr.one_layer_maximum(shape, spec, rng=seed, checkpoint=path, **how, **options)
    )


CASES: dict[str, Callable[[random.Random], Call]] = {
    "count, polygons": lambda draw: counted(draw, 2, [200, 200]),
    "count, cones": lambda draw: counted(draw, 3, [30, 30], method="cones"),
    "count, tree": lambda draw: counted(draw, 5, [12, 10], method="tree"),
    "count, linear": lambda draw: counted(draw, 2, [40, 40], what="linear"),
    "count_shard": sharded,
    "regions, polygons": lambda draw: listed(draw, 2, [100, 100]),
    "regions, cones": lambda draw: listed(draw, 3, [20, 20]),
    "regions, no faces": lambda draw: listed(draw, 3, [25, 25], faces=False),
    "chambers, recursion": lambda draw: chambers(draw, "recursion", 34, 5, False),
    "chambers, tree": lambda draw: chambers(draw, "tree", 24, 5, True),
    "chambers, rays": lambda draw: chambers(draw, "rays", 22, 5, False),
    "chambers, sweep": lambda draw: chambers(draw, "sweep", 40, 5, True),
    "chambers, listed by rays": lambda draw: chambers_listed(draw, "rays", 22, 4, False),
    "chambers, listed by a tree": lambda draw: chambers_listed(draw, "tree", 20, 4, True),
    "chambers, listed by a sweep": lambda draw: chambers_listed(draw, "sweep", 40, 4, True),
    "stream, tree": lambda draw: streamed(draw, "tree"),
    "stream, sweep": lambda draw: streamed(draw, "sweep"),
    "maximum, multiset": lambda draw: maximum(
        draw, (1, 4, 4), lr.ConvSpec(filters=3, kernel_size=2), method="multiset"
    ),
    "maximum, frontier": lambda draw: maximum(
        draw, (1, 5, 5), lr.ConvSpec(filters=3, kernel_size=2), weights="free", method="frontier"
    ),
    "maximum, particles": lambda draw: maximum(
        draw, (1, 9, 9), lr.ConvSpec(filters=4, kernel_size=4), method="particles"
    ),
    "maximum, direct": lambda draw: maximum(
        draw, (1, 9, 9), lr.ConvSpec(filters=4, kernel_size=4), method="direct"
    ),
}


# --- attempts ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """What one attempt suffers.

    Attributes
    ----------
    kind : str
        One of `FAULTS`, or empty.
    after : float
        Seconds until the signal to the process.
    size : int
        Bytes of a file, or of memory beyond what is used; how many workers are killed.
    pause : float
        Seconds before a worker is killed.
    """

    kind: str = ""
    after: float = math.inf
    size: int = 0
    pause: float = 0.0


def attempt(call: Call, path: str, how: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """Run a call in a fork; return its answer, or how it ended."""
    reader, writer = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # a fork must not hear it
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()  # what it leaves behind can be found
        found = _in_child(call, path, how, fault)
        os.write(writer, json.dumps(found).encode())
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    os.close(writer)
    begin = time.monotonic()
    text, late = b"", False
    if not select.select([reader], [], [], min(fault.after, MOST_SECONDS))[0]:
        late = math.isinf(fault.after)
        heard = fault.kind == "interrupt"
        os.kill(child, signal.SIGINT if heard else signal.SIGKILL)
        if heard and not late and not select.select([reader], [], [], MOST_SECONDS)[0]:
            late = True
            os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # workers whose process was killed wait for ever
    while more := os.read(reader, 1 << 16):
        text += more
    os.close(reader)
    ended = {"seconds": time.monotonic() - begin}
    if late:
        return {**ended, "failed": "it hangs"}
    if text:
        return {**ended, **json.loads(text)}
    killed = os.WIFSIGNALED(status) and fault.kind in ("kill", "workers")
    if killed and not math.isinf(fault.after) and os.WTERMSIG(status) == signal.SIGKILL:
        return {**ended, "error": "killed"}
    return {**ended, "failed": f"it ended with status {status} and no word"}


def _in_child(call: Call, path: str, how: dict[str, Any], fault: Fault) -> dict[str, Any]:
    free = resource.getrlimit(resource.RLIMIT_AS)
    try:
        if fault.kind == "disk":
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (fault.size, resource.RLIM_INFINITY))
        if fault.kind == "memory":
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + fault.size, free[1]))
        if fault.kind == "workers":
            warnings.simplefilter("ignore", RuntimeWarning)  # what is left is finished here
            threading.Thread(target=_kill_workers, args=[fault], daemon=True).start()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        answer = call(path, how)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # here, where one is still caught
        return {"answer": answer}
    except BaseException as error:
        resource.setrlimit(resource.RLIMIT_AS, free)
        name, message = type(error).__name__, str(error)[:200]
        expected = {
            "interrupt": ("KeyboardInterrupt", "Interrupted"),
            "disk": ("CheckpointError", "OSError"),  # of the file, or of a sink
            "memory": ("MemoryError",),
        }
        if name in expected.get(fault.kind, ()):
            return {"error": name, "lower": _lower(getattr(error, "partial", None))}
        import traceback

        return {"failed": f"{name}: {message}\n{traceback.format_exc()}"}


def _kill_workers(fault: Fault) -> None:
    """Kill one child of this process after the other."""
    me = os.getpid()
    for _ in range(fault.size):
        while not (children := Path(f"/proc/{me}/task/{me}/children").read_text().split()):
            time.sleep(0.001)
        time.sleep(fault.pause)
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(random.choice(children)), signal.SIGKILL)


def _lower(partial: Any) -> str:
    """Return the lower bound in a partial result, if it is one."""
    if isinstance(partial, (lr.RegionFolder, lr.Chambers)):
        return str(len(partial))
    if isinstance(partial, lr.RegionCount) and partial.kind == "lower":
        return str(partial.value)
    return "0"


def random_fault(draw: random.Random, kind: str, seconds: float) -> Fault:
    """Draw what an attempt suffers, of all magnitudes."""
    if kind in ("kill", "interrupt"):
        late = draw.uniform(0.0, 1.2 * seconds)
        return Fault(kind, late if draw.random() < 0.7 else math.exp(draw.uniform(-9, 0)) * seconds)
    if kind == "workers":
        pause = seconds * math.exp(draw.uniform(-6, 0.5))
        after = draw.uniform(0.0, 2 * seconds) if draw.random() < 0.3 else math.inf
        return Fault(kind, after, size=draw.randint(1, 6), pause=pause)
    most = {"disk": 1 << 20, "memory": 1 << 29}[kind]
    return Fault(kind, size=int(most * math.exp(draw.uniform(-9, 0))))


# --- rounds --------------------------------------------------------------------------------------


def one_round(name: str, kind: str, seed: int, folder: str) -> dict[str, Any]:
    """Disturb a computation, resume it, and compare."""
    draw = random.Random(f"{name} {kind} {seed}")
    call = CASES[name](draw)
    whole = attempt(call, os.path.join(folder, "whole"), {}, Fault())
    if "answer" not in whole:
        return {"failed": whole, "ended": Counter()}
    # States follow one another quickly, so that a short run has many.
    often = math.exp(draw.uniform(math.log(0.002), math.log(0.3)))
    _part_runs.SLICE_SECONDS = _ledger.SAVE_SECONDS = _part_runs.TASK_SECONDS = often
    _part_runs._SHARE_OF_SAVING = _ledger._SHARE_OF_SAVING = 1.0
    _region_listing.CHUNK_ROWS = draw.choice([200, 2000, 1 << 18])
    ended: Counter[str] = Counter()
    state = os.path.join(folder, "state 0")
    faults = draw.randint(2, 12)
    for i in range(faults + 1):
        how: dict[str, Any] = {"threads": draw.choice([1, 2, 3])}
        divided = kind in ("kill", "interrupt") and name not in UNDIVIDED
        if divided and draw.random() < 0.2:
            how = {"threads": 1, "executor": _pool}
        if kind == "workers":
            how = {"threads": 1, "executor": ProcessPoolExecutor}
            if draw.random() < 0.3:
                how["executor"] = ProcessPoolExecutor(2)
        fault = random_fault(draw, kind, whole["seconds"]) if i < faults else Fault()
        found = attempt(call, state, how, fault)
        ended[found.get("error") or ("answer" if "answer" in found else "failed")] += 1
        wrong = found.get("answer", whole["answer"]) != whole["answer"]
        if "failed" in found or wrong or int(found.get("lower", 0)) > int(whole["answer"][0]):
            return {"failed": {"attempt": i, "how": str(how), "fault": str(fault), **found},
                    "expected": whole["answer"], "ended": ended}  # fmt: skip
        if kind == "workers" and "answer" in found:
            state = os.path.join(folder, f"state {i + 1}")  # begin anew: there is nothing left
    return {"ended": ended}


# Computations that take no executor.
UNDIVIDED = ("maximum, frontier", "stream, tree", "stream, sweep")


def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run rounds for some time; return 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("--case", action="append", choices=list(CASES), help="default: all")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="default: all")
    options = parser.parse_args(arguments)
    end = time.monotonic() + options.seconds
    rounds: Counter[str] = Counter()
    ended: dict[str, Counter[str]] = {}
    failed, seed = 0, options.seed
    while time.monotonic() < end:
        for name, kind in product(options.case or CASES, options.fault or FAULTS):
            if time.monotonic() > end:
                break
            if kind == "workers" and name in UNDIVIDED:
                continue
            folder = tempfile.mkdtemp()
            found = one_round(name, kind, seed, folder)
            rounds[kind] += 1
            ended.setdefault(kind, Counter()).update(found["ended"])
            if "failed" in found:
                failed += 1
                print(f"{name}, {kind}, seed {seed}, {folder}: {found}", flush=True)
            else:
                shutil.rmtree(folder)
        seed += 1
    for kind, number in rounds.items():
        how = ", ".join(f"{n} {word}" for word, n in ended[kind].most_common())
        print(f"{kind}: {number} rounds; attempts: {how}")
    print(f"{failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
