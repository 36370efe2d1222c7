"""A cache is never a reason to fail, and one that is out of reach does not fill the log."""

from __future__ import annotations

import logging

import pytest

from registry_wsgi.context import Context
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, NameInvalid, Unavailable
from registry_wsgi.storage.registry import Registry
from tests import storages

CONTENT = b"content"
DIGEST = Digest.of(CONTENT)


class Broken:
    """A cache provider whose every method raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def repository_scoped(self, name: str) -> Broken:
        return self

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        raise self._error

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        raise self._error

    def clear(self, ctx: Context, digest: Digest) -> None:
        raise self._error


def push_pull_and_delete(error: Exception) -> None:
    ctx = Context()
    blobs = Registry(storages.new_driver(), cache=Broken(error), delete_enabled=True).repository("a/b").blobs
    writer = blobs.create(ctx)
    writer.prepare(ctx)
    writer.write(CONTENT)
    assert writer.commit(ctx, DIGEST).size == len(CONTENT)
    assert blobs.stat(ctx, DIGEST).size == len(CONTENT)
    assert blobs.get(ctx, DIGEST) == CONTENT
    blobs.delete(ctx, DIGEST)
    with pytest.raises(BlobUnknown):
        blobs.stat(ctx, DIGEST)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    # Another test's application may have taken the logger for itself.
    monkeypatch.setattr(logging.getLogger("registry_wsgi"), "propagate", True)
    return caplog


@pytest.mark.parametrize("error", [RuntimeError("no connection"), OSError("gone"), NameInvalid("?")], ids=repr)
def test_whatever_a_cache_raises_is_logged_and_storage_answers(
    error: Exception, logged: pytest.LogCaptureFixture
) -> None:
    push_pull_and_delete(error)
    said = {record.getMessage() for record in logged.records if record.levelno == logging.ERROR}
    assert said == {f"the descriptor cache failed to {what} a blob" for what in ("look up", "remember", "forget")}


def test_a_cache_that_says_it_is_unavailable_is_not_logged_a_second_time(logged: pytest.LogCaptureFixture) -> None:
    push_pull_and_delete(Unavailable("out of reach"))
    assert not logged.records
