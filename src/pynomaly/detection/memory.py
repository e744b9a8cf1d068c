"""The state of the judge in a file, so that a restart goes on where the process stopped."""

import json
import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pynomaly.detection.company import Company
from pynomaly.detection.gaps.service import GapJudge
from pynomaly.detection.points import LastSamples
from pynomaly.detection.streaming.episodes import Episodes
from pynomaly.detection.streaming.scorer import StreamScorer
from pynomaly.model.labels import Labels

log = logging.getLogger(__name__)

_LABELS = "labels"
_SEEN = "seen_to"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a judge knows: the series by row, and all that was learnt of them."""

    labels: list[Labels]
    seen_to_ms: int
    last: LastSamples
    scorer: StreamScorer
    episodes: Episodes
    gaps: GapJudge
    company: Company


def save(path: Path, known: Remembered) -> None:
    """Write it in place of what is there, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    labels = json.dumps([dict(each.items()) for each in known.labels]).encode()
    arrays = {
        _LABELS: np.frombuffer(labels, dtype=np.uint8),
        _SEEN: np.array(known.seen_to_ms),
        **known.last.arrays("last"),
        **known.scorer.arrays(),
        **known.episodes.arrays("episodes"),
        **known.gaps.arrays(),
        **known.company.arrays(),
    }
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(path: Path, min_points: int, gaps: GapJudge, company: Company) -> Remembered | None:
    """What was saved; None when there is nothing, or nothing that this version can read.

    ``gaps`` and ``company`` take up their own parts.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels = json.loads(arrays[_LABELS].tobytes())
            last = LastSamples.of_arrays("last", arrays)
            gaps.take_up(arrays, len(last.ms))
            known = Remembered(
                [Labels(each) for each in labels],
                int(arrays[_SEEN]),
                last,
                StreamScorer.of_arrays(arrays, min_points),
                Episodes.of_arrays("episodes", arrays),
                gaps,
                company,
            )
            company.take_up(arrays, len(last.ms))  # when nothing else can fail
            return known
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s cannot be read, so that series are learnt anew: %s", path, error)
        return None
