"""The detectors that are trained, by the names that settings use."""

from collections.abc import Mapping
from types import MappingProxyType

from pynomaly.detection.algorithms.base import Choices, TrainedDetector
from pynomaly.detection.algorithms.dbscan import Dbscan
from pynomaly.detection.algorithms.ensemble import Ensemble
from pynomaly.detection.algorithms.isolation_forest import IsolationForest
from pynomaly.detection.algorithms.matrix_profile import MatrixProfile
from pynomaly.detection.algorithms.seasonal import Seasonal
from pynomaly.detection.algorithms.statistical import Statistical
from pynomaly.detection.contract import State
from pynomaly.model.errors import BadInput

DETECTORS: Mapping[str, type[TrainedDetector]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (IsolationForest, Dbscan, Statistical, Seasonal, MatrixProfile, Ensemble)
    }
)


def detector(name: str, choices: Choices | None = None) -> TrainedDetector:
    """A new detector by its name.

    Raises:
        BadInput: there is none of this name.
    """
    if name not in DETECTORS:
        raise BadInput(f"there is no algorithm {name!r}; there are {', '.join(DETECTORS)}")
    return DETECTORS[name](choices)


def restored(state: State) -> TrainedDetector:
    """The detector that gave ``state``, whichever it is.

    Raises:
        KeyError, ValueError: another version wrote it.
    """
    return DETECTORS[str(state["name"])].of_state(state)
