from pathlib import Path

from mapmerge.cache import cache_folder


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("MAPMERGE_CACHE", str(tmp_path / "chosen"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "chosen"
    monkeypatch.delenv("MAPMERGE_CACHE")
    assert cache_folder() == tmp_path / "caches" / "mapmerge"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "mapmerge"
