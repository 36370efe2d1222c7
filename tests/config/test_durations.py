from __future__ import annotations

import pytest

from registry_wsgi.config.durations import parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("300ms", 0.3),
        ("1h30m", 5400.0),
        ("168h", 604800.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("10μs", 1e-5),
        ("5ns", 5e-9),
        ("1h1m1s1ms", 3661.001),
        ("30s1m", 90.0),
        ("-1s", -1.0),
        ("+1s", 1.0),
        ("0", 0.0),
        ("-0", 0.0),
        ("+0", 0.0),
        (0, 0.0),
        (1_000_000_000, 1.0),
        (-500_000_000, -0.5),
    ],
)
def test_durations_are_read_as_go_writes_them(written: object, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "1",
        "10",
        "s",
        "1x",
        "1 s",
        " 1s",
        "1s ",
        "1s\n",
        "--1s",
        "1h-1m",
        "1e3s",
        "٣s",
        "1S",
        "3000000h",
        ".s",
        "+-0",
    ],
)
def test_other_texts_are_no_durations(written: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@pytest.mark.parametrize("written", [None, True, 1.5, [], {}, 2**63])
def test_other_values_are_no_durations(written: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)
