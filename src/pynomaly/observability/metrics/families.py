"""The ready families: what the guides' dashboards, alerts and reports ask for, by their names.

Where a name of the guides breaks Prometheus's conventions it is kept, with the reason beside it.
"""

from typing import Protocol

from pynomaly.observability.metrics.family import (
    BYTES,
    JOB_SECONDS,
    TENTHS,
    Group,
    Tracked,
    counter,
    gauge,
    histogram,
)


class SqlPool(Protocol):
    """A connection pool of SQLAlchemy."""

    def checkedout(self) -> int:
        """Connections in use."""

    def checkedin(self) -> int:
        """Connections that wait for use."""

    def size(self) -> int:
        """Connections that it keeps."""


class Http(Group):
    """Requests that the application answers."""

    # Without addresses source_ip is empty, which for Prometheus is a label that is not there.
    requests = counter(
        "http_requests_total",
        "HTTP requests answered.",
        "method",
        "endpoint",
        "status",
        "source_ip",
    )
    duration = histogram(
        "http_request_duration_seconds", "Time to answer an HTTP request.", "method", "endpoint"
    )
    in_flight = gauge("http_requests_in_flight", "HTTP requests being answered now.", "method")
    request_size = histogram(
        "http_request_size_bytes",
        "Size of HTTP requests' bodies.",
        "method",
        "endpoint",
        buckets=BYTES,
    )
    response_size = histogram(
        "http_response_size_bytes",
        "Size of HTTP responses' bodies.",
        "method",
        "endpoint",
        buckets=BYTES,
    )


class Detection(Group):
    """Jobs that look for anomalies, and what they find."""

    anomalies = counter("anomaly_detections_total", "Anomalies found.", "detector")
    false_positives = counter(
        "anomaly_false_positives_total", "Found anomalies that a person called wrong.", "detector"
    )
    jobs = counter("detection_jobs_total", "Detection jobs that ended.", "detector", "status")
    job_duration = histogram(
        "detection_job_duration_seconds",
        "Time of a detection job.",
        "detector",
        buckets=JOB_SECONDS,
    )
    in_progress = gauge("detection_jobs_in_progress", "Detection jobs running now.", "detector")
    inference = histogram(
        "model_inference_duration_seconds", "Time of one inference of a model.", "model"
    )
    processing = histogram(
        "data_processing_duration_seconds",
        "Time of one step of processing data.",
        "stage",
        buckets=JOB_SECONDS,
    )
    records = counter("data_processed_records_total", "Records processed.", "stage")
    processed_bytes = counter("data_processed_bytes_total", "Bytes processed.", "stage")

    def job(self, detector: str) -> Tracked:
        """Count and time a detection job: a ``with`` block or a decorator."""
        return Tracked(self.jobs, self.job_duration, (detector,), self.in_progress)


class Training(Group):
    """Jobs that train models."""

    jobs = counter("training_jobs_total", "Training jobs that ended.", "model", "status")
    job_duration = histogram(
        "training_job_duration_seconds", "Time of a training job.", "model", buckets=JOB_SECONDS
    )
    in_progress = gauge("training_jobs_in_progress", "Training jobs running now.", "model")
    samples = counter("training_samples_total", "Samples that models were trained on.", "model")

    def job(self, model: str) -> Tracked:
        """Count and time a training job: a ``with`` block or a decorator."""
        return Tracked(self.jobs, self.job_duration, (model,), self.in_progress)


class Models(Group):
    """How good models are."""

    accuracy = gauge(
        "model_accuracy_score",
        "Accuracy of a model on labelled data, 0 to 1.",
        "model",
        "version",
        workers="livemostrecent",
    )
    drift = gauge(
        "model_drift_score",
        "Distance of a model's input from what it was trained on; 0 is none.",
        "model",
        "version",
        workers="livemostrecent",
    )
    precision = gauge(
        "model_precision_ratio",
        "Share of a model's positives that are right, 0 to 1.",
        "model",
        "version",
        workers="livemostrecent",
    )
    recall = gauge(
        "model_recall_ratio",
        "Share of the true positives that a model finds, 0 to 1.",
        "model",
        "version",
        workers="livemostrecent",
    )
    predictions = counter("model_predictions_total", "Predictions made.", "model", "version")
    scores = histogram(
        "model_prediction_score",
        "Scores that a model gives, 0 to 1; their distribution is watched for drift.",
        "model",
        "version",
        buckets=TENTHS,
    )
    loaded = gauge(
        "model_loaded_timestamp_seconds",
        "When the model in use was loaded, in Unix time.",
        "model",
        "version",
        workers="livemax",
    )


class Database(Group):
    """The application's use of databases and of their connection pools."""

    pool = gauge("db_pool_connections", "Connections of a pool.", "pool", "state")
    pool_limit = gauge("db_pool_connections_max", "Connections that a pool may have.", "pool")
    waits = histogram(
        "db_pool_wait_duration_seconds", "Time to be given a connection of a pool.", "pool"
    )
    queries = histogram("db_query_duration_seconds", "Time of a query.", "operation")
    errors = counter("db_query_errors_total", "Queries that failed.", "operation")

    def watch_pool(self, name: str, pool: SqlPool) -> None:
        """Read a pool of SQLAlchemy at each scrape: ``watch_pool("main", engine.pool)``.

        Not with several worker processes, whose gauges cannot be read from a scrape.
        """
        self.pool.labels(name, "in_use").set_function(pool.checkedout)
        self.pool.labels(name, "idle").set_function(pool.checkedin)
        self.pool_limit.labels(name).set_function(pool.size)


