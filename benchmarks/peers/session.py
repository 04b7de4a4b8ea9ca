"""The measuring side: starts the workers, passes them inputs, interleaves their rounds."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.peers import environments, reference

WORKER = Path(__file__).with_name("worker.py")
HERE = ("fastroi", "first_touch")
"""Adapters that run in the interpreter that runs this program."""

KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
"""glibc keeps freed memory: the nearest to a preallocated output for a package without one."""


class WorkerFailed(RuntimeError):
    """A worker ended or answered with an error."""


class Client:
    """A worker process; `name` is ADAPTER or ADAPTER:VARIANT[+VARIANT]."""

    def __init__(self, name: str, threads: int, fresh: bool):
        self.name = name
        adapter, _, variants = name.partition(":")
        python = sys.executable if adapter in HERE else str(environments.interpreter(adapter))
        environment = dict(
            os.environ,
            OMP_NUM_THREADS=str(threads),
            PYTHONUNBUFFERED="1",
            TF_CPP_MIN_LOG_LEVEL="2",
            GLOG_minloglevel="2",
        )
        if not fresh:
            environment.update(KEEP_MEMORY)
        command = [
            python,
            str(WORKER),
            adapter,
            str(threads),
            "fresh" if fresh else "preallocated",
            *(variants.split("+") if variants else ()),
        ]
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment
        )
        self.about = self._answer()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            tail = self.log.read()[-600:]
            raise WorkerFailed(f"{self.name} ended with {self.process.returncode}: {tail}")
        value = json.loads(line)
        if "error" in value:
            raise WorkerFailed(f"{self.name}: {value['error']}")
        return value

    def ask(self, request: dict) -> dict:
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise WorkerFailed(f"{self.name} is gone") from error
        return self._answer()

    def close(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Floor:
    """The floor program, kept running so that it can be measured between the others."""

    def __init__(self, threads: int):
        command = [str(build_floor()), str(threads), "--serve"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self, map_bytes: int, output_bytes: int, repeats: int) -> dict:
        self.process.stdin.write(f"{map_bytes} {output_bytes} {repeats}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise WorkerFailed("the floor program ended")
        return json.loads(line)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


def build_floor() -> Path:
    """Compile floor.cpp for this machine if it is newer than the program; return the program."""
    source = Path(__file__).resolve().parents[1] / "floor.cpp"
    program = environments.HOME / "floor"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(exist_ok=True)
        compiler = os.environ.get("CXX") or shutil.which("g++") or "c++"
        subprocess.run(
            [compiler, "-O3", "-march=native", "-std=c++17", "-fopenmp", str(source), "-o", str(program)], check=True
        )
    return program


def summary(times: list[float]) -> dict:
    """Return median, minimum and number of the given milliseconds."""
    return {"median_ms": statistics.median(times), "min_ms": min(times), "calls": len(times)}


def floor_summary(rounds: list[dict]) -> dict:
    """Return the floor: the better way to write, plus one reading."""

    def collect(key):
        return [value for entry in rounds for value in entry[key]]

    ways = {way: collect(way) for way in ("regular", "streamed")}
    best = min(ways, key=lambda way: statistics.median(ways[way]))
    reading = collect("read")
    return {
        "median_ms": statistics.median(ways[best]) + statistics.median(reading),
        "min_ms": min(ways[best]) + min(reading),
        "calls": len(reading),
        "stores": best,
    }


def machine() -> dict:
    """Return what must stand beside any figure: CPU, cores, flags, kernel."""
    model, flags = platform.processor() or platform.machine(), set()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags = set(value.split())
    telling = ("sse2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_bf16", "asimd", "sve")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "isa": [flag for flag in telling if flag in flags],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def job_of(case) -> dict:
    return {
        "op": case.op,
        "layout": case.layout,
        "scale": case.scale,
        "output_size": list(case.output_size),
        "output_shape": list(case.output_shape()),
        "params": case.params,
    }


class Inputs:
    """A case's arrays as .npy files that the workers map."""

    def __init__(self, case, folder: Path):
        self.case, self.folder = case, folder
        self.features = case.features()
        boxes = case.op_boxes()
        self.boxes, self.indices = boxes if isinstance(boxes, tuple) else (boxes, None)
        for name in ("features", "boxes", "indices"):
            if getattr(self, name) is not None:
                np.save(folder / f"{name}.npy", getattr(self, name))
        self.expected: dict[str | None, np.ndarray | None] = {}

    def request(self, rows, name: str) -> dict:
        indices = None if self.indices is None else str(self.folder / "indices.npy")
        return {
            "do": "prepare",
            "job": job_of(self.case),
            "features": str(self.folder / "features.npy"),
            "boxes": str(self.folder / "boxes.npy"),
            "indices": indices,
            "check": str(self.folder / f"{name}.npy"),
            "rows": None if rows is None else rows.tolist(),
        }

    def wanted(self, rows, rule):
        if rule not in self.expected:
            boxes, indices = self.boxes, self.indices
            if rows is not None:
                boxes = boxes[rows]
                indices = None if indices is None else indices[rows]
            self.expected[rule] = reference.expected(self.case, self.features, boxes, indices, rule)
        return self.expected[rule]


