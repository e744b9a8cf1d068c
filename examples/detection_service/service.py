"""The service: every part, made in order and undone in reverse."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from detection_service import faults
from detection_service.accounts import Accounts
from detection_service.archive import Archive
from detection_service.cache import Cache
from detection_service.database import Database
from detection_service.learning import MODEL, VERSION, Model, as_rows, train
from detection_service.plant import commissioning
from detection_service.quality import Quality
from detection_service.settings import Settings
from detection_service.work import WorkQueue
from pynomaly.observability import MetricsCollector, TracingService

_UPKEEP = "upkeep"


class DetectionService:
    """What the service does, without HTTP."""

    def __init__(self, settings: Settings, metrics: MetricsCollector) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.settings, self.metrics = settings, metrics
        self.database = Database(settings.data_dir / "service.db", metrics, settings.pool_size)
        self.cache = Cache("answers", metrics)
        self.archive = Archive(settings.data_dir / "archive", settings.archive_bytes, metrics)
        self.accounts = Accounts(self.database, metrics, settings.password)
        self.queue = WorkQueue("jobs", metrics, settings.workers, settings.queue_capacity)
        self.quality = Quality(metrics)
        self.errors = faults.ErrorBurst()
        self.sensors = faults.ModelDrift()
        self.switchboard = faults.Switchboard(self._faults(), settings.data_dir / "faults.json")
        self._model = self._trained()
        self._stop = threading.Event()
        self._upkeep = threading.Thread(target=self._keep_up, daemon=True)

    def start(self) -> None:
        """Begin what goes on by itself: upkeep, and the faults that are planned."""
        self._upkeep.start()
        self.switchboard.start()

    def close(self) -> None:
        """End everything; jobs that wait are done first."""
        self.switchboard.close()
        self._stop.set()
        if self._upkeep.is_alive():
            self._upkeep.join()
        self.queue.close()
        self.database.close()

    def _faults(self) -> Mapping[str, faults.Fault]:
        login = f"http://127.0.0.1:{self.settings.port}/api/v1/login"
        return {
            "slow-database": faults.SlowDatabase(self.database),
            "error-burst": self.errors,
            "memory-leak": faults.MemoryLeak(),
            "disk-filling": faults.DiskFilling(self.archive),
            "brute-force": faults.BruteForce(login),
            "model-drift": self.sensors,
            "crash": faults.Crash(),
        }

    @property
    def model(self) -> Model:
        """The model in use."""
        return self._model

    @TracingService.trace_function("detect")
    def detect(self, machine: str, values: Sequence[Sequence[float]]) -> tuple[int, list[bool]]:
        """Judge readings, archive them, and keep what was said: its id, and a flag for each.

        Raises ArchiveFull, and SQLAlchemyError.
        """
        detection, models = self.metrics.detection, self.metrics.models
        with detection.job(MODEL):
            rows = self.sensors.sensed(as_rows(values))
            with detection.inference.labels(MODEL).time():
                flags = self._model.judge(rows).tolist()
            with detection.processing.labels("archive").time():
                self.archive.append(machine, values)
            number = self.database.add_detection(time.time(), machine, flags)
        models.predictions.labels(MODEL, VERSION).inc(len(flags))
        detection.anomalies.labels(MODEL).inc(sum(flags))
        detection.records.labels("detect").inc(len(flags))
        self.quality.see(self._model, rows)
        self.metrics.business.revenue.labels("EUR").inc(0.002 * len(flags))
        return number, flags

    def label(self, detection_id: int, flags: Sequence[bool]) -> None:
        """People found out which readings were of a machine that was not well.

        Raises NoSuchRow, ValueError.
        """
        said = self.database.add_label(detection_id, flags)
        self.quality.compare(said, flags)

    def queue_detection(self, machine: str, values: Sequence[Sequence[float]]) -> int:
        """Judge readings later; the id of the job. Raises QueueFull."""

        def work() -> str:
            number, flags = self.detect(machine, values)
            return f"detection {number}: {sum(flags)} of {len(flags)} are anomalous"

        return self._queue("detection", work)

    def queue_training(self) -> int:
        """Train the model anew, later; the id of the job. Raises QueueFull."""

        def work() -> str:
            self._model = self._trained()
            return f"{MODEL} {VERSION} is in use"

        return self._queue("training", work)

    def _queue(self, kind: str, work: Callable[[], str]) -> int:
        number = self.database.add_job(kind, time.time())

        def run() -> None:
            try:
                with self.metrics.jobs.job(kind):
                    result = work()
            except Exception as error:
                self.database.end_job(number, "failed", str(error))
                raise
            self.metrics.jobs.last_success.labels(kind).set_to_current_time()
            self.database.end_job(number, "done", result)

        self.queue.put(run)
        return number

    @TracingService.trace_function("train")
    def _trained(self) -> Model:
        rows = commissioning()
        with self.metrics.training.job(MODEL):
            model = train(rows)
        self.metrics.training.samples.labels(MODEL).inc(len(rows))
        self.metrics.models.loaded.labels(MODEL, VERSION).set_to_current_time()
        return model

    def _keep_up(self) -> None:
        upkeep = self.metrics.jobs.job(_UPKEEP)(self.database.keep_newest)
        while not self._stop.wait(self.settings.upkeep_seconds):
            upkeep(self.settings.kept_detections)
            self.metrics.jobs.last_success.labels(_UPKEEP).set_to_current_time()
