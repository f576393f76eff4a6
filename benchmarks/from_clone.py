"""From an empty clone to a finished run of a deployment: how many commands, and how long each takes.

    python -m benchmarks.from_clone --times 3 --out FILE.json

The last commit is cloned into an empty folder, with an empty home and no environment. There `make up` installs the
packages and starts all servers, `make smoke` trains a family of models and has the worker find its front by Prefect's
REST interface, and `make down` stops the servers. Needs `python3`, `make` and PostgreSQL. Ports are free ones. Packages
come from wherever pip finds them, so how near that is counts too.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import write
from infra.services.ports import free_ports
from infra.services.service import ROOT
from infra.stack import PORTS

COMMANDS = ("up", "smoke", "down")
_PATH = "/usr/local/bin:/usr/bin:/bin"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="clones, one after the other (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = []
    for number in range(options.times):
        results.append({"clone": number, **from_clone()})
        print(results[-1], flush=True)
        write(options.out, "from_clone", results)
    return 1 if any(result["failed"] for result in results) else 0


def from_clone() -> dict[str, Any]:
    """Say the commands in a clone; seconds of each, and the last words of those that failed."""
    python = shutil.which("python3", path=f"{Path(sys.base_prefix) / 'bin'}:{_PATH}")
    if python is None:
        raise SystemExit("there is no python3")
    seconds: dict[str, float] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="mapmerge-clone-") as name:
        place = Path(name)
        place.chmod(0o711)  # PostgreSQL may run as another user
        clone, home = place / "clone", place / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {"HOME": str(home), "PATH": f"{Path(python).parent}:{_PATH}", "LANG": "C.UTF-8"}
        environment |= {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
        ports = " ".join(f"--{port}-port {free}" for port, free in zip(PORTS, free_ports(len(PORTS)), strict=True))
        for command in COMMANDS:
            words = ["make", command, *([f"OPTIONS={ports}"] if command == "up" else [])]
            began = time.monotonic()
            done = subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True)
            seconds[command] = time.monotonic() - began
            if done.returncode:
                failed[command] = (done.stdout + done.stderr)[-1000:]
    return {"seconds": seconds, "in_all_s": seconds["up"] + seconds["smoke"], "failed": failed}


if __name__ == "__main__":
    raise SystemExit(main())
