"""A copy of the store while samples come in: a folder that the product can be started on."""

import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from pynomaly.storage.engine.contract import EngineError, SignalEngine
from pynomaly.storage.engine.frozen import FrozenTables, forget_frozen
from pynomaly.storage.samples.log import FILE_NAME

FOLDER = "snapshots"

_UNFINISHED = ".unfinished"
_LOGS = (FILE_NAME, "exemplars.log")


class Snapshot:
    """One copy below ``snapshots`` of a data folder; there under its name when it is whole.

    ``take`` must run while nothing commits; it takes milliseconds. ``complete`` may take its time.

    Raises:
        EngineError: see the methods; ``discard`` what is there then.
    """

    def __init__(self, data_dir: Path, now: float) -> None:
        moment = datetime.fromtimestamp(now, UTC)
        # As Prometheus names them.
        self.name = f"{moment:%Y%m%dT%H%M%SZ}-{secrets.randbits(63):016x}"
        self._data_dir = data_dir
        self.folder = data_dir / FOLDER / f"{self.name}{_UNFINISHED}"
        self._tables = FrozenTables(data_dir, self.name)

    def take(self, engine: SignalEngine, *, log: bool) -> None:
        """Link the tables' files; with ``log`` copy the samples that they do not have yet."""
        try:
            self.folder.mkdir(parents=True)
            self._tables.freeze(engine)
            for name in _LOGS if log else ():
                if (self._data_dir / name).exists():
                    shutil.copy2(self._data_dir / name, self.folder / name)
        except OSError as error:
            raise EngineError(f"The snapshot cannot be written: {error}.") from error

    def assemble(self) -> None:
        """Put what was taken into the form of a data folder; more may be added to it then."""
        self._tables.move_to(self.folder)
        self._tables.forget()

    def complete(self) -> Path:
        """Give it its name; returns where it is."""
        whole = self.folder.with_name(self.name)
        self.folder.rename(whole)
        return whole

    def discard(self) -> None:
        """Remove what there is of it."""
        self._tables.forget()
        shutil.rmtree(self.folder, ignore_errors=True)


def discard_unfinished(data_dir: Path) -> None:
    """Remove what a kill left of snapshots; for the start."""
    forget_frozen(data_dir)
    for each in (data_dir / FOLDER).glob(f"*{_UNFINISHED}"):
        shutil.rmtree(each, ignore_errors=True)
