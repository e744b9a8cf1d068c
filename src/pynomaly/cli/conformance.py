"""``pynomaly conformance``: how far our PromQL is Prometheus's, without a server."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import orjson
from rich.progress import Progress
from rich.table import Table

from pynomaly.cli.output import err, out
from pynomaly.model.clock import SystemClock
from pynomaly.model.errors import BadInput
from pynomaly.promql.conformance import compliance
from pynomaly.promql.conformance.runner import Score, Verdict, run_script
from pynomaly.promql.conformance.throwaway import throwaway_store
from pynomaly.promql.remote import PeerApi, RemoteQuerier
from pynomaly.promql.remote_reader import RemoteReader
from pynomaly.storage.peer.client import PeerClient
from pynomaly.storage.peer.config import PeerSettings
from pynomaly.storage.peer.watch import PeerWatch

_IN_REPOSITORY = Path("promql/promqltest/testdata")
_DIFFERENCE_WIDTH = 600


def judge_scripts(folder: Path, *, as_json: bool) -> bool:
    """Run every ``*.test`` of a folder (or of a Prometheus checkout); whether nothing differs.

    Raises:
        BadInput: there is none.
    """
    inside = folder / _IN_REPOSITORY
    paths = sorted((inside if inside.is_dir() else folder).glob("*.test"))
    if not paths:
        raise BadInput(
            f"{folder} holds no *.test files.",
            hint=f"Give a checkout of prometheus/prometheus, or its {_IN_REPOSITORY}.",
        )
    return _show(asyncio.run(_run_scripts(paths)), as_json=as_json)


async def _run_scripts(paths: Sequence[Path]) -> Score:
    score = Score()
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("scripts", total=len(paths))
        async with throwaway_store() as store:
            for path in paths:
                async for verdict in run_script(path.stem, path.read_text(), store):
                    score.verdicts.append(verdict)
                progress.advance(task)
    return score


def judge_beside(reference: str, queries_file: Path, *, as_json: bool) -> bool:
    """Compare with a reference server on a copy of its series; whether nothing differs.

    Raises:
        BadInput: the file cannot be read, or the reference has no series.
        ConfigError: the file holds no queries.
    """
    try:
        text = queries_file.read_text()
    except OSError as error:
        raise BadInput(f"Cannot read {queries_file}: {error.strerror}.") from error
    queries = compliance.load_queries(text, str(queries_file))
    return _show(asyncio.run(_compare(reference, queries)), as_json=as_json)


async def _compare(url: str, queries: Sequence[compliance.Query]) -> Score:
    client = PeerClient(PeerSettings(url=url), SystemClock())
    api, watch = PeerApi(client), PeerWatch(client)
    reference = RemoteQuerier(api, watch)
    reader = RemoteReader(api, watch, reference, timeout=60.0)
    now = round(time.time() * 1000)
    end = compliance.end_before(now)
    score = Score()
    try:
        await watch.check()
        async with throwaway_store() as store:
            metrics = await asyncio.to_thread(
                reader.label_values, "__name__", (), end - compliance.RANGE_MS, now
            )
            if not await compliance.copy_series(reference, metrics, store, end):
                raise BadInput(f"{url} has no samples of the last minutes to compare on.")
            compared = compliance.compare(queries, reference, store, end)
            score.verdicts += await _with_progress(compared, len(queries))
    finally:
        await client.close()
    return score


async def _with_progress(verdicts: AsyncIterator[Verdict], total: int) -> list[Verdict]:
    found = []
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("queries", total=total)
        async for verdict in verdicts:
            found.append(verdict)
            progress.advance(task)
    return found


def _show(score: Score, *, as_json: bool) -> bool:
    if as_json:
        out.print_json(orjson.dumps(_as_json(score)).decode())
    else:
        _print(score)
    return not score.differences


def _as_json(score: Score) -> dict[str, object]:
    return {
        "passed": score.passed,
        "percent": round(score.percent, 2),
        "differences": [
            {"source": v.source, "line": v.line, "expr": v.expr, "difference": v.difference}
            for v in score.differences
        ],
        "left_out": dict(score.left_out.most_common()),
    }


def _print(score: Score) -> None:
    for verdict in score.differences:
        out.print(f"{verdict.source}:{verdict.line}: {verdict.expr}", markup=False)
        out.print(f"    {verdict.difference[:_DIFFERENCE_WIDTH]}", markup=False, style="dim")
    sources = sorted({v.source for v in score.verdicts})
    table = Table("suite", "agree", "differ", "left out")
    for source in sources:
        part = Score([v for v in score.verdicts if v.source == source])
        numbers = (part.passed, len(part.differences), sum(part.left_out.values()))
        table.add_row(source, *map(str, numbers))
    out.print(table)
    for feature, count in score.left_out.most_common():
        out.print(f"left out, {count}: {feature}", markup=False)
    counted = score.passed + len(score.differences)
    out.print(f"{score.passed} of {counted} agree: {score.percent:.1f}%", markup=False)
