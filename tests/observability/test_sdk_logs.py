"""Logs: one line of JSON each, correlated, redacted, never in the way."""

import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from pynomaly.observability.logs.configure import configure_logging, render_json
from pynomaly.observability.logs.correlation import accepted, correlation, correlation_id
from pynomaly.observability.logs.delivery import logs_to_file
from pynomaly.observability.logs.redaction import MASK, Redaction


@pytest.fixture(autouse=True)
def logging_left_as_found() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_says_who_when_and_what(stream: io.StringIO) -> None:
    configure_logging(
        level="INFO", enable_correlation=True, service="shop", environment="test", stream=stream
    )
    structlog.get_logger("orders").info("order placed", amount=3, price=1.5, tags=["a"])
    (line,) = lines(stream)
    assert line.pop("@timestamp").endswith("Z")
    assert line == {
        "event": "order placed",
        "level": "info",
        "logger": "orders",
        "service": "shop",
        "environment": "test",
        "amount": 3,
        "price": 1.5,
        "tags": ["a"],
    }


def test_the_standard_librarys_loggers_speak_the_same_way(stream: io.StringIO) -> None:
    configure_logging(service="shop", stream=stream)
    logging.getLogger("library").warning("%d retries", 3, extra={"queue": "mail"})
    (line,) = lines(stream)
    assert line["event"] == "3 retries"
    assert line["level"] == "warning"
    assert line["logger"] == "library"
    assert line["queue"] == "mail"
    assert line["service"] == "shop"


