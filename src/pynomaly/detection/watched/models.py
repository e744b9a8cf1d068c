"""Versions of models: their rows in the records, and their files in the data folder."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pynomaly.detection.watched.training import TrainedPart, load_part
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records
from pynomaly.storage.records.tables import Base, Json

_SERIES = "series.json"


class NoSuchModel(PynomalyError):
    """There is no such version of a model."""

    status = 404
    kind = "not_found"


class ModelRow(Base):
    """One version of the model of a watched query by one algorithm."""

    __tablename__ = "detection_models"

    query: Mapped[str] = mapped_column(sa.Text(), primary_key=True)
    algorithm: Mapped[str] = mapped_column(sa.Text(), primary_key=True)
    version: Mapped[int] = mapped_column(sa.Integer(), primary_key=True, autoincrement=False)
    active: Mapped[bool] = mapped_column(sa.Boolean())
    folder: Mapped[str] = mapped_column(sa.Text())
    trained_at: Mapped[float] = mapped_column(sa.Double())
    data_from: Mapped[float] = mapped_column(sa.Double())
    data_until: Mapped[float] = mapped_column(sa.Double())
    series: Mapped[int] = mapped_column(sa.Integer())
    points: Mapped[int] = mapped_column(sa.BigInteger())
    passes_per_week: Mapped[float | None] = mapped_column(sa.Double())
    parameters: Mapped[dict[str, Any]] = mapped_column(Json)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """What is known of a version. Times are epoch seconds.

    ``passes_per_week``: the backtest's figure, None where nothing could be held out.
    ``parameters``: expression, step, season, contamination.
    """

    query: str
    algorithm: str
    version: int
    active: bool
    folder: str
    trained_at: float
    data_from: float
    data_until: float
    series: int
    points: int
    passes_per_week: float | None
    parameters: dict[str, Any]


_COLUMNS = tuple(ModelVersion.__slots__)


class ModelRepository:
    """The versions in the records. Blocking: call it in a worker thread."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def add(self, model: ModelVersion) -> ModelVersion:
        """Keep a version under the next number, and use it from now on."""
        with self._records.writing() as session:
            same = _same(model.query, model.algorithm)
            newest = session.scalar(sa.select(sa.func.max(ModelRow.version)).where(same)) or 0
            session.execute(sa.update(ModelRow).where(same).values(active=False))
            row = {name: getattr(model, name) for name in _COLUMNS}
            added = ModelRow(**{**row, "version": newest + 1, "active": True})
            session.add(added)
            return _model(added)

    def all(self) -> list[ModelVersion]:
        """Every version, by query and algorithm, the newest first."""
        order = (ModelRow.query, ModelRow.algorithm, ModelRow.version.desc())
        with self._records.reading() as session:
            return [_model(row) for row in session.scalars(sa.select(ModelRow).order_by(*order))]

    def active(self) -> list[ModelVersion]:
        """The versions in use."""
        return [model for model in self.all() if model.active]

    def activate(self, query: str, algorithm: str, version: int) -> ModelVersion:
        """Use this version from now on; 0 is the one before that in use.

        Raises:
            NoSuchModel: there is none.
        """
        with self._records.writing() as session:
            same = _same(query, algorithm)
            order = ModelRow.version.desc()
            rows = list(session.scalars(sa.select(ModelRow).where(same).order_by(order)))
            used = next((row.version for row in rows if row.active), 0)
            wanted = [r for r in rows if (r.version == version if version else r.version < used)]
            if not wanted:
                which = f"version {version}" if version else "version before that in use"
                raise NoSuchModel(f"{query} has no {which} by {algorithm}")
            for row in rows:
                row.active = row is wanted[0]
            return _model(wanted[0])

    def drop(self, models: Sequence[ModelVersion]) -> None:
        """Forget these versions."""
        with self._records.writing() as session:
            for model in models:
                which = _same(model.query, model.algorithm) & (ModelRow.version == model.version)
                session.execute(sa.delete(ModelRow).where(which))


def _same(query: str, algorithm: str) -> sa.ColumnElement[bool]:
    return (ModelRow.query == query) & (ModelRow.algorithm == algorithm)


def _model(row: ModelRow) -> ModelVersion:
    return ModelVersion(**{name: getattr(row, name) for name in _COLUMNS})


class ModelFiles:
    """The folders of versions below one folder. Blocking."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, name: str) -> Path:
        """A new, empty folder for what is being trained."""
        target = self._folder / f"{name}.new"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        return target

    def finish(self, name: str, labels: Sequence[Labels]) -> None:
        """Keep what was trained: now it is whole."""
        target = self._folder / f"{name}.new"
        named = [dict(each.items()) for each in labels]
        (target / _SERIES).write_text(json.dumps(named), encoding="utf-8")
        target.replace(self._folder / name)

    def discard(self, name: str) -> None:
        """Remove a version, or what was begun of it."""
        for folder in (name, f"{name}.new"):
            shutil.rmtree(self._folder / folder, ignore_errors=True)

    def load(self, name: str) -> tuple[list[Labels], list[TrainedPart]]:
        """The series of a version, and its parts, which hold them in this order.

        Raises:
            OSError, KeyError, ValueError: it cannot be read, or another version wrote it.
        """
        folder = self._folder / name
        labels = json.loads((folder / _SERIES).read_text(encoding="utf-8"))
        parts = [load_part(path) for path in sorted(folder.glob("part-*.npz"))]
        return [Labels(each) for each in labels], parts
