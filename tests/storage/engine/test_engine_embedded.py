"""What holds of the engine inside the process: its folder, its process, its end."""

import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from pynomaly.observability import REGISTRY
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.contract import DiskFull, EngineError
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.engine.errors import DataFolderLocked, DataFolderUnusable
from pynomaly.storage.engine.metrics import Remembered

SMALL = EngineSettings(query_connections=2, write_connections=1)
ROWS = pa.table({"n": pa.array([1, 2, 3], pa.uint64())})

OPEN = """
import sys
from pathlib import Path
import pyarrow as pa
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.embedded import EmbeddedEngine
engine = EmbeddedEngine(Path(sys.argv[1]), EngineSettings(query_connections=2))
"""


def script(body: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", OPEN + textwrap.dedent(body), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def count(engine: EmbeddedEngine, table: str = "t") -> int:
    return int(engine.query(f"SELECT count() AS n FROM {table}")["n"][0].as_py())


def test_what_was_stored_is_there_when_opened_again(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path / "new" / "data", SMALL)
    engine.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    engine.insert("t", ROWS)
    engine.close()
    engine = EmbeddedEngine(tmp_path / "new" / "data", SMALL)
    assert count(engine) == 3
    engine.close()


def test_a_second_process_is_told_who_has_the_folder(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, SMALL)
    try:
        _, errors = script("", tmp_path).communicate(timeout=60)
        assert f"{tmp_path} is in use by another process (pid {os.getpid()})" in errors
        assert "DataFolderLocked" in errors
    finally:
        engine.close()


def test_a_second_engine_in_the_process_is_refused(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, SMALL)
    with pytest.raises(DataFolderLocked, match="already open in this process"):
        EmbeddedEngine(tmp_path, SMALL)
    with pytest.raises(EngineError):
        EmbeddedEngine(tmp_path / "other", SMALL)
    engine.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    engine.close()


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderUnusable, match="cannot be made"):
        EmbeddedEngine(tmp_path / "file" / "data", SMALL)
    with pytest.raises(DataFolderUnusable, match=r"'\?'"):
        EmbeddedEngine(tmp_path / "what?", SMALL)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    with pytest.raises(DataFolderUnusable, match="not writable"):
        EmbeddedEngine(tmp_path / "data", SMALL)


def test_paths_may_have_spaces_and_signs(tmp_path: Path) -> None:
    folder = tmp_path / "my data & more=ü % +"
    engine = EmbeddedEngine(folder, SMALL)
    engine.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    engine.insert("t", ROWS)
    engine.close()
    engine = EmbeddedEngine(folder, SMALL)
    assert count(engine) == 3
    engine.close()