def prepare(client: Client, inputs: Inputs, rows) -> dict:
    """Have a worker build the case; return {"missing"} or {"check"}."""
    name = client.name.replace(":", "-")
    answer = client.ask(inputs.request(rows, name))
    path = inputs.folder / f"{name}.npy"
    if "missing" in answer:
        return answer
    if not path.exists():
        return {"check": None}
    got = np.load(path)
    path.unlink()
    rule = client.about["rules"].get(inputs.case.op)
    wanted = inputs.wanted(rows, rule)
    if wanted is None:
        return {"check": {"rois": 0, "disagreeing": 0, "largest": None, "first": []}}
    check = reference.compare(inputs.case.op, wanted, got)
    check["rule"] = rule or inputs.case.params.get("rule", "default")
    if rule is not None:
        default = inputs.wanted(rows, None)
        check["disagreeing_with_default"] = reference.compare(inputs.case.op, default, got)["disagreeing"]
    return {"check": check}


def start(names, threads, fresh, say) -> dict[str, Client]:
    clients = {}
    for name in names:
        try:
            clients[name] = Client(name, threads, fresh)
        except (WorkerFailed, OSError, KeyError) as error:
            say(f"{name}: not available ({error})")
    return clients


def run(
    cases, names, *, threads=(1, 2), modes=("preallocated", "fresh"), rounds=5, seconds=0.2, check_rois=100, say=print
) -> dict:
    """Measure cases x packages x threads x modes.

    Parameters
    ----------
    cases : sequence of Case
    names : sequence of str
        Workers; "fastroi" and "first_touch" run in this interpreter.
    threads : sequence of int
    modes : sequence of {"preallocated", "fresh"}
    rounds : int
        Times round all workers and the floor; medians are over all calls of all rounds.
    seconds : float
        Time one worker gets in one round, after one uncounted call; at least one call counts.
    check_rois : int
        RoIs of each case whose values are compared with the reference before anything is timed.

    Returns
    -------
    dict
        machine, packages, results: a list of records, one per case, package, threads and mode.
    """
    packages, results = {}, []
    for count in threads:
        for mode in modes:
            fresh = mode == "fresh"
            wanted = [name for name in names if fresh or name != "first_touch"]
            clients = start(wanted, count, fresh, say)
            packages.update({name: client.about for name, client in clients.items()})
            floor = Floor(count)
            try:
                for case in cases:
                    results += _run_case(case, clients, floor, count, mode, rounds, seconds, check_rois, say)
            finally:
                floor.close()
                for client in clients.values():
                    client.close()
    return {"machine": machine(), "packages": packages, "results": results}


def _run_case(case, clients, floor, threads, mode, rounds, seconds, check_rois, say):
    generator = np.random.default_rng(0)
    rows = np.sort(generator.permutation(case.roi_count)[:check_rois])
    records, times, floors = {}, {}, []
    with tempfile.TemporaryDirectory(prefix="fastroi-peers-") as folder:
        inputs = Inputs(case, Path(folder))
        for name in list(clients):
            record = {"case": case.workload, "op": case.op, "who": name, "threads": threads, "mode": mode}
            try:
                record |= prepare(clients[name], inputs, rows)
            except WorkerFailed as error:
                record["failed"] = str(error)
                _restart_if_gone(clients, name, threads, mode == "fresh")
            records[name] = record
        runners = [n for n, r in records.items() if "missing" not in r and "failed" not in r]
        for turn in range(rounds):
            floors.append(floor.measure(*case.bytes_moved(), 5))
            for name in runners[turn % max(len(runners), 1) :] + runners[: turn % max(len(runners), 1)]:
                if "failed" in records[name] or sum(times.get(name, ())) > 4e3 * seconds * rounds:
                    continue
                try:
                    answer = clients[name].ask({"do": "measure", "seconds": seconds, "calls": 200})
                except WorkerFailed as error:
                    records[name]["failed"] = str(error)
                    _restart_if_gone(clients, name, threads, mode == "fresh")
                    continue
                times.setdefault(name, []).extend(answer["ms"])
        for client in clients.values():
            client.ask({"do": "drop"})
    for name, values in times.items():
        records[name] |= summary(values)
    records["floor"] = {
        "case": case.workload,
        "op": case.op,
        "who": "floor",
        "threads": threads,
        "mode": mode,
    } | floor_summary(floors)
    say(_line(case, records, threads, mode))
    return list(records.values())


