"""A node of a Ray cluster that stays on 127.0.0.1, for as long as this process lives.

`ray start --address` joins a cluster by an address that other machines reach, and then listens on all addresses of the
machine; what keeps a head on 127.0.0.1 makes it refuse to join at all. Ray's own tests join nodes in this way.
"""

import argparse
import json
import time

from ray._private.node import Node
from ray._private.parameter import RayParams


def main() -> int:
    """Join, say so, and stay until a process of the node has died."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="of the head, HOST:PORT")
    parser.add_argument("--num-cpus", type=float, required=True)
    parser.add_argument("--object-store-memory", type=int, required=True)
    parser.add_argument("--resources", type=json.loads, default={})
    options = parser.parse_args()
    offered = RayParams(
        gcs_address=options.address,
        node_ip_address="127.0.0.1",
        num_cpus=options.num_cpus,
        num_gpus=0,
        resources=options.resources,
        object_store_memory=options.object_store_memory,
        include_log_monitor=False,  # type: ignore[arg-type]  # the head's is enough for one machine
        # Ports that Ray chooses: those that it would take otherwise are the head's.
        min_worker_port=0,
        max_worker_port=0,
        node_manager_port=0,
        dashboard_agent_listen_port=0,
    )
    node = Node(offered, head=False, shutdown_at_exit=True, spawn_reaper=True)
    print("Ray runtime started", flush=True)
    while not (dead := node.dead_processes()):  # type: ignore[no-untyped-call]
        time.sleep(1)
    print(f"ended: {', '.join(name for name, _ in dead)}", flush=True)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
