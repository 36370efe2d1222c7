"""The caching layer: what a hit costs, what two processes see of one another, and what stays as it was without it."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp, TestRequest

from registry_wsgi import mediatypes
from registry_wsgi.app import build
from registry_wsgi.auth.function import CallableController
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.config import load
from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers import local, unchanged
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.errors import DriverError, Unauthorized
from registry_wsgi.interfaces import Grant
from registry_wsgi.middleware import caching
from registry_wsgi.wiring import layers
from registry_wsgi.wiring.registry import create_registry
from tests import storages
from tests.stack import CountingDriver, image_manifest, push_blob, push_image, stack_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Access, FileInfo, StorageDriver

SMALL, LARGE = b"{}", b"layer" * 400_000
MANIFEST = image_manifest(Digest.of(SMALL), Digest.of(LARGE))
OTHER = image_manifest(Digest.of(SMALL), Digest.of(LARGE), annotations={"another": "one"})
BY_TAG, BY_DIGEST = "/v2/a/b/manifests/v1", f"/v2/a/b/manifests/{Digest.of(MANIFEST)}"
BLOB = f"/v2/a/b/blobs/{Digest.of(SMALL)}"
TYPE = {"Content-Type": mediatypes.OCI_MANIFEST}


@pytest.fixture
def driver(tmp_path: Path) -> CountingDriver:
    return CountingDriver(FilesystemDriver(rootdirectory=tmp_path))


def process(driver: StorageDriver, believed: float = 0.0, **responses: Any) -> TestApp:
    """Return a registry as another process would have it: with caches of its own."""
    return stack_over(driver, cache=InMemoryCacheProvider(), responses=responses, believed=believed)


def pushed(driver: StorageDriver, believed: float = 0.0, **responses: Any) -> TestApp:
    app = process(driver, believed, **responses)
    push_image(app, "a/b", "v1", SMALL, LARGE)
    return app


@pytest.fixture
def on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say that the files of a test are on a file system of this machine, whatever they are on."""
    monkeypatch.setattr(local, "_mounted", lambda: {os.stat(tmp_path).st_dev: "ext4"})


# ── what a hit costs ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "calls"),
    [
        ("GET", BY_TAG, ["read link", "see link"]),
        ("HEAD", BY_TAG, ["read link", "see link"]),
        ("GET", BY_DIGEST, ["see link"]),
        ("HEAD", BY_DIGEST, ["see link"]),
        ("HEAD", BLOB, ["see link", "see data"]),
        ("GET", BLOB, ["see link", "see data"]),
        ("GET", f"/v2/a/b/blobs/{Digest.of(LARGE)}", ["see link", "see data", "reader data"]),
        ("HEAD", f"/v2/a/b/blobs/{Digest.of(b'absent')}", ["stat link"]),
    ],
)
def test_a_hit_looks_at_what_it_stands_on_and_at_nothing_else(
    driver: CountingDriver, method: str, path: str, calls: list[str]
) -> None:
    app = pushed(driver)
    app.request(path, method=method, status="*")
    driver.taken()
    app.request(path, method=method, status="*")
    assert driver.taken() == calls