def _restart_if_gone(clients, name, threads, fresh):
    if clients[name].process.poll() is not None:
        clients[name] = Client(name, threads, fresh)


def _line(case, records, threads, mode) -> str:
    parts = []
    for name, record in records.items():
        if "median_ms" in record:
            check = record.get("check") or {}
            star = "*" if wrong(record) else ""
            small = f" ({check['disagreeing']} off)" if check.get("disagreeing") and not star else ""
            parts.append(f"{name}{star} {record['median_ms']:.3g}{small}")
        else:
            parts.append(f"{name} {'missing' if 'missing' in record else 'FAILED'}")
    return f"{case.name} threads={threads} {mode}: " + ", ".join(parts)


def wrong(record: dict) -> bool:
    """Whether more than one RoI in a hundred differs: the package computes something else."""
    check = record.get("check") or {}
    return check.get("disagreeing", 0) > 0.01 * max(check.get("rois", 0), 1)


def random_case(case, count: int, channels: int, seed: int):
    """Return a case for number checks and its random arrays: all kinds of boxes, few channels.

    Sides are log-uniform from a thousandth of a cell to twice the image, centres on and off the
    map; a tenth lies on whole cells and half-way ties.
    """
    groups = case.output_size[0] * case.output_size[1]
    channels = 2 * groups if case.op.startswith("ps_") else channels
    small = replace(case, map_shape=(1, channels, *case.map_shape[2:]), rois_per_image=count)
    rng = np.random.default_rng(seed)
    size = np.array(small.image_size[::-1], dtype=float)
    sides = np.exp(rng.uniform(np.log(1e-3 / case.scale), np.log(2 * size.max()), (count, 2)))
    centres = rng.uniform(-0.2, 1.2, (count, 2)) * size
    boxes = np.column_stack([np.zeros(count), centres - sides / 2, centres + sides / 2])
    ties = rng.random(count) < 0.1
    boxes[ties, 1:] = np.round(boxes[ties, 1:] * case.scale * 2) / 2 / case.scale
    return small, boxes.astype("float32")


def verify(cases, names, *, rois=2000, channels=5, seed=0, say=print) -> dict:
    """Compare every package with the reference on many random RoIs; no timing.

    Returns
    -------
    dict
        machine, packages, agreement: records with op, case, who, rois, disagreeing, largest.
    """
    clients = start([n for n in names if n != "first_touch"], 1, False, say)
    records = []
    try:
        for case in cases:
            if case.op == "crop_and_resize":
                small = replace(case, map_shape=(1, channels, *case.map_shape[2:]), rois_per_image=rois)
                boxes = None
            else:
                small, boxes = random_case(case, rois, channels, seed)
            with tempfile.TemporaryDirectory(prefix="fastroi-peers-") as folder:
                inputs = Inputs(small, Path(folder))
                if boxes is not None:
                    inputs.boxes = boxes
                    np.save(Path(folder) / "boxes.npy", boxes)
                for name, client in list(clients.items()):
                    record = {"op": case.op, "case": case.workload, "who": name}
                    try:
                        record |= prepare(client, inputs, None)
                        client.ask({"do": "drop"})
                    except WorkerFailed as error:
                        record["failed"] = str(error)
                        _restart_if_gone(clients, name, 1, False)
                    say(f"{case.name} {name}: {_agreement(record)}")
                    records.append(record)
        return {"machine": machine(), "packages": {n: c.about for n, c in clients.items()}, "agreement": records}
    finally:
        for client in clients.values():
            client.close()


def _agreement(record: dict) -> str:
    if "failed" in record:
        return "failed: " + record["failed"]
    if "missing" in record:
        return "missing"
    check = record["check"]
    return f"{check['disagreeing']} of {check['rois']} RoIs differ, largest {check['largest']}"
