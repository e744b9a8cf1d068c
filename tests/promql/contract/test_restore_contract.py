"""What was pending and firing is read back from each implementation alike."""

import pytest
from contract_stores import END, Store

from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SampleBatch
from pynomaly.rules.restore import read_seeds


@pytest.mark.parametrize("interval", [5, 15, 60])
def test_an_alert_that_was_active_to_the_end_is_found_and_one_that_ended_is_not(
    interval: int, store: Store
) -> None:
    def alert(name: str, **labels: str) -> Labels:
        return Labels({"__name__": "ALERTS_FOR_STATE", "alertname": name, **labels})

    names = f"Active{interval}", f"Ended{interval}"
    first = END - 20 * interval
    active, ended = alert(names[0], i="1"), alert(names[1], i="1")
    rows = [(active, (first + n * interval) * 1000, 1234.0) for n in range(10)]
    rows += [(ended, (first + n * interval) * 1000, 99.0) for n in range(5)]
    rows.append((ended, (first + 5 * interval) * 1000, float(STALE)))
    assert store.run(store.appender.append(SampleBatch.of(rows))).refused == {}
    store.flush()
    # Evaluation stopped; some time later it begins again.
    now = first + 9 * interval + 200
    seeds = store.run(read_seeds(store.judging, names, now, interval))
    assert list(seeds) == [active.without("__name__")]
    seed = seeds[active.without("__name__")]
    assert (seed.active_at, seed.last_seen) == (1234.0, first + 9 * interval)