@pytest.mark.parametrize(
    ("path", "margin", "calls"),
    [
        (BY_TAG, 3600 * 10**9, {"open": 1, "fstat": 1, "read": 1, "close": 1, "access": 1}),  # pushed just now
        (BY_TAG, 0, {"fstat": 2}),
        (BY_DIGEST, 0, {"fstat": 1}),
        (BLOB, 0, {"fstat": 2}),
    ],
)
@pytest.mark.usefixtures("on_this_machine")
def test_a_hit_on_files_is_as_many_system_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, margin: int, calls: dict[str, int]
) -> None:
    monkeypatch.setattr(unchanged, "MARGIN_NS", margin)
    counted: Counter[str] = Counter()
    mine = threading.get_ident()  # what tests before this one began may go on in other threads

    def counting(name: str) -> Callable[..., Any]:
        function = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if threading.get_ident() == mine:
                counted[name] += 1
            return function(*arguments, **options)

        return call

    app = pushed(FilesystemDriver(rootdirectory=tmp_path)).app
    for name in ("open", "read", "close", "access", "stat", "lstat", "fstat", "scandir", "listdir"):
        monkeypatch.setattr(os, name, counting(name))
    for _ in range(3):  # read, looked at by its path, and kept open
        time.sleep(0.02)  # more than the grain of a file's time
        app(TestRequest.blank(path).environ, lambda *_: None)
    counted.clear()
    [content] = app(TestRequest.blank(path).environ, lambda *_: None)
    assert content in (MANIFEST, SMALL)
    assert counted == calls


def test_only_so_many_bytes_are_remembered(driver: CountingDriver) -> None:
    app = process(driver, maxbytes=2**20)
    digests = [push_blob(app, "a/b", bytes([number]) * 60_000) for number in range(30)]
    for _ in range(2):
        for digest in digests:
            app.get(f"/v2/a/b/blobs/{digest}", status=200)
    driver.taken()
    app.get(f"/v2/a/b/blobs/{digests[-1]}", status=200)
    assert driver.taken() == ["see link", "see data"]
    app.get(f"/v2/a/b/blobs/{digests[0]}", status=200)
    assert "reader data" in driver.taken()


def test_content_that_would_take_an_eighth_of_the_memory_is_read_each_time(driver: CountingDriver) -> None:
    app = process(driver, maxbytes=2**20)
    digest = push_blob(app, "a/b", b"a" * 140_000)
    app.get(f"/v2/a/b/blobs/{digest}", status=200)
    driver.taken()
    assert len(app.get(f"/v2/a/b/blobs/{digest}", status=200).body) == 140_000
    assert driver.taken() == ["see link", "see data", "reader data"]


# ── two processes on one storage ──────────────────────────────────────────────────────────────


