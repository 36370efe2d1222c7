"""The rows of the table: who is measured against whom, and what the goal is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import events, measures, pages, uploads
from .content import TAG, Blob, Image, blob_path, manifest_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from .measures import Run, Sample

    Measure = Callable[[Run], Sample]

OURS, THEIRS = "registry-wsgi", "docker-registry"

RATE, SPEED, COST, COUNT = "requests/s", "MB/s", "CPU s/GB", "uploads/s"


@dataclass(frozen=True)
class Goal:
    """A bound of the ratio or, with `absolute`, of our own figure: a lower one, or with `most` an upper one."""

    limit: float
    most: bool = False
    absolute: bool = False

    def met(self, value: float, ratio: float) -> bool:
        """Tell whether it is reached, by our figure and its ratio to the other."""
        figure = value if self.absolute else ratio
        return figure <= self.limit if self.most else figure >= self.limit

    def text(self, unit: str) -> str:
        """Return how it is printed."""
        return f"{'≤' if self.most else '≥'} {self.limit:g}{f' {unit}' if self.absolute else ''}"


@dataclass(frozen=True)
class Row:
    """One line of the table: `ours` and `theirs` name servers, which take turns; the ratio is ours to theirs.

    `baseline` measures `theirs` where that is done in another way; `against` is what the table then calls it.
    Peers take part in rows that are about any registry. A `cold` row starts its servers anew and needs no warming up.
    """

    name: str
    title: str
    unit: str
    measure: Measure
    goal: Goal | None
    ours: str = OURS
    theirs: str = THEIRS
    baseline: Measure | None = None
    against: str = ""
    peers: bool = False
    most_rounds: int = 100
    cold: bool = False


def _requests(name: str, title: str, measure: Measure, goal: float) -> Row:
    return Row(name, title, RATE, measure, Goal(goal), peers=True)


def _on_gunicorn(name: str, title: str, measure: Measure, goal: float) -> Row:
    return Row(f"{name}-gunicorn", f"{title}, on gunicorn", RATE, measure, Goal(goal), ours="gunicorn")


def _relative(name: str, title: str, ours: str, goal: Goal | None) -> Row:
    """Return a row of our own pulls under conditions, against those without."""
    return Row(name, f"{BY_TAG}, {title}", RATE, GET_TAG, goal, ours=ours, theirs=OURS)


def _with_events(name: str, title: str, ours: str, goal: Goal | None) -> Row:
    """Return such a row in which an event of each pull is delivered."""
    measure = events.beside_delivery(GET_TAG)
    return Row(name, f"{BY_TAG}, {title}", RATE, measure, goal, ours=ours, theirs=OURS, baseline=GET_TAG)


def _page(name: str, title: str, path: str) -> Row:
    return Row(name, title, "ms", measures.page(path), Goal(2, most=True), ours="100,000 names", theirs="1,000 names")


def _tag(_: Image) -> str:
    return manifest_path(TAG)


GET_TAG, HEAD_TAG = measures.get(_tag), measures.head(_tag)
BY_TAG, HEAD_BY_TAG = "GET manifest by tag", "HEAD manifest by tag"
MISSING = Blob(999, 1)

ROWS = (
    _requests("get-tag", BY_TAG, GET_TAG, 28),
    _on_gunicorn("get-tag", BY_TAG, GET_TAG, 5),
    _requests("head-tag", HEAD_BY_TAG, HEAD_TAG, 28),
    _on_gunicorn("head-tag", HEAD_BY_TAG, HEAD_TAG, 5),
    _requests("get-digest", "GET manifest by digest", measures.get(lambda it: manifest_path(it.manifest_digest)), 28),
    _requests("head-blob", "HEAD blob", measures.head(lambda it: blob_path(it.small)), 20),
    _requests(
        "head-missing", "HEAD blob that is missing", measures.head(lambda _: blob_path(MISSING), missing=True), 15
    ),
    _requests("get-10k", "GET blob 10 KB", measures.get(lambda it: blob_path(it.small)), 45),
    _requests("get-1m", "GET blob 1 MB", measures.get(lambda it: blob_path(it.medium)), 7),
    Row("get-200m", "GET blob 200 MB", SPEED, measures.download, Goal(0.9), theirs="nginx", peers=True),
    Row(
        "get-200m-gunicorn",
        "GET blob 200 MB, on gunicorn",
        COST,
        measures.download_cost,
        Goal(1.5, most=True),
        ours="gunicorn",
        theirs="nginx",
    ),
    Row("patch", "upload 300 MB, PATCH + PUT", SPEED, measures.upload(uploads.patch_and_put), Goal(2), peers=True),
    Row("put", "upload 300 MB, PUT", SPEED, measures.upload(uploads.put), Goal(2), peers=True),
    Row(
        "upload-cpu",
        "upload 300 MB, PATCH + PUT",
        COST,
        measures.upload_cost(uploads.patch_and_put),
        Goal(1.5, most=True),
        theirs=OURS,
        baseline=measures.copy_cost,
        against="sha256sum + cp",
    ),
    Row("uploads-64", "64 uploads of 1 MB at once", COUNT, measures.many_uploads, Goal(1), peers=True),
    Row(
        "uploads-64-tmpfs",
        "64 uploads of 1 MB at once, tmpfs",
        COUNT,
        measures.many_uploads,
        Goal(3),
        ours=f"{OURS} on tmpfs",
        theirs=f"{THEIRS} on tmpfs",
    ),
    _relative("htpasswd", "htpasswd", "htpasswd", Goal(0.8)),
    _relative("token", "token", "token", Goal(0.8)),
    _relative("policy", "policy", "policy", Goal(0.8)),
    _relative("logs", "with logs", "logs", None),
    _relative("metrics", "with metrics", "metrics", None),
    _with_events("notifications", "with notifications", "notifications", Goal(0.8)),
    _with_events("observed", "with logs, metrics, notifications", "observed", None),
    Row(
        "slow",
        "99 % of GET manifest beside 64 slow uploads",
        "ms",
        measures.beside_slow_uploads,
        Goal(10, most=True, absolute=True),
        peers=True,
    ),
    Row(
        "memory",
        "growth over idle, 16 pushes of 500 MB",
        "MB",
        measures.memory,
        Goal(1, most=True),
        most_rounds=3,
        cold=True,
    ),
    Row("start", "start to first answer", "s", measures.start, Goal(1, most=True, absolute=True), cold=True),
    _page("catalog", "catalog page of 100", pages.CATALOG),
    _page("tags", "tags page of 100", pages.TAGS),
)
