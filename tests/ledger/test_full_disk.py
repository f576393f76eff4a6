"""What a store does on a disk that is full: it says so, and what stood there stays whole."""

import subprocess
import sys

import pytest

FILL = """
import os, sys
from mapmerge.errors import StoreFullError
from mapmerge.ledger.store import Store

store, data, written = Store(sys.argv[1]), b"x" * 3000, []
try:
    for number in range(100):
        assert store.create(f"{number % 3}/{number}.json", data)
        written.append(f"{number % 3}/{number}.json")
except StoreFullError as error:
    print(error)
for write in (store.create, store.replace):
    try:
        write("0/0.more.json", b"y" * 9000)
    except StoreFullError:
        continue
    raise SystemExit("there was room")
assert sorted(written) == store.list()
assert all(store.read(key) == data for key in written)
hidden = [name for _, _, names in os.walk(sys.argv[1]) for name in names if name.startswith(".")]
assert not hidden, hidden
store.delete(written[0])
assert store.create(written[0], b"again")
"""


def test_a_full_disk_is_said_and_spoils_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=64k none "$0" && exec "$@"', disk]
    if subprocess.run([*mounted, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody make a small disk")
    said = subprocess.run([*mounted, sys.executable, "-c", FILL, disk], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert "could not be written, no space left on device; make room there" in said.stdout
    assert "mapmerge resume" in said.stdout
