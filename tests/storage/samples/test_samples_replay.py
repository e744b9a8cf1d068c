"""What is known of reading the log again after a kill."""

import shutil
from pathlib import Path

from samples_help import NOW_MS, put, series

from pynomaly.model.clock import FakeClock
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.log import FILE_NAME
from pynomaly.storage.samples.replay import Replay
from pynomaly.storage.samples.store import SampleStore

SETTINGS = SampleSettings(flush_interval=600, retention_days=30)


async def test_commits_are_counted_and_a_torn_one_is_a_corruption(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, EngineSettings(query_connections=2))
    clock = FakeClock(NOW_MS / 1000)
    store = SampleStore(engine, clock, SETTINGS, tmp_path)
    await store.start()
    assert store.replay() == Replay(commits=0, current=0, corruptions=0)
    for ago in range(3):
        await put(store, (series("up"), NOW_MS - ago, 1.0))
    killed = tmp_path / "killed"
    killed.mkdir()
    shutil.copy(tmp_path / FILE_NAME, killed / FILE_NAME)
    with (killed / FILE_NAME).open("ab") as file:
        file.write(b"pyn1 and no more")
    after = SampleStore(engine, clock, SETTINGS, killed)
    await after.start()
    assert after.replay() == Replay(commits=3, current=3, corruptions=1)
    for each in (after, store):
        await each.close()
    engine.close()