def test_a_killed_process_leaves_the_folder_free_and_its_rows_stored(tmp_path: Path) -> None:
    child = script(
        """
        engine.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
        engine.insert("t", pa.table({"n": pa.array([1, 2, 3], pa.uint64())}))
        print("stored", flush=True)
        engine.query("SELECT sum(sleepEachRow(1)) FROM numbers(600)")
        """,
        tmp_path,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "stored\n"
    child.kill()
    child.communicate(timeout=60)
    engine = EmbeddedEngine(tmp_path, SMALL)
    assert count(engine) == 3
    engine.close()


def test_leaving_while_queries_run_does_not_crash(tmp_path: Path) -> None:
    child = script(
        """
        import threading
        def ask():
            try:
                engine.query("SELECT sum(sleepEachRow(0.01)) FROM numbers(1000000)",
                             settings={"max_block_size": 10})
            except Exception as error:
                print(type(error).__name__, flush=True)
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
        for thread in threads: thread.start()
        stream = engine.stream("SELECT number FROM numbers(1000000000)")
        print("leaving", flush=True)
        """,
        tmp_path,
    )
    output, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    assert "leaving" in output
    assert "Fatal" not in errors


def test_an_interrupt_reaches_the_main_thread(tmp_path: Path) -> None:
    child = script(
        """
        import signal
        import threading
        # Where tests run in the background, children are born deaf to it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=lambda: engine.query(
            "SELECT sum(sleepEachRow(0.01)) FROM numbers(1000000)",
            settings={"max_block_size": 10}), daemon=True).start()
        try:
            print("waiting", flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            engine.close()
            print("closed", flush=True)
        """,
        tmp_path,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    output, errors = child.communicate(timeout=60)
    assert "closed" in output
    assert child.returncode == 0, errors


def test_a_forked_child_is_refused_and_harmless(tmp_path: Path) -> None:
    child = script(
        """
        import os
        engine.query("SELECT 1")
        pid = os.fork()
        if pid == 0:
            try:
                engine.query("SELECT 1")
            except Exception as error:
                print(error, flush=True)
            engine.close()
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        print(engine.query("SELECT 2 AS n")["n"][0], flush=True)
        """,
        tmp_path,
    )
    output, errors = child.communicate(timeout=60)
    assert "forked process" in output, errors
    assert output.splitlines()[-2:] == ["7", "2"]


def test_child_processes_get_an_unblocked_sigpipe(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, SMALL)
    ask = "import signal; print(signal.SIGPIPE in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    try:
        assert subprocess.check_output([sys.executable, "-c", ask], text=True) == "False\n"
    finally:
        engine.close()


def test_importing_the_module_does_not_load_the_engine() -> None:
    ask = "import sys, pynomaly.storage.engine.embedded; print('chdb' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", ask], text=True) == "False\n"


@pytest.mark.parametrize("fsync", [False, True])
def test_fsync_is_a_setting(tmp_path: Path, fsync: bool) -> None:
    engine = EmbeddedEngine(tmp_path, EngineSettings(fsync=fsync))
    found = engine.query(
        "SELECT name, value FROM system.merge_tree_settings WHERE name LIKE 'fsync_%' AND changed"
    )
    assert {r["name"]: r["value"] for r in found.to_pylist()} == {
        "fsync_after_insert": str(int(fsync)),
        "fsync_part_directory": str(int(fsync)),
    }
    engine.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    engine.insert("t", ROWS)
    assert count(engine) == 3
    engine.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or sys.platform != "linux" or not shutil.which("mount"):
        pytest.skip("needs root on Linux to mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_writing_but_not_reading_and_recovers(small_disk: Path) -> None:
    engine = EmbeddedEngine(small_disk, SMALL)
    try:
        engine.execute("CREATE TABLE t (n UInt64, text String) ENGINE = MergeTree ORDER BY n")
        rows = pa.table({"n": pa.array([1], pa.uint64()), "text": ["kept"]})
        engine.insert("t", rows)
        filler = small_disk / "filler"
        with pytest.raises(DiskFull) as caught, filler.open("wb", buffering=0) as file:
            with pytest.raises(OSError, match="No space"):
                while file.write(b"x" * 65_536):
                    pass
            engine.insert("t", rows)
        assert caught.value.status == 503
        assert engine.query("SELECT text FROM t")["text"].to_pylist() == ["kept"]
        filler.unlink()
        engine.insert("t", rows)
        assert count(engine) == 2
    finally:
        engine.close()


def test_the_engine_shows_the_memory_it_holds(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, SMALL)
    try:
        held = REGISTRY.get_sample_value("pynomaly_engine_memory_bytes")
        assert held is not None
        assert 1e6 < held < 1e9
    finally:
        engine.close()
    closed = REGISTRY.get_sample_value("pynomaly_engine_memory_bytes")
    assert closed is not None
    assert math.isnan(closed)


def test_memory_is_asked_for_now_and_then_and_a_failed_answer_is_not_shown() -> None:
    answers = iter([math.nan, 5.0, 6.0])
    figure = Remembered(lambda: next(answers))
    assert math.isnan(figure())
    assert [figure(), figure()] == [5.0, 5.0]
