"""A copy of the engine's tables as they are at one moment, by hard links.

Parts of tables never change once they are there, so that links to their files are a copy: it takes
milliseconds and no room until merges replace the parts. The engine links them below ``shadow``
(``ALTER TABLE … FREEZE``); with the definitions of the tables they are moved to where an engine
that is started on the copy expects them.
"""

import re
import shutil
from pathlib import Path

from pynomaly.storage.engine.contract import EngineError, SignalEngine
from pynomaly.storage.engine.process import DATABASE

_SHADOW = "shadow"
_PREFIX = "snapshot_"
_NOT_COPIED = ("mutation_", "tmp_")
"""What the frozen parts have behind them already, or is not theirs yet."""


class FrozenTables:
    """Every table of an engine in ``data_dir``, linked aside under a name."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self._database = data_dir / DATABASE
        # The engine writes other characters than these in another way.
        self._name = _PREFIX + re.sub(r"\W", "_", name, flags=re.ASCII)

    def freeze(self, engine: SignalEngine) -> None:
        """Link what every table has now. One table after the other: what must not change in
        between must not be written meanwhile.

        Raises:
            EngineError: the engine did not do it (a full disk, say).
        """
        found = engine.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase()"
            " AND engine LIKE '%MergeTree' ORDER BY name"
        )
        for table in found["name"].to_pylist():
            engine.execute(f"ALTER TABLE `{table}` FREEZE WITH NAME '{self._name}'")

    def move_to(self, folder: Path) -> None:
        """Make a data folder's tables out of what was frozen.

        Raises:
            EngineError: a file cannot be written or linked.
        """
        target = folder / DATABASE
        if not (self._shadow / "store").is_dir():
            raise EngineError(f"The engine did not link its files in {self._shadow}.")
        try:
            for each in self._database.iterdir():
                if each.name in ("data", "metadata"):
                    shutil.copytree(each, target / each.name, symlinks=True)
            for group in (self._database / "store").iterdir():
                for entity in group.iterdir():
                    _copy_files(entity, target / "store" / group.name / entity.name)
            for entity in (self._shadow / "store").glob("*/*"):
                place = target / "store" / entity.parent.name / entity.name
                place.mkdir(parents=True, exist_ok=True)
                for part in entity.iterdir():
                    part.rename(place / part.name)
        except OSError as error:
            raise EngineError(f"The snapshot cannot be written: {error}.") from error

    def forget(self) -> None:
        """Remove what is left of it aside; nothing happens if nothing is."""
        shutil.rmtree(self._shadow, ignore_errors=True)

    @property
    def _shadow(self) -> Path:
        return self._database / _SHADOW / self._name


def forget_frozen(data_dir: Path) -> None:
    """Remove what snapshots that were cut short by a kill left aside."""
    for each in (data_dir / DATABASE / _SHADOW).glob(f"{_PREFIX}*"):
        shutil.rmtree(each, ignore_errors=True)


def _copy_files(source: Path, target: Path) -> None:
    """The files directly in a table's or database's folder: definitions and format."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.is_file() and not file.name.startswith(_NOT_COPIED):
            shutil.copy2(file, target / file.name)
