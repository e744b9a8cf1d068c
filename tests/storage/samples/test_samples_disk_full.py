"""A full disk: writing is refused, reading goes on, and it recovers by itself."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from samples_help import NOW_MS, SETTINGS, put, read, series

from pynomaly.model.clock import FakeClock
from pynomaly.storage.engine.contract import DiskFull
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.store import SampleStore


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or sys.platform != "linux" or not shutil.which("mount"):
        pytest.skip("needs root on Linux to mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave not a byte free."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65_536):
                pass
        except OSError:
            return filler
    raise AssertionError("the disk did not fill up")


@pytest.mark.parametrize("known", [True, False], ids=["known series", "new series"])
async def test_appending_to_a_full_disk(small_disk: Path, known: bool) -> None:
    engine = EmbeddedEngine(small_disk)
    store = SampleStore(engine, FakeClock(NOW_MS / 1000), SETTINGS)
    await store.start()
    try:
        before, after = series("before"), series("before" if known else "after")
        await put(store, (before, NOW_MS, 1.0))
        filler = fill(small_disk)
        for _ in range(3):
            with pytest.raises(DiskFull) as caught:
                await put(store, (after, NOW_MS + 1, 2.0))
            assert caught.value.status == 503
        assert "disk is full" in (store.trouble() or "")
        assert read(store) == {before: [(NOW_MS, 1.0)]}
        assert store.series([], NOW_MS, NOW_MS) == [before]
        filler.unlink()
        assert await put(store, (after, NOW_MS + 1, 2.0)) == 1
        assert store.trouble() is None
        assert read(store)[after][-1] == (NOW_MS + 1, 2.0)
        assert (await store.verify()).sound
    finally:
        await store.close()
        engine.close()
