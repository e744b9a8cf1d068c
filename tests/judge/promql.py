"""PromQL, judged by Prometheus's own test scripts and by prometheus/compliance."""

import asyncio
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from pynomaly.model.clock import SystemClock
from pynomaly.promql.conformance import compliance
from pynomaly.promql.conformance.runner import Verdict, run_script
from pynomaly.promql.conformance.throwaway import throwaway_store
from pynomaly.promql.remote import PeerApi, RemoteQuerier
from pynomaly.storage.peer.client import PeerClient
from pynomaly.storage.peer.config import PeerSettings
from pynomaly.storage.peer.watch import PeerWatch
from pynomaly.storage.samples.remote import RemoteAppender
from tests.conftest import find_server
from tests.demo_series import batches
from tests.judge import repositories
from tests.judge.score import Score
from tests.peers import WRITABLE, Peer

_SCRIPTS = "promql/promqltest/testdata"
_QUERIES = "promql/promql-test-queries.yml"
_MINUTES = 110


def judge_promqltest(folder: Path) -> Score | None:
    """Every evaluation of the scripts that needs nothing which is left out by name."""
    repository = repositories.find(folder, _SCRIPTS)
    if repository is None:
        return None
    scripts = {
        Path(path).stem: repository.read(path).decode()
        for path in repository.list(_SCRIPTS)
        if path.endswith(".test")
    }
    score = Score("prometheus/prometheus, promqltest")
    for verdict in asyncio.run(_verdicts(scripts)):
        if verdict.feature and verdict.difference:
            continue
        score.note(f"{verdict.source}:{verdict.line} {verdict.expr}", verdict.difference)
    return score


async def _verdicts(scripts: dict[str, str]) -> list[Verdict]:
    found: list[Verdict] = []
    async with throwaway_store() as store:
        for name, text in scripts.items():
            async with aclosing(run_script(name, text, store)) as verdicts:
                found += [verdict async for verdict in verdicts]
    return found


def judge_compliance(folder: Path) -> Score | None:
    """The queries beside Debian's Prometheus, over series like those they are written for."""
    repository = repositories.find(folder, _QUERIES)
    if repository is None:
        return None
    program = find_server("prometheus")
    if program is None:
        print("prometheus/compliance: skipped, no prometheus is installed", file=sys.stderr)
        return None
    queries = compliance.load_queries(repository.read(_QUERIES).decode(), _QUERIES)
    score = Score("prometheus/compliance, promql")
    for verdict in beside_prometheus(program, queries):
        score.note(verdict.expr, verdict.difference)
    return score


def beside_prometheus(program: str, queries: list[compliance.Query]) -> list[Verdict]:
    """Start a Prometheus, fill it with the demo's series, and compare."""
    with tempfile.TemporaryDirectory(prefix="pynomaly-compliance-") as folder:
        peer = Peer("prometheus", program, Path(folder), WRITABLE)
        peer.start()
        try:
            return asyncio.run(_compare(peer.url, queries))
        finally:
            peer.kill()


async def _compare(url: str, queries: list[compliance.Query]) -> list[Verdict]:
    client = PeerClient(PeerSettings(url=url), SystemClock())
    watch = PeerWatch(client)
    await watch.check()
    reference = RemoteQuerier(PeerApi(client), watch)
    now = round(time.time() * 1000) // 1000 * 1000
    end = compliance.end_before(now)
    try:
        metrics = set()
        for batch in batches(now, _MINUTES):
            await RemoteAppender(client, watch).append(batch)
            metrics |= {labels.name for labels in batch.labels.values()}
        async with throwaway_store() as store:
            await compliance.copy_series(reference, sorted(metrics), store, end)
            return [v async for v in compliance.compare(queries, reference, store, end)]
    finally:
        await client.close()
