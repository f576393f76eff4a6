"""What every raw result says of the machine and the versions it was made with."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Describe this machine and the packages that decide speed and numbers."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("mapmerge", "torch", "numpy", "ray", "prefect", "pymoo", "moocore")},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def write(path: Path, benchmark: str, results: Any, **about: Any) -> None:
    """Write a raw result: what was run, where, and every figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"benchmark": benchmark, "machine": machine(), **about, "results": results}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path}")