@pytest.fixture(params=[*storages.kinds(), "without probes"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[TestApp, TestApp]:
    """Two processes, the second of which has seen all that is pushed; each has a driver of its own if there can be."""
    kind = request.param if request.param in storages.kinds() else storages.kinds()[0]
    driver = storages.driver_at(tmp_path, kind)
    drivers = [driver, driver if kind == "inmemory" else storages.driver_at(tmp_path, kind)]
    if request.param == "without probes":
        drivers = [Unable(each) for each in drivers]
    one, other = (process(each) for each in drivers)
    push_image(one, "a/b", "v1", SMALL, LARGE)
    for _ in range(2):
        for path in (BY_TAG, BY_DIGEST, BLOB):
            other.get(path, status=200)
            other.head(path, status=200)
    return one, other


class Unable(CountingDriver):
    """A driver that can do nothing beyond the interface."""

    def __getattr__(self, name: str) -> Any:
        if name == "probe":
            raise AttributeError(name)
        return super().__getattr__(name)


def both(app: TestApp, path: str, status: int) -> list[str | None]:
    """Return what GET and HEAD, asked twice, say that they send."""
    answers = [app.request(path, method=method, status=status) for method in ("GET", "HEAD") * 2]
    return [answer.headers.get("Docker-Content-Digest") for answer in answers]


def test_a_manifest_deleted_in_one_process_is_gone_in_the_other(two: tuple[TestApp, TestApp]) -> None:
    one, other = two
    one.delete(BY_DIGEST, status=202)
    both(other, BY_DIGEST, 404)
    both(other, BY_TAG, 404)


def test_a_tag_deleted_in_one_process_is_gone_in_the_other(two: tuple[TestApp, TestApp]) -> None:
    one, other = two
    one.delete(BY_TAG, status=202)
    both(other, BY_TAG, 404)
    both(other, BY_DIGEST, 200)


def test_a_tag_moved_in_one_process_is_moved_in_the_other(two: tuple[TestApp, TestApp]) -> None:
    one, other = two
    for payload in (OTHER, MANIFEST, OTHER):
        one.put(BY_TAG, payload, headers=TYPE, status=201)
        assert set(both(other, BY_TAG, 200)) == {Digest.of(payload)}


@pytest.mark.usefixtures("on_this_machine")
@pytest.mark.parametrize("kept", [0, 16], ids=["by its path", "kept open"])
def test_a_tag_that_is_known_by_its_state_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """What a process believes without reading, two seconds after a push, is as good as what it reads."""
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    monkeypatch.setattr(local, "_open_files_allowed", lambda: 8 * kept)
    one, other = (process(FilesystemDriver(rootdirectory=tmp_path)) for _ in range(2))
    push_image(one, "a/b", "v1", SMALL, LARGE)
    for payload in (OTHER, MANIFEST, OTHER):
        time.sleep(0.02)  # more than the grain of a file's time
        both(other, BY_TAG, 200)
        one.put(BY_TAG, payload, headers=TYPE, status=201)
        assert set(both(other, BY_TAG, 200)) == {Digest.of(payload)}
        time.sleep(0.02)
        both(other, BY_TAG, 200)
        one.delete(BY_TAG, status=202)
        both(other, BY_TAG, 404)
        one.put(BY_TAG, payload, headers=TYPE, status=201)
        both(other, BY_TAG, 200)


def test_a_blob_deleted_in_one_process_is_gone_in_the_other(two: tuple[TestApp, TestApp]) -> None:
    one, other = two
    one.delete(BLOB, status=202)
    both(other, BLOB, 404)
    push_blob(one, "a/b", SMALL)
    both(other, BLOB, 200)


def test_what_is_deleted_and_pushed_again_in_one_process_is_there_in_the_other(two: tuple[TestApp, TestApp]) -> None:
    one, other = two
    for _ in range(3):
        one.delete(BY_DIGEST, status=202)
        both(other, BY_TAG, 404)
        one.put(BY_TAG, MANIFEST, headers=TYPE, status=201)
        assert set(both(other, BY_TAG, 200)) == {Digest.of(MANIFEST)}
        both(other, BY_DIGEST, 200)


def test_a_blob_that_a_garbage_collection_took_is_gone(tmp_path: Path) -> None:
    """docker-registry's own leaves the links of layers behind."""
    app = pushed(FilesystemDriver(rootdirectory=tmp_path))
    app.get(BLOB, status=200)
    digest = Digest.of(SMALL)
    (tmp_path / f"docker/registry/v2/blobs/sha256/{digest.hex[:2]}/{digest.hex}/data").unlink()
    app.get(BLOB, status=404)


def test_a_manifest_whose_data_was_removed_is_gone_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "_LOOK_SECONDS", 0.0)
    app = pushed(FilesystemDriver(rootdirectory=tmp_path))
    both(app, BY_TAG, 200)
    digest = Digest.of(MANIFEST)
    (tmp_path / f"docker/registry/v2/blobs/sha256/{digest.hex[:2]}/{digest.hex}/data").unlink()
    both(app, BY_TAG, 404)
    both(app, BY_DIGEST, 404)


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["in memory", "from its file"])
def test_a_blob_that_was_damaged_is_whole_when_it_was_pushed_again(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "_LOOK_SECONDS", 0.0)
    digest = Digest.of(content)
    app, blob = stack_over(FilesystemDriver(rootdirectory=tmp_path), responses={}), f"/v2/a/b/blobs/{digest}"
    push_blob(app, "a/b", content)
    data = tmp_path / f"docker/registry/v2/blobs/sha256/{digest.hex[:2]}/{digest.hex}/data"
    os.truncate(data, len(content) - 1)
    assert app.get(blob).body == content[:-1]
    push_blob(app, "a/b", content)
    assert app.get(blob).body == content


