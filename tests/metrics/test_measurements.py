from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from registry_wsgi.metrics import families
from registry_wsgi.metrics.families import ACTION_SECONDS, CACHE_HITS, IN_FLIGHT, REQUESTS
from registry_wsgi.metrics.measurements import Measurements, lasting, total

MANUAL = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()


def test_threads_that_add_to_one_series_lose_nothing() -> None:
    measurements = Measurements()
    hits = measurements.series(CACHE_HITS)
    threads = [
        threading.Thread(target=lambda: [measurements.add(hits) for _ in range(2000)] and None) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert measurements.snapshot() == {(CACHE_HITS.name,): [16000.0]}


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.005, 0), (0.0051, 1), (60.0, 12), (60.1, 13)])
def test_a_number_falls_into_the_bucket_whose_upper_end_it_does_not_exceed(seconds: float, bucket: int) -> None:
    measurements = Measurements()
    measurements.observe(measurements.series(ACTION_SECONDS, "d", "Stat"), ACTION_SECONDS, seconds)
    ((sum_, *buckets),) = measurements.snapshot().values()
    assert sum_ == seconds
    assert [number for number, count in enumerate(buckets) if count] == [bucket]


def test_processes_add_up_and_of_an_ended_one_only_what_it_had_counted_stays() -> None:
    one, other = {(REQUESTS.name, "blob"): [3.0], (IN_FLIGHT.name, "blob"): [2.0]}, {(REQUESTS.name, "blob"): [4.0]}
    assert total([one, other]) == {(REQUESTS.name, "blob"): [7.0], (IN_FLIGHT.name, "blob"): [2.0]}
    assert lasting(one) == {(REQUESTS.name, "blob"): [3.0]}


def test_a_forked_process_begins_with_nothing_in_the_series_that_layers_have_at_hand() -> None:
    measurements = Measurements()
    hits = measurements.series(CACHE_HITS)
    measurements.add(hits)
    measurements.lock.acquire()  # by a thread that the fork did not take along
    measurements.reset()
    measurements.add(hits)
    assert measurements.snapshot() == {(CACHE_HITS.name,): [1.0]}


def test_every_metric_stands_in_the_manual_with_its_kind_and_labels() -> None:
    rows = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in re.findall(r"^\| `(registry_\w+)` \| (\w+) \| ([^|]*)\|", MANUAL, re.MULTILINE)
    }
    every = (*families.MEASURED, *families.ASKED)
    assert rows == {family.name: (family.kind, family.labels) for family in every}
