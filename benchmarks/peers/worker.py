"""One package in one process: reads a request a line on stdin, answers a line on stdout.

Runs under the package's own interpreter, so it needs NumPy and that package only:
``python worker.py NAME THREADS preallocated|fresh [VARIANT ...]``.

Requests: ``{"do": "prepare", "job": {...}, "features": PATH, "boxes": PATH, "indices": PATH|null,
"check": PATH|null, "rows": [...]|null}``, ``{"do": "measure", "seconds": s, "calls": n}``,
``{"do": "drop"}``. Anything else a package prints goes to stderr.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2]))


def resident(path):
    """Load an array into ordinary memory: timing must not read the disk."""
    return None if path is None else np.array(np.load(path, mmap_mode="r"), order="C", copy=True)


class Worker:
    def __init__(self, name, threads, fresh, variants):
        from benchmarks.peers.adapters import Job

        self.job_type = Job
        module = importlib.import_module(f"benchmarks.peers.adapters.{name}")
        options = (variants,) if variants else ()
        self.adapter = module.load(threads, fresh, *options)
        self.call = None

    def hello(self):
        adapter = self.adapter
        return {
            "version": adapter.version,
            "operators": sorted(adapter.builders),
            "rules": adapter.rules,
            "notes": adapter.notes,
            "isa": adapter.isa,
        }

    def prepare(self, request):
        builder = self.adapter.builders.get(request["job"]["op"])
        if builder is None:
            return {"missing": "no such operator"}
        fields = dict(request["job"])
        for key in ("output_size", "output_shape"):
            fields[key] = tuple(fields[key])
        job = self.job_type(**fields, indices=resident(request["indices"]))
        arrays = resident(request["features"]), resident(request["boxes"])
        try:
            self.call, read = builder(job, *arrays)
        except NotImplementedError as reason:
            return {"missing": str(reason)}
        result = self.call()
        if not self.adapter.checked:
            return {"ready": True}
        values = np.asarray(read(result) if read else result)
        if values.shape != job.output_shape:
            raise ValueError(f"result has shape {values.shape}, not {job.output_shape}")
        rows = request["rows"]
        np.save(request["check"], values if rows is None else values[rows])
        return {"ready": True}

    def measure(self, request):
        result = self.call()  # the caches belong to whoever ran before: this call is not counted
        del result
        times, stop = [], time.perf_counter() + request["seconds"]
        while not times or (time.perf_counter() < stop and len(times) < request["calls"]):
            start = time.perf_counter()
            result = self.call()
            times.append((time.perf_counter() - start) * 1e3)
            del result
        return {"ms": times}

    def drop(self, request):
        self.call = None
        return {}


def main():
    name, threads, mode, *variants = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")

    try:
        worker = Worker(name, int(threads), mode == "fresh", tuple(variants))
        answer(worker.hello())
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
        return 1
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(getattr(worker, request["do"])(request))
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
