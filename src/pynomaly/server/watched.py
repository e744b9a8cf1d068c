"""Wires the watched queries: their models, their scores, and their training."""

from functools import partial

from pynomaly.detection.watched.models import ModelFiles, ModelRepository
from pynomaly.detection.watched.service import WatchedQueries
from pynomaly.server.backends import Backend, Site
from pynomaly.storage.records import Records

MODELS_FOLDER = "detection-models"

_UPKEEP_SECONDS = 3600.0


async def watch_queries(site: Site, backend: Backend, records: Records) -> WatchedQueries:
    """Judge the watched queries from now on, and train them when they need it."""
    settings = site.configuration.components.anomaly_detection
    watched = WatchedQueries(
        settings.queries if settings.enabled else (),
        settings.algorithms,
        settings.training,
        backend.judging,
        backend.appender,
        ModelRepository(records),
        ModelFiles(site.data_dir / MODELS_FOLDER),
        site.clock,
        timezone=settings.timezone,
    )
    await watched.start()
    site.undo.push_async_callback(watched.close)
    for query in watched.queries:
        work = partial(watched.score, query.name)
        site.scheduler.every(f"watched {query.name}", query.step, work, group="watched queries")
    if watched.queries:
        site.scheduler.every("watched queries upkeep", _UPKEEP_SECONDS, watched.upkeep)
        await watched.upkeep(site.clock.now())
    return watched
