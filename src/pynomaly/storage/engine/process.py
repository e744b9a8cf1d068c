"""What the embedded engine does to its process: import, signals, configuration, URL."""

import faulthandler
import importlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.errors import DataFolderUnusable

_IMPORT = threading.Lock()
DATABASE = "clickhouse"
_CONFIG = "clickhouse.xml"


def load_chdb() -> Callable[[str], Any]:
    """Import the engine (0.7 s, 270 MB) and return its ``connect``.

    Undoes what the import does to the process: it takes the fatal signals, so faulthandler is
    switched on after it, and blocks SIGPIPE, which child processes would inherit.
    """
    with _IMPORT:
        chdb = importlib.import_module("chdb")
        chdb._chdb.reset_signal_handlers()
        chdb._chdb.set_signal_handlers_enabled(0)
        faulthandler.enable()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPIPE})
        connect: Callable[[str], Any] = chdb.connect
        return connect


def connection_url(folder: Path, settings: EngineSettings) -> str:
    """The URL of the engine in ``folder``, whose configuration is written beside it.

    Raises:
        DataFolderUnusable: the configuration cannot be written, or the path has a ``?``.
    """
    if "?" in str(folder):
        raise DataFolderUnusable(f"The data folder {folder} must not have a '?' in its path.")
    session = {
        "config-file": str(folder / _CONFIG),
        "max_threads": settings.query_threads or min(4, os.cpu_count() or 1),
        "enable_time_series_aggregate_functions": 1,
        "output_format_arrow_string_as_string": 1,
        "output_format_arrow_compression_method": "none",
        "max_partitions_per_insert_block": 0,
        "max_query_size": 16_000_000,
        "log_queries": 0,
    }
    try:
        (folder / _CONFIG).write_text(_configuration(settings))
    except OSError as error:
        raise DataFolderUnusable(
            f"The data folder {folder} is not writable: {error.strerror}.",
            hint="Change its owner, or choose another with --data-dir.",
        ) from error
    return f"{folder / DATABASE}?{urlencode(session, safe='/')}"


def _configuration(settings: EngineSettings) -> str:
    server = {
        "max_server_memory_usage": settings.max_memory_bytes,
        "mark_cache_size": settings.mark_cache_bytes,
        "index_mark_cache_size": settings.mark_cache_bytes // 4,
        "primary_index_cache_size": settings.primary_key_cache_bytes,
        "text_index_tokens_cache_size": settings.text_index_cache_bytes // 4,
        "text_index_header_cache_size": settings.text_index_cache_bytes // 4,
        "text_index_postings_cache_size": settings.text_index_cache_bytes // 2,
        "query_condition_cache_size": 4_000_000,
        "compiled_expression_cache_size": 16_000_000,
        "vector_similarity_index_cache_size": 1_000_000,
        "parquet_metadata_cache_size": 1_000_000,
        "iceberg_metadata_files_cache_size": 1_000_000,
        "background_pool_size": settings.merge_threads,
        "background_schedule_pool_size": 2,
        "background_common_pool_size": 1,
        "background_move_pool_size": 1,
        "background_fetches_pool_size": 1,
        "iceberg_background_schedule_pool_size": 1,
        "max_thread_pool_size": 256,
        "max_thread_pool_free_size": 4,
        "max_io_thread_pool_size": 8,
        "max_io_thread_pool_free_size": 0,
        "max_active_parts_loading_thread_pool_size": 4,
        "max_outdated_parts_loading_thread_pool_size": 2,
        "max_parts_cleaning_thread_pool_size": 2,
    }
    merge_tree = {
        "fsync_after_insert": int(settings.fsync),
        "fsync_part_directory": int(settings.fsync),
        "old_parts_lifetime": 60,
        "number_of_free_entries_in_pool_to_execute_mutation": 1,
        "number_of_free_entries_in_pool_to_lower_max_size_of_merge": 1,
        "number_of_free_entries_in_pool_to_execute_optimize_entire_partition": 1,
    }
    parts = [_element(name, value) for name, value in server.items()]
    parts.append("<merge_tree>")
    parts += [_element(name, value) for name, value in merge_tree.items()]
    parts.append("</merge_tree>")
    return "<clickhouse>\n" + "\n".join(parts) + "\n</clickhouse>\n"


def _element(name: str, value: int | str) -> str:
    return f"<{name}>{escape(str(value))}</{name}>"