def test_an_exception_is_told_in_one_line(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    try:
        raise LookupError("no such order")
    except LookupError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed too")
    first, second = lines(stream)
    assert "LookupError: no such order" in first["exception"]
    assert "LookupError: no such order" in second["exception"]


@pytest.mark.parametrize("level", ["warning", "WARN", logging.WARNING])
def test_lower_levels_are_left_out(stream: io.StringIO, level: str | int) -> None:
    configure_logging(level, stream=stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    structlog.get_logger().error("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="'LOUD' is none of DEBUG"):
        configure_logging("LOUD")


def test_configuring_again_replaces_and_does_not_double(stream: io.StringIO) -> None:
    configure_logging(stream=io.StringIO())
    configure_logging(stream=stream)
    logging.getLogger("library").warning("once")
    assert len(lines(stream)) == 1


def test_a_servers_own_console_handler_gives_way(stream: io.StringIO) -> None:
    server = logging.getLogger("own_server")
    server.propagate = False
    server.addHandler(logging.StreamHandler(sys.stderr))
    elsewhere = io.StringIO()
    server.addHandler(logging.StreamHandler(elsewhere))
    configure_logging(stream=stream)
    server.warning("started", extra={"color_message": "coloured"})
    assert [line["event"] for line in lines(stream)] == ["started"]
    assert "color_message" not in lines(stream)[0]
    assert elsewhere.getvalue() == "started\n"  # what does not go to the terminal stays


def test_a_line_within_a_span_has_its_ids(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    with TracerProvider().get_tracer("t").start_as_current_span("work") as span:
        structlog.get_logger().info("inside")
        logging.getLogger("library").warning("inside too")
    structlog.get_logger().info("outside")
    context = span.get_span_context()
    for line in lines(stream)[:2]:
        assert line["trace_id"] == f"{context.trace_id:032x}"
        assert line["span_id"] == f"{context.span_id:016x}"
        assert line["trace_flags"] == f"{context.trace_flags:02x}"
    assert "trace_id" not in lines(stream)[2]


def test_the_correlation_id_reaches_threads_pools_and_tasks(stream: io.StringIO) -> None:
    configure_logging(enable_correlation=True, stream=stream)
    log = structlog.get_logger()

    async def tasks() -> None:
        await asyncio.gather(asyncio.to_thread(log.info, "to_thread"), child())

    async def child() -> None:
        log.info("task")

    with correlation("order-7"), ThreadPoolExecutor(1) as pool:
        thread = threading.Thread(target=log.info, args=("thread",))
        thread.start()
        thread.join()
        pool.submit(log.info, "pool").result()
        asyncio.run(tasks())
        log.info("here")
    log.info("after")
    ids = {line["event"]: line.get("correlation_id") for line in lines(stream)}
    assert ids.pop("after") is None
    assert set(ids.values()) == {"order-7"}
    assert len(ids) == 5


def test_a_pools_thread_takes_the_context_of_each_task_not_of_the_first() -> None:
    configure_logging(stream=io.StringIO())
    with ThreadPoolExecutor(1) as pool:
        with correlation("first"):
            assert pool.submit(correlation_id).result() == "first"
        with correlation("second"):
            assert pool.submit(correlation_id).result() == "second"
        assert pool.submit(correlation_id).result() is None


def test_correlation_can_be_left_out(stream: io.StringIO) -> None:
    configure_logging(enable_correlation=False, stream=stream)
    with correlation("order-7"):
        structlog.get_logger().info("here")
    assert "correlation_id" not in lines(stream)[0]


@pytest.mark.parametrize("forged", ["", "a b", "x" * 129, 'x"\n{', None])
def test_a_callers_id_that_could_forge_a_line_is_replaced(forged: str | None) -> None:
    assert accepted(forged) != forged
    assert len(accepted(forged)) == 32


def test_context_variables_of_structlog_are_in_the_line(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    with structlog.contextvars.bound_contextvars(tenant="a"):
        logging.getLogger("library").warning("one")
        structlog.get_logger().info("two")
    assert [line["tenant"] for line in lines(stream)] == ["a", "a"]


def test_the_guides_own_configuration_of_structlog_gives_flat_correlated_lines(
    stream: io.StringIO,
) -> None:
    configure_logging(level="INFO", enable_correlation=True, service="shop", stream=stream)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        context_class=dict,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    with correlation("order-7"):
        structlog.get_logger("guide").info(
            "anomaly_detected", score=0.97, timestamp="2024-01-15T10:00:00Z", model_version="v1.2.0"
        )
    (line,) = lines(stream)
    assert line["event"] == "anomaly_detected"
    assert line["score"] == 0.97
    assert line["model_version"] == "v1.2.0"
    assert line["correlation_id"] == "order-7"
    assert line["service"] == "shop"


def test_the_authors_own_timestamp_stays_beside_the_lines(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    structlog.get_logger().info("anomaly_detected", timestamp="2024-01-15T10:00:00Z")
    assert lines(stream)[0]["timestamp"] == "2024-01-15T10:00:00Z"


def test_what_json_does_not_know_is_shown_and_not_raised(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    structlog.get_logger().info("odd", path=Path("/etc"), when={1, 2})
    assert lines(stream)[0]["path"].endswith("Path('/etc')")


def test_what_json_cannot_say_at_all_is_said_all_the_same(stream: io.StringIO) -> None:
    configure_logging(redact=None, stream=stream)
    itself: dict[str, Any] = {}
    itself["self"] = itself
    structlog.get_logger().info("odd", itself=itself, keys={(1, 2): 3}, text="\ud800 ä")
    (line,) = lines(stream)
    assert line["event"] == "odd"
    assert "(1, 2)" in line["keys"]
    assert line["text"] == "\ud800 ä"
    configure_logging(stream=stream)
    structlog.get_logger().info("odd again", itself=itself)
    assert len(lines(stream)) == 2


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), ANYTHING, max_size=5), st.text())
def test_any_event_is_one_line_of_json(fields: dict[str, Any], text: str) -> None:
    event = Redaction()(None, "info", {**fields, "event": text})
    line = render_json(None, "info", event)
    assert "\n" not in line
    assert json.loads(line)["event"] is not None


@pytest.mark.parametrize(
    "part", ["eyJ-", "a.", "a-", "a:", "://a:", "bearer ", "password ", "token:", "-----BEGIN A"]
)
def test_redaction_takes_no_longer_for_texts_that_were_made_to_hold_it_up(part: str) -> None:
    # Squared, two million characters would take hours.
    text = part * (2_000_000 // len(part))
    assert Redaction()(None, "info", {"event": text})["event"]


def test_people_get_words_and_not_json(stream: io.StringIO) -> None:
    configure_logging(render="console", stream=stream)
    structlog.get_logger().info("order placed", amount=3)
    assert "order placed" in stream.getvalue()
    assert "{" not in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_recognised() -> None:
    terminal = Terminal()
    configure_logging(stream=terminal)
    structlog.get_logger().info("order placed")
    assert "{" not in terminal.getvalue()


def test_who_speaks_is_taken_from_opentelemetrys_variables(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pynomaly.observability.resource._configured", {})
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-variable")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=staging%201,x=y")
    configure_logging(stream=stream)
    structlog.get_logger().info("x")
    assert lines(stream)[0]["service"] == "from-variable"
    assert lines(stream)[0]["environment"] == "staging 1"


@pytest.mark.parametrize(
    "key",
    ["password", "DB_PASSWORD", "api_key", "apiKey", "Authorization", "refresh_token", "cookie"],
)
def test_a_value_under_a_secrets_key_is_masked_at_any_depth(key: str) -> None:
    clean = Redaction()
    assert clean(None, "info", {key: "hunter2-and-more"})[key] == MASK
    nested = clean(None, "info", {"request": {"headers": [{key: "hunter2-and-more"}]}})
    assert nested["request"]["headers"][0][key] == MASK


@pytest.mark.parametrize("key", ["tokenizer", "passenger", "secretary_name", "author", "key"])
def test_a_key_that_only_resembles_a_secrets_keeps_its_value(key: str) -> None:
    assert Redaction()(None, "info", {key: "plain"})[key] == "plain"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abcdefgh12345678", f"Authorization: Bearer {MASK}"),
        ("postgresql://app:hunter2@db/shop", f"postgresql://{MASK}@db/shop"),
        ("redis://:hunter2@cache:6379", f"redis://{MASK}@cache:6379"),
        ("login password=hunter2 failed", f"login password={MASK} failed"),
        ('{"api_key": "abc123"}', f'{{"api_key": "{MASK}"}}'),
        ("key AKIAIOSFODNN7EXAMPLE used", f"key {MASK} used"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end", f"jwt {MASK} end"),
        ("http://example.test/a?b=c", "http://example.test/a?b=c"),
        ("Basic dXNlcjpodW50ZXIy", f"Basic {MASK}"),
        ("a basic authentication of sorts", "a basic authentication of sorts"),
    ],
)
def test_a_secret_is_known_by_its_shape(text: str, clean: str) -> None:
    assert Redaction()(None, "info", {"event": text})["event"] == clean


def test_own_keys_are_masked_and_redaction_can_be_off(stream: io.StringIO) -> None:
    configure_logging(redact=["iban"], stream=stream)
    structlog.get_logger().info("paid", iban="DE00", ibanez="guitar")
    configure_logging(redact=None, stream=stream)
    structlog.get_logger().info("raw", password="p")
    first, second = lines(stream)
    assert (first["iban"], first["ibanez"]) == (MASK, "guitar")
    assert second["password"] == "p"


def test_secrets_in_an_exception_are_masked(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    try:
        raise OSError("cannot reach postgresql://app:hunter2@db/shop")
    except OSError:
        structlog.get_logger().exception("failed")
    assert "hunter2" not in stream.getvalue()
    assert "cannot reach" in stream.getvalue()


def test_lines_reach_a_file_that_rotates(stream: io.StringIO, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    path = tmp_path / "app.log"
    delivery = logs_to_file(path, max_bytes=2000, backups=3, registry=registry)
    configure_logging(stream=stream, deliver_to=[delivery])
    for number in range(50):
        structlog.get_logger().info("line", number=number)
    delivery.close()
    kept = sorted(tmp_path.iterdir())
    assert [p.name for p in kept] == ["app.log", "app.log.1", "app.log.2", "app.log.3"]
    assert all(p.stat().st_size <= 2000 for p in kept)
    assert json.loads(path.read_text().splitlines()[-1])["number"] == 49
    sent = registry.get_sample_value("pynomaly_sdk_items_delivered_total", {"signal": "logs"})
    assert sent == 50


def test_a_delivery_that_stands_still_drops_and_counts_but_never_holds_up(
    stream: io.StringIO, tmp_path: Path
) -> None:
    registry = CollectorRegistry()
    delivery = logs_to_file(tmp_path / "app.log", capacity=10, registry=registry)
    release = threading.Event()
    inner = delivery.background._take
    delivery.background._take = lambda batch: (release.wait(60), inner(batch))[1]
    configure_logging(stream=stream, deliver_to=[delivery])
    for number in range(1000):  # returns although nothing is being written
        structlog.get_logger().info("line", number=number)
    release.set()
    delivery.close()
    written = len((tmp_path / "app.log").read_text().splitlines())
    dropped = registry.get_sample_value(
        "pynomaly_sdk_items_dropped_total", {"signal": "logs", "reason": "queue_full"}
    )
    assert dropped is not None
    assert written + dropped == 1000
    assert dropped >= 1000 - 10 - 512