def test_what_is_asked_for_in_many_ways_is_bounded_too(driver: CountingDriver) -> None:
    """Each Accept is an answer of its own, and may be a hundred times as long as what is answered."""
    app = process(driver, maxbytes=2**20)
    push_image(app, "a/b", "v1", SMALL)
    accepts = [f"{mediatypes.OCI_MANIFEST}, {number:02000}" for number in range(300)]
    for accept in accepts:
        app.get(BY_TAG, headers={"Accept": accept}, status=200)
    driver.taken()
    app.get(BY_TAG, headers={"Accept": accepts[-1]}, status=200)
    assert "reader data" not in driver.taken()
    app.get(BY_TAG, headers={"Accept": accepts[0]}, status=200)
    assert "reader data" in driver.taken()


# ── what stays as it was ──────────────────────────────────────────────────────────────────────


def test_every_hit_is_a_pull(driver: CountingDriver) -> None:
    app = pushed(driver)
    events = []
    for _ in range(3):
        environ = TestRequest.blank(BY_TAG).environ
        app.app(environ, lambda *_: None)
        events.append(environ[ENVIRON_KEY].events)
    assert [(event.action, event.repository, event.tag) for event in events[0]] == [("pull", "a/b", "v1")]
    assert events[0] == events[1] == events[2]


