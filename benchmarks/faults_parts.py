"""The real parts that runs stand on, and how each of them is hurt and mended."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.faults_driver import Driver
from benchmarks.faults_plan import ALONE, CLUSTER, Fault
from benchmarks.faults_study import PLUGIN
from infra.services.fault_proxy import faulty
from infra.services.postgres import Postgres
from infra.services.prefect_server import PrefectServer
from infra.services.ray_head import RayHead, RayNode
from infra.services.seaweed import Seaweed
from infra.services.service import Service

ROOT = Path(__file__).parents[1]
DISK_KB = 4096
_ACTOR = "ray::Resident"
_SPOILT_S = 20.0


class Parts:
    """One of each, started when an episode first needs it.

    Args:
        folder: for everything; users other than this one must be able to enter the folders above.
        stack: ends what was started.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack, self.sites = folder, stack, set[str]()
        self.common = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PREFECT_", "RAY_"))},
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(PLUGIN)]),
            "MAPMERGE_CACHE": str(folder / "cache"),
            "PREFECT_HOME": str(folder / "prefect-home"),
            "OMP_NUM_THREADS": "1",
        }
        os.environ["PYTHONPATH"] = self.common["PYTHONPATH"]  # for Ray's nodes, whose actors measure
        self.disk = folder / "disk"

    def open(self, site: str) -> None:
        """Start what a site needs."""
        if site in self.sites:
            return
        self.sites.add(site)
        if site == ALONE:
            self._stack.enter_context(small_disk(self.disk))
            return
        self.s3 = self._stack.enter_context(Seaweed(self.folder / "s3"))
        self.proxy = self._stack.enter_context(faulty(self.s3.endpoint, []))
        self.postgres = self._stack.enter_context(Postgres(self.folder / "postgres"))
        self.prefect = self._stack.enter_context(PrefectServer(self.folder / "prefect", self.postgres.url))
        self.head = self._stack.enter_context(RayHead(self.folder / "ray", num_cpus=1))
        self.node = self._stack.enter_context(RayNode(self.folder / "node", self.head, num_cpus=1))

    def environment(self, site: str) -> dict[str, str]:
        """Return the variables of a driver."""
        if site == ALONE:
            return self.common
        reached = self.s3.environment(self.proxy.endpoint), self.prefect.environment(), self.head.environment()
        return {**self.common, **reached[0], **reached[1], **reached[2]}

    def arguments(self, site: str) -> list[str]:
        """Return what a driver is told beside its study."""
        return ["--ray", self.head.address] if site == CLUSTER else []

    def inject(self, fault: Fault, driver: Driver) -> bool:
        """Do it, and mend it where the campaign must: returns whether it hit something that the driver used."""
        return _WAYS[fault.kind](self, fault, driver)

    def _actors(self, driver: Driver, *nodes: Service) -> list[psutil.Process]:
        """Return the actors on some nodes that are this driver's, and not left over from one before."""
        found = [actor for node in nodes for actor in below(node.pid, _ACTOR)]
        return [actor for actor in found if _born(actor) > driver.born]

    def _kill_driver(self, fault: Fault, driver: Driver) -> bool:
        driver.process.kill()
        driver.process.wait()
        return driver.process.returncode == -9

    def _kill_actor(self, fault: Fault, driver: Driver) -> bool:
        actors = self._actors(driver, self.head, self.node)
        return bool(actors) and _kill(actors[int(fault.size * len(actors))])

    def _kill_raylet(self, fault: Fault, driver: Driver) -> bool:
        if not self._actors(driver, self.head, self.node):
            return False
        raylets = below(self.head.pid, "raylet/raylet")
        hit = bool(raylets) and _kill(raylets[0])
        driver.ends_within(2 + 4 * fault.size)
        self.node.kill()
        self.head.kill()
        self.head.start()
        self.node.start()
        return hit

    def _kill_node(self, fault: Fault, driver: Driver) -> bool:
        if not self._actors(driver, self.node):
            return False
        self.node.kill()
        driver.ends_within(1 + 2 * fault.size)
        self.node.start()
        return True

    def _kill_prefect(self, fault: Fault, driver: Driver) -> bool:
        hit = driver.talks_to(self.prefect.ports["prefect"])
        if hit:
            self.prefect.kill()
            driver.ends_within(1 + 2 * fault.size)
            self.prefect.start()
        return hit

    def _kill_postgres(self, fault: Fault, driver: Driver) -> bool:
        hit = driver.talks_to(self.prefect.ports["prefect"])
        if hit:
            self.postgres.kill()
            driver.ends_within(1 + 2 * fault.size)
            self.postgres.start()
        return hit

    def _stop_s3(self, fault: Fault, driver: Driver) -> bool:
        before = self.proxy.away
        self.s3.kill()
        driver.ends_within(1 + 2 * fault.size)
        self.s3.start()
        return self.proxy.away > before

    def _spoil_s3(self, fault: Fault, driver: Driver) -> bool:
        how = fault.kind.removeprefix("s3 ")
        count = 1 + int(fault.size * 8)
        self.proxy.spoil([how] * count)
        end = time.monotonic() + _SPOILT_S
        while time.monotonic() < end and driver.lives and len(self.proxy.happened) < count:
            time.sleep(0.02)
        return self.proxy.stop_spoiling() > 0

    def _fill_disk(self, fault: Fault, driver: Driver) -> bool:
        filler = self.disk / "filler"
        fill(filler)
        ended = driver.ends_within(60.0)
        filler.unlink()
        return ended and "no space left on device" in driver.said()


_WAYS: dict[str, Callable[[Parts, Fault, Driver], bool]] = {
    "driver": Parts._kill_driver,
    "driver alone": Parts._kill_driver,
    "actor": Parts._kill_actor,
    "raylet": Parts._kill_raylet,
    "node": Parts._kill_node,
    "prefect": Parts._kill_prefect,
    "postgres": Parts._kill_postgres,
    "s3 stop": Parts._stop_s3,
    "s3 503": Parts._spoil_s3,
    "s3 slow": Parts._spoil_s3,
    "s3 cut": Parts._spoil_s3,
    "disk full": Parts._fill_disk,
}


def may_mount() -> bool:
    """Tell whether this process may make a small disk."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True)
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return done.returncode == 0


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of `DISK_KB` while the block runs."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_KB}k", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    """Write a file until there is no byte left."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def below(pid: int | None, words: str) -> list[psutil.Process]:
    """Return the processes that one has started, whose command line has these words."""
    found = []
    try:
        for child in psutil.Process(pid).children(recursive=True) if pid else []:
            try:
                if words in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.Error:
                continue
    except psutil.NoSuchProcess:
        return []
    return sorted(found, key=lambda process: process.pid)


def _born(process: psutil.Process) -> float:
    """Return when a process started; 0 for one that has ended."""
    try:
        return float(process.create_time())
    except psutil.NoSuchProcess:
        return 0.0


def _kill(process: psutil.Process) -> bool:
    """Kill a process and what it started; returns whether it was alive."""
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return bool(alive)
