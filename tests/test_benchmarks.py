"""The arithmetic of the benchmarks and how they read the reports of wrk and ab; nothing is timed here."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from benchmarks import client
from benchmarks.__main__ import measure, parser
from benchmarks.content import Blob, Image
from benchmarks.errors import BenchmarkError
from benchmarks.load import parse_ab, parse_latency, parse_wrk
from benchmarks.measures import Run, Sample
from benchmarks.plot import draw
from benchmarks.processes import parse_status
from benchmarks.rows import ROWS, Goal, Row
from benchmarks.servers import Peer
from benchmarks.table import Result, ratios, render

if TYPE_CHECKING:
    from tests.conftest import Serve

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


def test_an_ab_run_for_what_is_missing_must_find_nothing() -> None:
    report = AB.format(failed=0, kept=1682, trouble="Non-2xx responses:      1682\n")
    assert parse_ab(report, missing=True) == 840.57
    with pytest.raises(BenchmarkError, match="found"):
        parse_ab(AB.format(failed=0, kept=1682, trouble=""), missing=True)


@pytest.mark.parametrize(("written", "milliseconds"), [("812.00us", 0.812), ("12.07ms", 12.07), ("1.50s", 1500)])
def test_the_latency_is_read_in_milliseconds(written: str, milliseconds: float) -> None:
    report = WRK.format(trouble=f"  Latency Distribution\n     50%    1.00us\n     99%  {written}\n")
    assert parse_latency(report) == pytest.approx(milliseconds)


def samples(*values: float, busy: float | None = 1.0) -> list[Sample]:
    return [Sample(value, busy) for value in values]


def row(goal: Goal | None = None) -> Row:
    return Row("row", "GET something", "requests/s", lambda _: Sample(1.0), goal)


def result(goal: Goal | None = None) -> Result:
    return Result(row(goal), samples(3000, 1000, 2000), samples(1000, 1000, 1000, busy=None))


def test_neighbouring_runs_are_compared() -> None:
    assert ratios(samples(30, 10), samples(10, 20)) == [3.0, 0.5]


def test_nothing_at_all_can_be_divided_by() -> None:
    assert ratios(samples(5), samples(0)) == [5000]


@pytest.mark.parametrize(
    ("goal", "met", "text"),
    [
        (Goal(2), True, "≥ 2"),
        (Goal(2.1), False, "≥ 2.1"),
        (Goal(2, most=True), True, "≤ 2"),
        (Goal(1.9, most=True), False, "≤ 1.9"),
        (Goal(1999, most=True, absolute=True), False, "≤ 1999 requests/s"),
        (None, None, None),
    ],
)
def test_a_goal_is_about_the_median_ratio_or_the_figure(goal: Goal | None, met: bool | None, text: str | None) -> None:
    written = result(goal).to_dict()
    assert (written["met"], written["goal"]) == (met, text)


def test_the_table_shows_medians_the_ratio_of_pairs_its_spread_and_the_goal() -> None:
    header, line = render([result(Goal(2))]).splitlines()
    assert " ".join(header.split()) == "row unit ours theirs against ratio spread goal met core busy"
    assert line.split("  ")[0] == "GET something"
    assert " ".join(line.split()[3:]) == "2,000 1,000 docker-registry 2.00 1.00–3.00 ≥ 2 yes 100% / –"


def test_each_peer_has_a_line_of_its_own() -> None:
    with_peer = result()
    with_peer.peers["other"] = samples(4000, 4000, 4000, busy=None)
    assert " ".join(render([with_peer]).splitlines()[2].split()) == "requests/s 2,000 4,000 other 0.50 0.25–0.75"


def test_a_peer_is_given_the_image_and_takes_its_turn(serve: Serve) -> None:
    url = serve().url
    options = parser().parse_args(["--rounds", "2", "--seconds", "1", "--peer", f"other={url}/"])
    (other,) = options.peer
    image = Image(small=Blob(0, 1000), medium=Blob(1, 2000), large=Blob(2, 300_000), config=Blob(3, 100))
    client.push(other, image)
    client.check(other, image)

    def take(run: Run) -> Sample:
        return Sample(client.download(run.target.url, run.image.large, 2, 0.05)[0])

    compared = replace(row(), measure=take, peers=True)
    measured = measure(compared, lambda name: Peer(name, url), image, options)
    assert all(sample.value > 0 for sample in measured.peers["other"])
    assert len(measured.peers["other"]) == len(measured.ours) == len(measured.theirs) == 2
    assert not measure(replace(compared, peers=False), lambda name: Peer(name, url), image, options).peers


@pytest.mark.parametrize("text", ["other", "=http://127.0.0.1:1", "other=127.0.0.1:1", "other=https://127.0.0.1:1"])
def test_a_peer_is_a_name_and_a_url(text: str) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--peer", text])


def test_the_picture_has_a_bar_and_a_goal_for_each_row() -> None:
    rows = [result(Goal(2)).to_dict(), result().to_dict()]
    picture = ElementTree.fromstring(draw({"machine": {"date": "2026-01-02T03:04"}, "rows": rows}))
    labels = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert labels.count("GET something : docker-registry") == 2
    assert labels.count("2.00") == 2
    goals = [line for line in picture.iter("{http://www.w3.org/2000/svg}line") if line.get("stroke-width") == "2"]
    assert len(goals) == 1


def test_the_rows_have_names_of_their_own() -> None:
    names = [each.name for each in ROWS]
    assert len(names) == len(set(names))


def test_a_blob_is_sent_whole_as_chunks() -> None:
    blob = Blob(seed=1, size=(1 << 20) + 5)
    content = b"".join(blob.pieces())
    assert len(content) == blob.size
    assert blob.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert b"".join(blob.frames()) == b"100000\r\n" + content[:-5] + b"\r\n5\r\n" + content[-5:] + b"\r\n0\r\n\r\n"


def test_the_size_of_a_process_is_read_in_bytes() -> None:
    assert parse_status("Name:\tgranian\nVmHWM:\t   51234 kB\nVmRSS:\t   41234 kB\n", "VmHWM") == 51234 * 1024
    assert parse_status("Name:\tzombie\n", "VmHWM") == 0
