"""The digests of an upload, however its content is cut, and however their record is damaged."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_wsgi.storage import libcrypto
from registry_wsgi.storage.hashing import RunningDigest, recorded_digests

ALGORITHMS = ["sha256", "sha384", "sha512"]
CONTENT = bytes(range(256)) * 3

pieces = st.lists(st.binary(max_size=300), max_size=8)
algorithms = st.sets(st.sampled_from(ALGORITHMS))


def expected(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def running(content: bytes) -> RunningDigest:
    digest = RunningDigest(ALGORITHMS)
    digest.update(content)
    return digest


def sealed(content: bytes) -> bytes:
    """Return a record of anything, its checksum right."""
    return hashlib.blake2b(content, digest_size=32).hexdigest().encode() + b"\n" + content


def opened(record: bytes) -> bytes:
    return record.partition(b"\n")[2]


def changed(record: bytes, was: str, becomes: str) -> bytes:
    content = opened(record)
    assert was.encode() in content
    return sealed(content.replace(was.encode(), becomes.encode()))


@given(pieces, algorithms)
def test_any_pieces_have_the_digests_of_the_whole(pieces: list[bytes], algorithms: set[str]) -> None:
    digest = RunningDigest(algorithms)
    for piece in pieces:
        digest.update(memoryview(piece))
    assert digest.offset == sum(map(len, pieces))
    for algorithm in algorithms | {"sha256"}:
        assert digest.digest(algorithm) == expected(b"".join(pieces), algorithm)


@given(pieces, algorithms)
def test_a_digest_restored_between_any_pieces_goes_on(pieces: list[bytes], algorithms: set[str]) -> None:
    digest = RunningDigest(algorithms)
    for piece in pieces:
        restored = RunningDigest.restore(digest.record(), digest.offset, algorithms)
        assert restored is not None
        digest = restored
        digest.update(piece)
    for algorithm in algorithms | {"sha256"}:
        assert digest.digest(algorithm) == expected(b"".join(pieces), algorithm)
        assert recorded_digests(digest.record(), digest.offset)[algorithm] == expected(b"".join(pieces), algorithm)


def test_recording_a_digest_does_not_end_it() -> None:
    digest = running(b"a")
    assert digest.record() == digest.record()
    digest.update(b"b")
    assert digest.digest() == expected(b"ab")


# ── records that are not to be believed ───────────────────────────────────────────────────────


def check_useless(record: bytes, offset: int = len(CONTENT)) -> None:
    for algorithm in ALGORITHMS:
        assert RunningDigest.restore(record, offset, (algorithm,)) is None
        assert algorithm not in recorded_digests(record, offset)


@given(st.binary(max_size=400))
def test_a_record_that_is_not_ours_is_dropped(record: bytes) -> None:
    check_useless(record, 0)


@pytest.mark.parametrize("record", [b"", b"\n", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b"0" * 64 + b"\n{}"])
def test_a_record_of_another_make_is_dropped(record: bytes) -> None:
    check_useless(record, 0)


@given(st.data())
def test_a_record_with_any_byte_changed_is_dropped(data: st.DataObject) -> None:
    record = bytearray(running(CONTENT).record())
    position = data.draw(st.integers(0, len(record) - 1))
    record[position] ^= data.draw(st.integers(1, 255))
    check_useless(bytes(record))


@given(st.data())
def test_a_record_that_is_cut_or_has_more_is_dropped(data: st.DataObject) -> None:
    record = running(CONTENT).record()
    check_useless(record[: data.draw(st.integers(0, len(record) - 1))])
    check_useless(record + data.draw(st.binary(min_size=1)))


@given(st.integers(0, 2000).filter(lambda offset: offset != len(CONTENT)))
def test_a_record_of_another_offset_is_dropped(offset: int) -> None:
    check_useless(running(CONTENT).record(), offset)


@given(st.binary(max_size=200))
def test_a_record_with_the_right_checksum_of_anything_is_dropped(content: bytes) -> None:
    check_useless(sealed(content), 0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("state", [b"", b"a", b"a" * 111, b"a" * 112, b"a" * 216, b"\0" * 500], ids=len)
def test_a_state_that_libcrypto_could_not_go_on_with_is_dropped(algorithm: str, state: bytes) -> None:
    digest = RunningDigest((algorithm,))
    digest.update(CONTENT)
    lines = [line.partition(b" ")[0] for line in opened(digest.record()).split(b"\n")]
    head = opened(digest.record()).split(b"\n")[0]
    forged = [each + b" " + base64.b64encode(state) for each in lines[1:]]
    record = sealed(b"\n".join([head, *forged]))
    assert RunningDigest.restore(record, len(CONTENT), (algorithm,)) is None
    assert recorded_digests(record, len(CONTENT))[algorithm] == expected(CONTENT, algorithm)


@pytest.mark.parametrize("more", [b"\n", b"\n\n", b"\nsha256:abc x", b"\nmd5:" + b"0" * 32, b"\n\xff"])
def test_a_record_with_a_line_that_is_none_is_dropped(more: bytes) -> None:
    check_useless(sealed(opened(running(CONTENT).record()) + more))


def test_a_state_that_is_no_base64_is_dropped() -> None:
    record = opened(running(CONTENT).record())
    state = record.rpartition(b" ")[2].decode()
    for wrong in ("!" + state[1:], state[:-3]):
        forged = sealed(record.replace(state.encode(), wrong.encode()))
        assert RunningDigest.restore(forged, len(CONTENT), ALGORITHMS) is None


def test_a_record_of_another_version_is_dropped() -> None:
    record = running(CONTENT).record()
    version = opened(record).split()[0].decode()
    check_useless(changed(record, f"{version} {len(CONTENT)}", f"{int(version) + 1} {len(CONTENT)}"))


def test_a_state_of_another_library_is_dropped_and_its_digest_is_not() -> None:
    record = changed(running(CONTENT).record(), libcrypto.library_name(), "OpenSSL 9.9.9; sparc")
    assert RunningDigest.restore(record, len(CONTENT)) is None
    assert recorded_digests(record, len(CONTENT))["sha256"] == expected(CONTENT)


def test_a_state_that_does_not_have_the_digest_it_should_is_dropped() -> None:
    record = changed(running(CONTENT).record(), expected(CONTENT), expected(b"other"))
    assert RunningDigest.restore(record, len(CONTENT)) is None


def test_a_record_without_the_algorithm_that_is_asked_for_does_not_serve() -> None:
    digest = RunningDigest()
    digest.update(CONTENT)
    assert RunningDigest.restore(digest.record(), len(CONTENT)) is not None
    assert RunningDigest.restore(digest.record(), len(CONTENT), ("sha512",)) is None
    assert "sha512" not in recorded_digests(digest.record(), len(CONTENT))


def test_without_libcrypto_digests_are_right_and_their_records_serve_for_commits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(libcrypto, "functions", lambda _: None)
    monkeypatch.setattr(libcrypto, "library_name", lambda: "")
    digest = running(CONTENT)
    for algorithm in ALGORITHMS:
        assert digest.digest(algorithm) == expected(CONTENT, algorithm)
        assert recorded_digests(digest.record(), len(CONTENT))[algorithm] == expected(CONTENT, algorithm)
    assert RunningDigest.restore(digest.record(), len(CONTENT)) is None
