"""The log of the head: whole commits come back, half ones do not."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from samples_help import NOW_MS, series

from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import STALE
from pynomaly.storage.engine.contract import DiskFull, EngineError
from pynomaly.storage.samples.log import Entry, HeadLog

UP, ODD = series("up", job="a"), Labels({"__name__": "odd", "path": 'ünï\n"\\', "x": "\x00"})


def entry(number: int, *labels: Labels) -> Entry:
    ids = np.array([series_id(UP), series_id(ODD), number], dtype=np.uint64)
    values = np.array([number, STALE, -0.0])
    return Entry({series_id(each): each for each in labels}, ids, NOW_MS + np.arange(3), values)


def same(one: Entry, other: Entry) -> bool:
    return one.series == other.series and all(
        a.view(np.uint64).tolist() == b.view(np.uint64).tolist()
        for a, b in ((one.ids, other.ids), (one.ts, other.ts), (one.values, other.values))
    )


@pytest.mark.parametrize("fsync", [False, True])
def test_commits_come_back_bit_by_bit_in_their_order(tmp_path: Path, fsync: bool) -> None:
    written = [entry(1, UP), entry(2, ODD, UP), entry(2**64 - 1)]
    log = HeadLog(tmp_path / "log", fsync=fsync)
    assert log.read() == []
    for each in written:
        log.append(each)
    log.close()
    log = HeadLog(tmp_path / "log", fsync=fsync)
    found = log.read()
    assert list(map(same, found, written)) == [True] * 3
    log.append(entry(4))
    assert len(log.read()) == 4
    log.close()


def test_after_clearing_it_is_empty_and_goes_on(tmp_path: Path) -> None:
    log = HeadLog(tmp_path / "log")
    log.append(entry(1, UP))
    log.clear()
    assert (log.read(), log.size) == ([], 0)
    log.append(entry(2))
    (found,) = log.read()
    assert same(found, entry(2))
    log.close()


def test_a_log_that_was_cut_anywhere_gives_the_whole_commits_before(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log, ends = HeadLog(path), []
    for number in range(3):
        log.append(entry(number, UP))
        ends.append(log.size)
    log.close()
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        log = HeadLog(path)
        assert len(log.read()) == sum(end <= cut for end in ends)
        log.append(entry(9))  # where the whole ones end
        assert same(log.read()[-1], entry(9))
        log.close()


def test_a_changed_byte_ends_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = HeadLog(path)
    for number in range(2):
        log.append(entry(number, UP, ODD))
    second = log.size // 2
    log.close()
    whole = path.read_bytes()
    for place in range(second, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        log = HeadLog(path)
        assert len(log.read()) == 1, place
        log.close()


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, EngineError)],
)
def test_what_could_not_be_written_in_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[EngineError]
) -> None:
    log = HeadLog(tmp_path / "log")
    log.append(entry(1, UP))
    real, calls = os.pwrite, 0

    def fills_up(fd: int, data: memoryview, at: int) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(number, os.strerror(number))
        return real(fd, data[:20], at)

    monkeypatch.setattr(os, "pwrite", fills_up)
    with pytest.raises(kind) as caught:
        log.append(entry(2, ODD))
    assert type(caught.value) is kind
    monkeypatch.undo()
    assert len(log.read()) == 1
    log.append(entry(3))
    assert [same(a, b) for a, b in zip(log.read(), (entry(1, UP), entry(3)), strict=True)] == [
        True,
        True,
    ]
    log.close()
