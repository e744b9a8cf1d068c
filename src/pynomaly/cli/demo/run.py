"""Runs the demo: sets it up, tells its story, takes it down."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from pynomaly import __version__
from pynomaly.cli import import_command
from pynomaly.cli.client import Client
from pynomaly.cli.demo.faults import Fault, fault_named
from pynomaly.cli.demo.processes import Process
from pynomaly.cli.demo.stage import (
    Stage,
    check_installed,
    choose_ports,
    make_folder,
)
from pynomaly.cli.demo.story import Story
from pynomaly.cli.output import err, out
from pynomaly.model.duration import format_duration, parse_duration
from pynomaly.model.errors import BadInput

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_SECONDS = 1.0
_RESTART_SECONDS = 2.0
_HISTORY_SECONDS = 300.0
_READY, _READY_SERVICE = "/-/ready", "/api/health/ready"
_CRASHED = 70
"""The exit status of the service when it dies by its fault."""
_JSON = {"Content-Type": "application/json"}
_COLOURS = {
    "fault on": "bold red",
    "service died": "bold red",
    "anomaly": "magenta",
    "alert pending": "yellow",
    "alert firing": "bold red",
    "alert resolved": "bold green",
    "fault off": "bold green",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; times are in seconds, ports None for any."""

    fault: Fault | None
    after: float
    lasts: float
    history: float
    api_port: int | None
    web_port: int | None
    service_port: int | None
    keep: Path | None
    once: bool

    @classmethod
    def of(cls, *, fault: str, after: str, lasts: str, history: str, **others: Any) -> "Options":
        """The options from what was typed.

        Raises:
            BadInput: a fault or a duration that is none.
        """
        return cls(
            fault_named(fault),
            after=_seconds("--after", after),
            lasts=_seconds("--for", lasts, least=1),
            history=_seconds("--history", history, least=3600),
            **others,
        )


class Stopped(BaseException):
    """Somebody wants the demo to end; no error, so it passes whatever handles errors."""


def run(options: Options) -> None:
    """Play the demo until Ctrl-C or SIGTERM, or with ``once`` until its story is told.

    Raises:
        NotInstalled: a library is missing.
        BadInput: a port is taken, or the folder is not empty.
        ProcessFailed: a process cannot start.
    """
    check_installed()
    os.environ["no_proxy"] = "127.0.0.1"  # all of it stays on this machine
    ports = choose_ports(options.api_port, options.web_port, options.service_port)
    with _signals(), ExitStack() as undo:
        folder = make_folder(options.keep)
        undo.callback(_say, _farewell(options.keep))
        if options.keep is None:
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            Demo(options, Stage(folder, ports), undo).play()
        except Stopped:
            _say("\nStopping …")
        finally:
            _ignore_signals()


class Demo:
    """The processes, and the loop that looks after them. ``undo`` ends them."""

    def __init__(self, options: Options, stage: Stage, undo: ExitStack) -> None:
        self._options, self._stage, self._undo = options, stage, undo
        self._began = time.monotonic()

    def play(self) -> None:
        """Set up, announce, and tell the story."""
        _say(f"Pynomaly {__version__}: a demo. Everything is in {self._stage.folder}")
        self._set_up()
        options, stage = self._options, self._stage
        _say(_announcement(stage, options))
        service = Client(stage.service, timeout=5)
        if options.fault is not None:
            plan = json.dumps({"after": options.after, "lasts": options.lasts}).encode()
            service.post(f"/faults/{options.fault.name}", plan, headers=_JSON)
        self._began = time.monotonic()
        self._follow(Story(Client(stage.api, timeout=10), service, options.fault, self._tell))

    def _set_up(self) -> None:
        """The history is measured on a service that nobody watches, which is then started anew."""
        stage = self._stage
        product, rehearsing = stage.start_product(importing=True), stage.start_service()
        with self._held(product):
            with self._held(rehearsing):
                with _step("Starting a service and Pynomaly"):
                    rehearsing.wait_until_ready(f"{stage.service}{_READY_SERVICE}")
                    product.wait_until_ready(f"{stage.api}{_READY}")
                with _step("Rehearsing its traffic, to know what days of it look like"):
                    self._finish(stage.start_history(self._options.history / 3600))
            self._service = self._kept(stage.start_service())
            _say(f"Importing the last {format_duration(self._options.history)} …")
            import_command.run(stage.api, str(stage.history))
        stage.history.unlink()
        with _step("Starting both for real"):
            # In this order, or the first thing to be told would be that the service is away.
            self._service.wait_until_ready(f"{stage.service}{_READY_SERVICE}")
            self._product = self._kept(stage.start_product())
            self._load = self._kept(stage.start_load())
            self._product.wait_until_ready(f"{stage.api}{_READY}")

    @contextmanager
    def _held(self, *processes: Process) -> Iterator[None]:
        with ExitStack() as stack:
            for process in processes:
                stack.callback(process.stop)
            yield

    def _kept(self, process: Process) -> Process:
        self._undo.callback(process.stop)
        return process

    def _finish(self, process: Process) -> None:
        with self._held(process):
            process.finish(_HISTORY_SECONDS)

    def _follow(self, story: Story) -> None:
        ended = False
        while True:
            time.sleep(_LOOK_SECONDS)
            self._look_after()
            story.look()
            if ended or not (story.told or story.late):
                continue
            ended = True
            if self._options.once:
                raise typer.Exit(0 if story.told and story.complete else 1)
            _say(_afterword(self._stage) if story.told else "\nNo alert has come and gone.")

    def _look_after(self) -> None:
        """Start the service again when it has died; without the others there is no demo."""
        for process in (self._product, self._load):
            if process.status() is not None:
                raise process.failed()
        status = self._service.status()
        if status is None:
            return
        if status != _CRASHED:
            raise self._service.failed()
        self._tell("service died", f"exit status {status}; it is started again")
        time.sleep(_RESTART_SECONDS)
        self._service = self._kept(self._stage.start_service())

    def _tell(self, what: str, rest: str) -> None:
        seconds = time.monotonic() - self._began
        clock = f"{int(seconds // 60)}:{int(seconds % 60):02}"
        out.print(f"{clock:>6}  [{_COLOURS.get(what, 'bold')}]{what:<15}[/]", end=" ")
        out.print(rest, markup=False, soft_wrap=True)


