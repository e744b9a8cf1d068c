"""Deleting and copying: of the store, with the records beside it; or of nothing that is here."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pynomaly.model.matcher import Matcher
from pynomaly.server.errors import NotStoredHere
from pynomaly.storage.records import Records
from pynomaly.storage.samples.store import SampleStore


class StoreAdministration:
    """See ``api.prometheus.admin.Administration``."""

    def __init__(self, store: SampleStore, records: Records) -> None:
        self._store = store
        self._records = records

    async def delete(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> int:
        """See ``SampleStore.delete``."""
        return await self._store.delete(selections, start_ms, end_ms)

    async def count(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> tuple[int, int]:
        """See ``SampleStore.count``."""
        return await self._store.count(selections, start_ms, end_ms)

    async def clean_tombstones(self) -> None:
        """See ``SampleStore.clean_tombstones``."""
        await self._store.clean_tombstones()

    async def take_snapshot(self, *, skip_head: bool) -> Path:
        """Samples and records; records on a server of their own stay out."""
        return await self._store.snapshot(self._add_records, skip_head=skip_head)

    def _add_records(self, folder: Path) -> None:
        self._records.copy_to(folder)


class NothingHere:
    """Of a product whose series are on a Prometheus: that is who administrates them."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def delete(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> NoReturn:
        """Refuse."""
        self._refuse()

    async def count(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> NoReturn:
        """Refuse."""
        self._refuse()

    async def clean_tombstones(self) -> NoReturn:
        """Refuse."""
        self._refuse()

    async def take_snapshot(self, *, skip_head: bool) -> NoReturn:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise NotStoredHere(f"Samples are not stored here but by {self._url}; ask there.")
