"""Where targets come from: written down, in files, or listed by a server."""

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import yaml
from pydantic import TypeAdapter, ValidationError

from pynomaly.ingest.scrape import metrics
from pynomaly.ingest.scrape.client import Client
from pynomaly.ingest.scrape.config import FileDiscovery, HttpDiscovery, StaticConfig, matching
from pynomaly.ingest.scrape.errors import ScrapeError
from pynomaly.ingest.scrape.targets import TargetGroup

log = logging.getLogger(__name__)

_GROUPS = TypeAdapter(list[StaticConfig])
_LARGEST_LIST = 64 * 1024 * 1024


class Provider(Protocol):
    """A source of target groups; ``interval`` in seconds, 0 for one that never changes."""

    @property
    def interval(self) -> float:
        """How often ``refresh`` is worth it."""
        ...

    @property
    def groups(self) -> Sequence[TargetGroup]:
        """The last good list."""
        ...

    def adopt(self, other: "Provider") -> None:
        """Begin with the last good list of one that is configured alike."""
        ...

    async def refresh(self) -> bool:
        """Look again; True when ``groups`` changed. A failure keeps the last good list."""
        ...


class StaticProvider:
    """``static_configs``."""

    interval = 0.0

    def __init__(self, job: str, configs: Sequence[StaticConfig]) -> None:
        self.groups = [_group(f"{job}/static/{i}", c, {}) for i, c in enumerate(configs)]

    def adopt(self, other: Provider) -> None:
        """Nothing to adopt."""

    async def refresh(self) -> bool:
        """Nothing to look at."""
        return False


class FileProvider:
    """``file_sd_configs``: files are read again when their time or size changes."""

    def __init__(self, config: FileDiscovery, poll_interval: float) -> None:
        self.interval = min(poll_interval, config.refresh_interval or poll_interval)
        self._config = config
        self._files: dict[str, tuple[tuple[int, int], list[TargetGroup]]] = {}

    @property
    def groups(self) -> list[TargetGroup]:
        """The groups of all files."""
        return [group for _, groups in self._files.values() for group in groups]

    def adopt(self, other: Provider) -> None:
        """Take what was read of the same files."""
        if isinstance(other, FileProvider) and other._config == self._config:
            self._files = other._files

    async def refresh(self) -> bool:
        """Look at the files in a worker thread."""
        before = self._files
        self._files = await asyncio.to_thread(self._look)
        return self._files != before

    def _look(self) -> dict[str, tuple[tuple[int, int], list[TargetGroup]]]:
        found = {}
        for path in (p for pattern in self._config.files for p in matching(pattern)):
            name = str(path)
            last = self._files.get(name)
            try:
                stat = path.stat()
                state = (stat.st_mtime_ns, stat.st_size)
                if last is not None and last[0] == state:
                    found[name] = last
                    continue
                found[name] = (state, read_groups(path))
                metrics.DISCOVERIES.labels("file", "ok").inc()
            except (OSError, ValueError) as error:
                metrics.DISCOVERIES.labels("file", "error").inc()
                log.warning("targets cannot be read", extra={"file": name, "error": str(error)})
                if last is not None:
                    found[name] = last
        return found


class HttpProvider:
    """``http_sd_configs``."""

    def __init__(self, config: HttpDiscovery, client: Client) -> None:
        self.interval = config.refresh_interval or 60.0
        self.groups: list[TargetGroup] = []
        self._config = config
        self._url = config.url
        self._client = client

    def adopt(self, other: Provider) -> None:
        """Take what the same server listed."""
        if isinstance(other, HttpProvider) and other._config == self._config:
            self.groups = other.groups

    async def refresh(self) -> bool:
        """Ask the server."""
        before = self.groups
        try:
            self.groups = await self._ask()
            metrics.DISCOVERIES.labels("http", "ok").inc()
        except (ScrapeError, ValueError) as error:
            metrics.DISCOVERIES.labels("http", "error").inc()
            log.warning("targets cannot be fetched", extra={"url": self._url, "error": str(error)})
        return self.groups != before

    async def _ask(self) -> list[TargetGroup]:
        headers = {
            "Accept": "application/json",
            "X-Prometheus-Refresh-Interval-Seconds": f"{self.interval:g}",
        }
        timeout = min(60.0, self.interval)
        answer = await self._client.get(self._url, headers, timeout=timeout, limit=_LARGEST_LIST)
        if answer.content_type.split(";")[0].strip().lower() != "application/json":
            raise ValueError(f"unsupported content type {answer.content_type!r}")
        groups = _validated(json.loads(answer.body))
        extra = {"__meta_url": self._url}
        return [_group(f"{self._url}:{i}", group, extra) for i, group in enumerate(groups)]


def read_groups(path: Path) -> list[TargetGroup]:
    """The target groups of a JSON or YAML file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a list of target groups.
    """
    text = path.read_text()
    try:
        data = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not valid YAML: {error}") from error
    extra = {"__meta_filepath": str(path)}
    groups = _validated([] if data is None else data)
    return [_group(f"{path}:{i}", group, extra) for i, group in enumerate(groups)]


def _validated(data: object) -> list[StaticConfig]:
    try:
        return _GROUPS.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the list"
        raise ValueError(f"not a list of target groups: {where}: {first['msg']}") from error


def _group(source: str, config: StaticConfig, extra: dict[str, str]) -> TargetGroup:
    targets = tuple({"__address__": address} for address in config.targets)
    return TargetGroup(source, targets, {**config.labels, **extra})
