"""The arithmetic of the benchmarks and how they read the reports of wrk and ab; nothing is timed here."""

from __future__ import annotations

import hashlib

import pytest

from benchmarks.content import Blob
from benchmarks.errors import BenchmarkError
from benchmarks.load import parse_ab, parse_wrk
from benchmarks.processes import parse_status
from benchmarks.table import Result, pairwise_ratios, render

WRK = """\
Running 4s test @ http://127.0.0.1:5000/v2/bench/app/manifests/latest
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.18ms  411.51us  12.07ms   92.33%
    Req/Sec    13.72k     1.02k   14.83k    90.00%
  54601 requests in 4.00s, 52.11MB read
{trouble}Requests/sec:  13641.07
Transfer/sec:     13.02MB
"""

AB = """\
Concurrency Level:      16
Time taken for tests:   2.001 seconds
Complete requests:      1682
Failed requests:        {failed}
Keep-Alive requests:    {kept}
{trouble}Total transferred:      716532 bytes
HTML transferred:       0 bytes
Requests per second:    840.57 [#/sec] (mean)
Time per request:       19.035 [ms] (mean)
"""


def test_the_requests_a_second_are_read_from_wrk() -> None:
    assert parse_wrk(WRK.format(trouble="")) == 13641.07


@pytest.mark.parametrize(
    "trouble",
    [
        "  Non-2xx or 3xx responses: 54601\n",
        "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
    ],
)
def test_a_wrk_run_with_failed_requests_is_no_result(trouble: str) -> None:
    with pytest.raises(BenchmarkError, match=trouble.strip()):
        parse_wrk(WRK.format(trouble=trouble))


def test_the_requests_a_second_are_read_from_ab() -> None:
    assert parse_ab(AB.format(failed=0, kept=1682, trouble="")) == 840.57


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (AB.format(failed=7, kept=1682, trouble=""), "Failed requests"),
        (AB.format(failed=0, kept=1682, trouble="Non-2xx responses:      1682\n"), "Non-2xx"),
        (AB.format(failed=0, kept=0, trouble=""), "kept connection"),
        ("", "no result"),
    ],
)
def test_an_ab_run_with_failed_requests_is_no_result(report: str, words: str) -> None:
    with pytest.raises(BenchmarkError, match=words):
        parse_ab(report)


def test_a_ratio_above_one_means_ahead_in_either_direction() -> None:
    assert pairwise_ratios([30.0, 10.0], [10.0, 20.0]) == [3.0, 0.5]
    assert pairwise_ratios([5.0, 40.0], [10.0, 20.0], less_is_better=True) == [2.0, 0.5]


def test_no_growth_at_all_is_nothing_to_divide_by() -> None:
    assert pairwise_ratios([0.0], [10.0], less_is_better=True) == [pytest.approx(100.0)]


def test_the_table_shows_medians_the_ratio_of_pairs_and_its_spread() -> None:
    result = Result(
        name="row",
        title="GET something",
        unit="requests/s",
        less_is_better=False,
        values={"ours": [3000.0, 1000.0, 2000.0], "theirs": [1000.0, 1000.0, 1000.0]},
        busy={"ours": [1.0, 0.5, 0.9], "theirs": [1.0, 1.0, 1.0]},
    )
    header, line = render([result], "ours", "theirs").splitlines()
    assert header.split() == ["row", "unit", "ours", "theirs", "ratio", "spread", "core", "busy"]
    assert line.split("  ")[0] == "GET something"
    assert line.split()[-6:] == ["1,000", "2.00", "1.00–3.00", "90%", "/", "100%"]
    assert result.to_dict("ours", "theirs")["median"] == {"ours": 2000.0, "theirs": 1000.0}


def test_a_blob_is_sent_whole_as_chunks() -> None:
    blob = Blob(seed=1, size=(1 << 20) + 5)
    content = b"".join(blob.pieces())
    assert len(content) == blob.size
    assert blob.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert b"".join(blob.frames()) == b"100000\r\n" + content[:-5] + b"\r\n5\r\n" + content[-5:] + b"\r\n0\r\n\r\n"


def test_the_size_of_a_process_is_read_in_bytes() -> None:
    assert parse_status("Name:\tgranian\nVmHWM:\t   51234 kB\nVmRSS:\t   41234 kB\n", "VmHWM") == 51234 * 1024
    assert parse_status("Name:\tzombie\n", "VmHWM") == 0