class Cache(Group):
    """The application's use of caches."""

    requests = counter("cache_requests_total", "Look-ups in a cache.", "cache", "result")
    duration = histogram("cache_request_duration_seconds", "Time of a look-up.", "cache")
    entries = gauge("cache_entries", "Entries that a cache holds.", "cache")
    evictions = counter("cache_evictions_total", "Entries that a cache gave up.", "cache")

    def hit(self, cache: str) -> None:
        """Count a look-up that found its entry."""
        self.requests.labels(cache, "hit").inc()

    def miss(self, cache: str) -> None:
        """Count a look-up that found nothing."""
        self.requests.labels(cache, "miss").inc()


class Queue(Group):
    """Queues that the application fills and empties."""

    length = gauge("queue_length", "Items waiting in a queue.", "queue", workers="livemostrecent")
    processed = counter("queue_items_processed_total", "Items taken and done.", "queue", "status")
    duration = histogram("queue_processing_duration_seconds", "Time to process an item.", "queue")
    wait = histogram(
        "queue_wait_duration_seconds",
        "Time that an item waited before it was taken.",
        "queue",
        buckets=JOB_SECONDS,
    )

    def item(self, queue: str) -> Tracked:
        """Count and time the processing of one item: a ``with`` block or a decorator."""
        return Tracked(self.processed, self.duration, (queue,))


class Jobs(Group):
    """Background and batch jobs."""

    ended = counter("background_jobs_total", "Background jobs that ended.", "job", "status")
    duration = histogram(
        "background_job_duration_seconds", "Time of a background job.", "job", buckets=JOB_SECONDS
    )
    in_progress = gauge("background_jobs_in_progress", "Background jobs running now.", "job")
    retries = counter("background_job_retries_total", "Tries again of background jobs.", "job")
    last_success = gauge(
        "background_job_last_success_timestamp_seconds",
        "When a job last succeeded, in Unix time.",
        "job",
        workers="max",
    )

    def job(self, job: str) -> Tracked:
        """Count and time a job: a ``with`` block or a decorator."""
        return Tracked(self.ended, self.duration, (job,), self.in_progress)


class Business(Group):
    """What the application is for."""

    active_users = gauge("business_active_users", "Users active now.", workers="livemostrecent")
    active_sessions = gauge("business_active_sessions", "Sessions open now.")
    signups = counter("business_signups_total", "Users that signed up.")
    conversions = counter("business_conversions_total", "Visits that reached a goal.", "goal")
    visits = counter("business_visits_total", "Visits that could reach a goal.", "goal")
    revenue = counter("business_revenue_total", "Revenue, in the currency's unit.", "currency")
    cost = counter("business_cost_total", "Cost, in the currency's unit.", "currency")


class Security(Group):
    """What an attack or a mistake looks like from within."""

    auth_failures = counter("auth_failures_total", "Logins that failed.", "reason")
    auth_successes = counter("auth_successes_total", "Logins that succeeded.", "method")
    privileged = counter(
        "privileged_operations_total", "Operations that need a privilege.", "operation"
    )
    denied = counter("access_denied_total", "Requests refused for want of a permission.", "action")
    data_access = counter("data_access_total", "Accesses to guarded data.", "resource", "action")
    cert_expiry = gauge(
        "cert_expiry_days",
        "Days until a certificate expires; below 0 it has.",
        "certificate",
        workers="livemin",
        kept_because="the guide's alert reads cert_expiry_days < 30; seconds would be the unit",
    )


class Synthdata(Group):
    """Generation of synthetic data, by the names of the guides."""

    generations = counter("synthdata_generation_total", "Generations that ended.")
    successes = counter("synthdata_generation_success_total", "Generations that succeeded.")
    duration = histogram(
        "synthdata_generation_duration_seconds", "Time of a generation.", buckets=JOB_SECONDS
    )
    queue_length = gauge(
        "synthdata_generation_queue_length", "Generations waiting.", workers="livemostrecent"
    )
    training = histogram(
        "synthdata_model_training_duration_seconds",
        "Time to train a generator.",
        buckets=JOB_SECONDS,
    )
    active_users = gauge(
        "synthdata_active_users_total",
        "Users active now.",
        workers="livemostrecent",
        kept_because="the guide's dashboard reads this gauge under a counter's name",
    )
    processed_bytes = counter("synthdata_data_processed_bytes_total", "Bytes of data processed.")
    api_requests = counter("synthdata_api_requests_total", "API requests.", "customer_id")
    revenue = counter("synthdata_revenue_generated_total", "Revenue, in the currency's unit.")


GROUPS: dict[str, type[Group]] = {
    "http": Http,
    "detection": Detection,
    "training": Training,
    "models": Models,
    "database": Database,
    "cache": Cache,
    "queue": Queue,
    "jobs": Jobs,
    "business": Business,
    "security": Security,
    "synthdata": Synthdata,
}
"""Each group by the attribute of ``MetricsCollector`` that it is."""
