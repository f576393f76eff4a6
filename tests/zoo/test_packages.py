"""Wheels are fetched once, whole, and only if they are the pinned ones."""

import hashlib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mapmerge.errors import IntegrityError, MissingFileError
from mapmerge.zoo.packages import Wheel, read_member

FILE = "tiny_data-1.0-py3-none-any.whl"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A real wheel in a folder that pip is told to look in, and nowhere else."""
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / FILE, "w") as archive:
        archive.writestr("tiny_data/data.txt", "some data")
        archive.writestr("tiny_data-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n")
        archive.writestr(
            "tiny_data-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_data-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return Wheel("tiny-data", "1.0", FILE, hashlib.sha256((index / FILE).read_bytes()).hexdigest())


def test_downloads_once_and_then_needs_no_network(tiny, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    assert read_member(tiny, "tiny_data/data.txt", cache=cache) == b"some data"
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    assert read_member(tiny, "tiny_data/data.txt", cache=cache) == b"some data"
    assert [path.name for path in (cache / "wheels").iterdir()] == [FILE]


def test_several_builds_may_fetch_at_the_same_time(tiny, tmp_path):
    cache = tmp_path / "cache"
    with ThreadPoolExecutor(3) as executor:
        read = list(executor.map(lambda _: read_member(tiny, "tiny_data/data.txt", cache=cache), range(3)))
    assert read == [b"some data"] * 3
    assert [path.name for path in (cache / "wheels").iterdir()] == [FILE]


def test_a_failed_download_says_what_to_do(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    with pytest.raises(
        MissingFileError, match=rf"tiny-data==1.0.*failed.*Go online once.*MAPMERGE_CACHE.*wheels/{FILE}"
    ):
        read_member(tiny, "tiny_data/data.txt", cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "wheels").iterdir()) == []


def test_another_wheel_under_the_same_name_is_refused_and_not_kept(tiny, tmp_path):
    other = Wheel(tiny.name, tiny.version, tiny.file, "0" * 64)
    with pytest.raises(IntegrityError, match=r"expected SHA-256 0000.*found"):
        read_member(other, "tiny_data/data.txt", cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "wheels").iterdir()) == []


def test_a_damaged_cache_is_noticed(tiny, tmp_path):
    cache = tmp_path / "cache"
    read_member(tiny, "tiny_data/data.txt", cache=cache)
    (cache / "wheels" / FILE).write_bytes(b"damaged")
    with pytest.raises(IntegrityError, match="Delete the file and try again"):
        read_member(tiny, "tiny_data/data.txt", cache=cache)