def _seconds(option: str, text: str, least: float = 0) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise BadInput(f"{option}: {error}.") from error
    if seconds < least:
        raise BadInput(
            f"{option}: {text} is too short.", hint=f"Take {format_duration(least)} or more."
        )
    return seconds


def _announcement(stage: Stage, options: Options) -> str:
    fault, span = options.fault, format_duration(options.history)
    lines = [
        "",
        "Pynomaly watches a detection service, whose traffic goes on. Open these:",
        "",
        f"  {stage.web}/?range=15m  is all well? Keep it open",
        f"  {stage.web}/alerts  what is wrong",
        f"  {stage.explore('detection_service:requests:rate30s', span)}",
        f"      the requests of the last {span}: days have a shape",
    ]
    if fault is not None:
        lines += [f"  {stage.explore(fault.look_at, '15m')}", "      what is about to break"]
    lines += [f"  {stage.service}/docs  the service itself", ""]
    if fault is not None:
        lines.append(
            f"In {format_duration(options.after)} it breaks, for {format_duration(options.lasts)}. "
            "This is what happens (Ctrl-C stops it):"
        )
    else:
        lines.append(f"Nothing breaks by itself. {_how_to_break(stage)} Ctrl-C stops it.")
    return "\n".join([*lines, ""])


def _afterword(stage: Stage) -> str:
    return (
        "\nThat was the story. Look at the alert's rule and runbook at "
        f"{stage.web}/alerts, or break something else:\n\n{_how_to_break(stage)}\n\n"
        "Ctrl-C stops it.\n"
    )


def _how_to_break(stage: Stage) -> str:
    return (
        f"  curl {stage.service}/faults/error-burst -H 'content-type: application/json' "
        f"-d '{{\"lasts\": 60}}'\n  curl {stage.service}/faults  says which there are"
    )


def _farewell(kept: Path | None) -> str:
    if kept is None:
        return "Stopped; nothing is left behind."
    return (
        f"Stopped; everything is kept in {kept}.\n"
        f"Look at it again: pynomaly up --data-dir {kept / 'data'}"
    )


@contextmanager
def _step(text: str) -> Iterator[None]:
    """Says what is being waited for, and then how long it took."""
    began = time.monotonic()
    with err.status(f"{text} …") if err.is_terminal else nullcontext():
        yield
    _say(f"{text}: {time.monotonic() - began:.1f} s")


@contextmanager
def _signals() -> Iterator[None]:
    """Within the block the first signal to end raises ``Stopped``; further ones wait in vain."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        _ignore_signals()
        raise Stopped

    before = {each: signal.signal(each, stop) for each in _SIGNALS if not _is_nohup(each)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _is_nohup(each: signal.Signals) -> bool:
    """Whether the demo is to outlive its terminal."""
    return each == signal.SIGHUP and signal.getsignal(each) == signal.SIG_IGN


def _ignore_signals() -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def _say(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)
