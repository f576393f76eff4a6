"""How the actors of one machine come by the task matrix: time until it is ready, memory, and the time of a merge.

Three ways, each with all actors at once and fresh processes every time:

| way            | an actor                                                                                   |
|----------------|--------------------------------------------------------------------------------------------|
| `mapped`       | maps the file of `TaskMatrix`, found by the content of the checkpoints, as a run does       |
| `object_store` | takes a NumPy array out of Ray's object store without a copy (`ray.put` once, by the driver) |
| `own_copy`     | reads the same file into memory of its own                                                 |

Checkpoints are synthetic, random numbers of the size asked for: only their bytes count here. Files are read from the
page cache, where building the matrix left them. Seconds of the processor stand beside seconds of the clock, which also
count what else the machine does: its load when the benchmark began is in the result.

    python -m benchmarks.sharing --parameters 22000000 --experts 8 --actors 2 --out FILE.json
"""

import argparse
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import ray
import torch
from safetensors.torch import save_file

from benchmarks.machine import write
from mapmerge.checkpoints.arithmetic import merge
from mapmerge.checkpoints.open import open_checkpoint
from mapmerge.merging.task_matrix import TaskMatrix
from mapmerge.randomness import generator

WAYS = ("mapped", "object_store", "own_copy")
TENSORS = 100
MERGES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", type=int, default=22_000_000)
    parser.add_argument("--experts", type=int, default=8)
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    load_average = os.getloadavg()[0]
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoints = _checkpoints(folder, options.parameters, options.experts)
        began = time.perf_counter()
        matrix = _build(folder, checkpoints)
        build_s = time.perf_counter() - began
        matrix_bytes = matrix.rows.numel() * matrix.rows.element_size()
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            address="local",
            num_cpus=options.actors,
            object_store_memory=2 * matrix_bytes + 10**8,
            include_dashboard=False,
            log_to_driver=False,
        )
        try:
            for repeat in range(options.repeats):
                for way in WAYS:
                    results.append(
                        {"way": way, "repeat": repeat, **_one(way, folder, checkpoints, matrix, options.actors)}
                    )
                    print(f"repeat {repeat}, {way}: {results[-1]['actors'][0]}", flush=True)
        finally:
            ray.shutdown()
    write(
        options.out,
        "sharing",
        results,
        parameters=options.parameters,
        experts=options.experts,
        actors=options.actors,
        checkpoints="synthetic: random numbers, only their bytes count",
        matrix_mb=matrix_bytes / 1e6,
        build_matrix_once_s=build_s,
        load_average=load_average,
        summary=[_summary(results, way) for way in WAYS],
    )


def _checkpoints(folder: Path, parameters: int, experts: int) -> list[str]:
    """Write a base and its experts, about equal parts in every tensor; return their paths, the base first."""
    rng = generator(0, "sharing")
    sizes = [len(part) for part in np.array_split(np.empty(parameters, dtype=np.int8), TENSORS)]
    paths = []
    for number in range(experts + 1):
        tensors = {
            f"tensor{index:03}": torch.from_numpy(rng.standard_normal(size, dtype=np.float32))
            for index, size in enumerate(sizes)
        }
        paths.append(str(folder / f"{number}.safetensors"))
        save_file(tensors, paths[-1])
    return paths


def _build(folder: Path, checkpoints: list[str]) -> TaskMatrix:
    base, *experts = (open_checkpoint(path) for path in checkpoints)
    return TaskMatrix.build(folder / "cache", base, experts)


class Actor:
    """One process that gets the matrix in one of the ways, and merges."""

    def __init__(self) -> None:
        torch.set_num_threads(1)

    def memory(self) -> dict[str, float]:
        """Return megabytes that only this process holds, and all that it has resident."""
        memory = psutil.Process().memory_full_info()
        return {"private_mb": memory.uss / 1e6, "resident_mb": memory.rss / 1e6}

    def load(self, way: str, source: Any) -> dict[str, float]:
        """Get the matrix; it is ready when the first merge is done, which has to touch all of it."""
        began, began_cpu = time.perf_counter(), time.process_time()
        self._rows = _rows(way, source)
        loaded = time.perf_counter()
        self._flat = torch.empty(self._rows.shape[1])
        self._coefficients = torch.full((len(self._rows) - 1,), 0.1)
        self._merge()
        return {
            "load_s": loaded - began,
            "ready_s": time.perf_counter() - began,
            "ready_cpu_s": time.process_time() - began_cpu,
        }

    def merge(self) -> dict[str, float]:
        """Return the median time of a merge into the flat buffer."""
        wall, cpu = zip(*(self._merge() for _ in range(MERGES)), strict=True)
        return {"merge_s": statistics.median(wall), "merge_cpu_s": statistics.median(cpu)}

    def _merge(self) -> tuple[float, float]:
        began, began_cpu = time.perf_counter(), time.process_time()
        merge(self._rows[0], self._rows[1:], self._coefficients, out=self._flat)
        return time.perf_counter() - began, time.process_time() - began_cpu


def _rows(way: str, source: Any) -> torch.Tensor:
    if way == "mapped":
        return _build(*source).rows
    if way == "object_store":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the array must not be written: nobody does
            return torch.from_numpy(ray.get(source[0]))
    path, shape = source
    return torch.from_numpy(np.fromfile(path, dtype="<f4").reshape(shape))


def _one(way: str, folder: Path, checkpoints: list[str], matrix: TaskMatrix, actors: int) -> dict[str, Any]:
    """Start fresh actors, give all of them the matrix at once, and let all of them merge at once."""
    crew: list[Any] = [ray.remote(Actor).options(num_cpus=1).remote() for _ in range(actors)]
    before = ray.get([actor.memory.remote() for actor in crew])
    file, shape = matrix.path / "matrix.f32", tuple(matrix.rows.shape)
    began = time.perf_counter()
    source: Any = {"mapped": (folder, checkpoints), "own_copy": (str(file), shape)}.get(way)
    if way == "object_store":
        source = [ray.put(np.fromfile(file, dtype="<f4").reshape(shape))]
    put_s = time.perf_counter() - began
    loaded = ray.get([actor.load.remote(way, source) for actor in crew])
    merged = ray.get([actor.merge.remote() for actor in crew])
    after = ray.get([actor.memory.remote() for actor in crew])
    for actor in crew:
        ray.kill(actor)
    return {
        "put_once_s": put_s,
        "actors": [
            load | merges | {key: last[key] - first[key] for key in first} | {"resident_in_all_mb": last["resident_mb"]}
            for load, merges, first, last in zip(loaded, merged, before, after, strict=True)
        ],
    }


def _summary(results: list[dict[str, Any]], way: str) -> dict[str, Any]:
    """Return medians over repeats and actors; memory is what getting the matrix and merging added."""
    own = [result for result in results if result["way"] == way]
    actors = [actor for result in own for actor in result["actors"]]
    return {
        "way": way,
        "put_once_s": statistics.median(result["put_once_s"] for result in own),
        **{key: statistics.median(actor[key] for actor in actors) for key in actors[0]},
    }


if __name__ == "__main__":
    main()