def test_who_may_not_pull_does_not_get_what_is_remembered() -> None:
    def authorize(environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        if "HTTP_AUTHORIZATION" not in environ:
            raise Unauthorized(headers={"WWW-Authenticate": 'Basic realm="R"'})
        return Grant("alice", lambda _: True)

    app = TestApp(build(load({"storage": storages.new_section()}), CallableController(function=authorize)))
    app.authorization = ("Basic", ("alice", ""))
    digest = push_blob(app, "a/b", SMALL)
    for _ in range(2):
        app.get(f"/v2/a/b/blobs/{digest}", status=200)
    app.authorization = None
    app.get(f"/v2/a/b/blobs/{digest}", status=401)


def test_a_hit_is_logged_like_any_answer(caplog: pytest.LogCaptureFixture, driver: CountingDriver) -> None:
    caplog.set_level(logging.INFO, "registry_wsgi")
    app = pushed(driver)
    caplog.clear()
    for _ in range(2):
        app.get(BY_TAG, status=200)
        app.head(f"/v2/a/b/blobs/{Digest.of(b'absent')}", status=404)
    lines = [(record.getMessage(), {**record.fields}) for record in caplog.records if hasattr(record, "fields")]
    for _, fields in lines:
        for name in ("http.request.id", "http.response.duration"):
            fields.pop(name, None)
    assert len(lines) == 4
    assert lines[:2] == lines[2:]


def test_what_a_layer_outside_adds_to_the_headers_is_added_once(driver: CountingDriver) -> None:
    app = pushed(driver).app

    def adding(environ: WSGIEnvironment, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            headers.append(("X-Added", "1"))
            return start_response(status, headers)

        return app(environ, start)

    for _ in range(3):
        assert TestApp(adding).get(BY_TAG, status=200).headers.getall("X-Added") == ["1"]


class Failing(InMemoryDriver):
    """A driver that was cut off from its storage."""

    def stat(self, ctx: Context, path: str) -> FileInfo:
        raise DriverError(self.name, f"{path}: Input/output error")

    get_content = reader = stat  # type: ignore[assignment]

    def _holds(self, path: str, content: bytes | None) -> bool:
        return False


def test_a_blob_is_not_said_to_be_missing_where_storage_fails() -> None:
    process(Failing()).head(BLOB, status=503)


# ── drivers that cannot probe ─────────────────────────────────────────────────────────────────


@pytest.fixture
def unable() -> Unable:
    return Unable(storages.new_driver())


def test_without_probes_a_tag_is_read_each_time_and_links_are_believed_for_a_time(unable: Unable) -> None:
    app = pushed(unable, believed=3600)
    for path in (BY_DIGEST, BLOB, BY_TAG):
        app.get(path, status=200)
    unable.taken()
    assert app.get(BY_DIGEST, status=200).body == MANIFEST
    assert unable.taken() == []
    assert app.get(BY_TAG, status=200).body == MANIFEST
    assert unable.taken() == ["get_content link"]
    assert app.get(BLOB, status=200).body == SMALL
    assert unable.taken() == ["reader data"]
    stack_over(unable).delete(BY_DIGEST, status=202)
    app.get(BY_DIGEST, status=200)
    app.get(BY_TAG, status=404)


def test_without_probes_nothing_is_believed_after_that_time(unable: Unable) -> None:
    app = pushed(unable, believed=0.05)
    for path in (BY_DIGEST, BLOB):
        app.get(path, status=200)
        stack_over(unable).delete(path, status=202)
    time.sleep(0.06)
    for path in (BY_DIGEST, BLOB):
        app.get(path, status=404)


def test_without_probes_and_belief_every_link_is_looked_for(unable: Unable) -> None:
    app = pushed(unable)
    for path in (BY_DIGEST, BLOB):
        app.get(path, status=200)
        stack_over(unable).delete(path, status=202)
        app.get(path, status=404)


def test_without_probes_a_process_sees_its_own_deletes(unable: Unable) -> None:
    app = pushed(unable, believed=3600)
    for path in (BY_DIGEST, BLOB):
        app.get(path, status=200)
        app.delete(path, status=202)
        app.get(path, status=404)


def test_without_probes_a_tag_that_moves_is_seen_at_once(unable: Unable) -> None:
    app, other = pushed(unable, believed=3600), process(unable)
    for payload in (OTHER, MANIFEST):
        app.get(BY_TAG, status=200)
        other.put(BY_TAG, payload, headers=TYPE, status=201)
        assert set(both(app, BY_TAG, 200)) == {Digest.of(payload)}


def test_what_decides_about_a_write_is_never_believed(unable: Unable) -> None:
    app = pushed(unable, believed=3600)
    app.get(BLOB, status=200)
    stack_over(unable).delete(BLOB, status=202)
    app.get(BLOB, status=200)
    app.put("/v2/a/b/manifests/v2", MANIFEST, headers=TYPE, status=400)
    app.post(f"/v2/other/blobs/uploads/?mount={Digest.of(SMALL)}&from=a/b", status=202)


def test_the_layer_is_there_only_where_it_can_be_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "registry_wsgi")

    def caches(**sections: Any) -> bool:
        config = load({"storage": "inmemory", **sections})
        build(config)
        return [layer.name for layer in layers.caching(config, create_registry(config))[0]] == ["caching"]

    assert caches()
    assert not caches(cache={"responses": {"enabled": False}})
    assert caplog.messages == []
    assert not caches(log={"level": "debug"}, cache={"responses": {"ttl": "10s"}})
    assert caplog.messages == [
        "no answers are remembered: log.level is debug, so that every call of the driver is logged"
    ]


def test_blobs_that_clients_get_elsewhere_are_looked_up_anew() -> None:
    middleware = {"storage": [{"name": "redirect", "options": {"baseurl": "https://cdn.example.com/"}}]}
    app = TestApp(build(load({"storage": "inmemory", "middleware": middleware})))
    digest = push_blob(app, "a/b", SMALL)
    for _ in range(2):
        assert app.get(f"/v2/a/b/blobs/{digest}", status=307).headers["Location"].startswith("https://cdn.example.com/")


def test_a_manifest_of_another_repository_is_not_remembered_for_this_one(driver: CountingDriver) -> None:
    app = pushed(driver)
    app.get(BY_DIGEST, status=200)
    assert json.loads(app.get(BY_DIGEST.replace("a/b", "a/c"), status=404).body)["errors"][0]["code"]
