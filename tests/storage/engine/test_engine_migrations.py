"""The versioned schema."""

import pytest

from pynomaly.storage.engine.contract import EngineError, SignalEngine
from pynomaly.storage.engine.errors import DataFolderUnusable
from pynomaly.storage.engine.migrations import Migration, current_version, migrate

FIRST = Migration(1, "a table", ("CREATE TABLE IF NOT EXISTS t (n UInt8) ENGINE = Memory",))
SECOND = Migration(
    2,
    "another",
    (
        "CREATE TABLE IF NOT EXISTS u (n UInt8) ENGINE = MergeTree ORDER BY n",
        "ALTER TABLE u ADD COLUMN IF NOT EXISTS m String",
    ),
)


def test_each_version_is_applied_once(engine: SignalEngine) -> None:
    assert migrate(engine, "area", [FIRST]) == [1]
    assert migrate(engine, "area", [FIRST, SECOND]) == [2]
    assert migrate(engine, "area", [FIRST, SECOND]) == []
    assert current_version(engine, "area") == 2
    engine.query("SELECT n, m FROM u")


def test_areas_have_versions_of_their_own(engine: SignalEngine) -> None:
    migrate(engine, "one", [FIRST, SECOND])
    assert current_version(engine, "other") == 0


def test_a_newer_folder_is_refused(engine: SignalEngine) -> None:
    migrate(engine, "area", [FIRST, SECOND])
    with pytest.raises(DataFolderUnusable, match="version 2 of the area tables"):
        migrate(engine, "area", [FIRST])


def test_a_step_that_was_cut_short_runs_again(engine: SignalEngine) -> None:
    broken = Migration(2, "another", (*SECOND.statements, "ALTER TABLE nosuch DELETE WHERE 1"))
    with pytest.raises(EngineError):
        migrate(engine, "area", [FIRST, broken])
    assert current_version(engine, "area") == 1
    assert migrate(engine, "area", [FIRST, SECOND]) == [2]


def test_gaps_in_the_list_are_a_mistake(engine: SignalEngine) -> None:
    with pytest.raises(ValueError, match="without a gap"):
        migrate(engine, "area", [SECOND])
