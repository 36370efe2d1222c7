"""What a client gets while the store fails: the right answer or 503 with Retry-After, and never a wrong blob."""

from __future__ import annotations

import itertools
import json
import random
from contextlib import closing

import pytest
from registry_wsgi_s3 import S3Driver

from registry_wsgi import mediatypes
from registry_wsgi.context import Context
from registry_wsgi.errors import DriverError, PathNotFound
from registry_wsgi.testing._drivers_case import read, seeded, write, write_and_commit
from tests.api.inprocess import InProcess
from tests.s3_proxy import CUT, FAULTS, HEAD_ALONE, PASSING, Answer
from tests.stack import image_manifest, stack_over
from tests.wire import digest_of, with_query

CTX = Context()
BLOB = seeded(12 * 2**20)
CONFIG = b"{}"


@pytest.fixture
def section(faulty_section):
    return faulty_section


@pytest.fixture
def driver(faulty):
    return faulty


@pytest.fixture
def client(driver):
    return InProcess(stack_over(driver))


def times(fault, count, *operations):
    """Return a rule that fails the first `count` calls, of the operations that are named or of all."""
    left = itertools.chain(itertools.repeat(fault, count), itertools.repeat(None))
    return lambda call: next(left) if not operations or call.operation in operations else None


def push(client, *, patches=2):
    """Push an image as clients do, in pieces of the layer; return the first answer that is no success, or the last."""
    for content, pieces in ((CONFIG, 0), (BLOB, patches)):
        answer = client.request("POST", "/v2/a/blobs/uploads/", b"")
        if answer.status != 202:
            return answer
        location, size = answer.headers["Location"], len(content) // max(1, pieces)
        for number in range(pieces):
            answer = client.request("PATCH", location, content[number * size : (number + 1) * size])
            if answer.status != 202:
                return answer
        rest = content[pieces * size :]
        answer = client.request("PUT", with_query(location, digest=digest_of(content)), rest)
        if answer.status != 201:
            return answer
    manifest = image_manifest(digest_of(CONFIG), digest_of(BLOB))
    return client.request("PUT", "/v2/a/manifests/v1", manifest, {"Content-Type": mediatypes.OCI_MANIFEST})


def check_nothing_dangles(healthy):
    """What can be reached is whole: tags, manifests, blobs."""
    client = InProcess(stack_over(healthy))
    for content in (CONFIG, BLOB):
        answer = client.blob("a", digest_of(content))
        assert answer.status in (200, 404)
        assert answer.status == 404 or answer.body == content
    answer = client.manifest("a", "v1")
    assert answer.status in (200, 404)
    if answer.status == 200:
        for each in [json.loads(answer.body)["config"], *json.loads(answer.body)["layers"]]:
            assert digest_of(client.blob("a", each["digest"]).body) == each["digest"]


OPERATIONS = ("PutObject", "UploadPart", "CompleteMultipartUpload", "GetObject", "HeadObject", "ListObjects")
WRITING = ("PutObject", "UploadPart", "CompleteMultipartUpload", "UploadPartCopy", "CopyObject")
chance = random.Random(6)
FEW = {pair: chance.random() < 0.12 for pair in itertools.product({**dict.fromkeys([*OPERATIONS, *WRITING])}, FAULTS)}


def pairs(operations, names):
    """Return every operation with every fault; those that `make test` has no time for are for soak."""
    return [
        pytest.param(*pair, marks=() if FEW[pair] and pair[1] != "timeout" else pytest.mark.soak)
        for pair in itertools.product(operations, names)
    ]


@pytest.mark.parametrize(("operation", "name"), pairs(OPERATIONS, PASSING))
def test_a_fault_that_passes_is_not_noticed(client, proxy, healthy, operation, name):
    proxy.fault = times(PASSING[name], 2, operation)
    assert push(client).status == 201
    check_nothing_dangles(healthy)
    assert client.blob("a", digest_of(BLOB)).body == BLOB


@pytest.mark.parametrize(("operation", "name"), pairs(WRITING, FAULTS))
def test_a_fault_that_stays_is_a_503_and_a_later_try_succeeds(client, proxy, healthy, caplog, operation, name):
    client.push_blob("other", b"so that there is something")
    proxy.fault = lambda call: FAULTS[name] if call.operation == operation else None
    answer = push(client)
    if answer.status != 201:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5"), answer
        assert answer.json()["errors"][0]["code"] == "UNAVAILABLE"
        assert "s3: /docker/registry/v2/" in caplog.text
    check_nothing_dangles(healthy)
    proxy.fault = lambda call: None
    assert push(client).status == 201
    assert client.blob("a", digest_of(BLOB)).body == BLOB
    check_nothing_dangles(healthy)


def test_expired_credentials_and_a_wrong_clock_are_named_in_the_log(client, proxy, caplog):
    for fault, said in (("expired", "the credentials have expired"), ("skewed", "the clocks of this host")):
        proxy.fault = lambda call, fault=fault: FAULTS[fault]
        assert client.manifest("a", "v1").status == 503
        assert said in caplog.text


def test_a_stream_that_is_cut_goes_on_where_it_was(driver, healthy, proxy):
    healthy.put_content(CTX, "/a", BLOB)
    proxy.fault = times(CUT, 2, "GetObject")
    assert read(driver, CTX, "/a") == BLOB
    assert proxy.counts["GetObject"] == 3


def test_a_stream_that_is_cut_gives_nothing_of_another_content(driver, healthy, proxy):
    healthy.put_content(CTX, "/a", BLOB)
    proxy.fault = times(CUT, 1, "GetObject")
    with closing(driver.reader(CTX, "/a")) as reader:
        parts = [reader.read(1000)]
        healthy.put_content(CTX, "/a", seeded(len(BLOB), 1))
        with pytest.raises(DriverError):
            parts += iter(lambda: reader.read(2**20), b"")
    assert BLOB.startswith(b"".join(parts))


def test_a_small_object_that_is_cut_is_read_again(driver, healthy, proxy):
    healthy.put_content(CTX, "/a", b"content")
    proxy.fault = times(CUT, 2, "GetObject")
    assert driver.get_content(CTX, "/a") == b"content"
    proxy.fault = lambda call: CUT
    with pytest.raises(DriverError, match="s3: /a: GetObject"):
        driver.get_content(CTX, "/a")


def test_of_an_object_whose_writer_was_killed_after_the_head_nothing_is_stored(driver, healthy, proxy):
    healthy.put_content(CTX, "/old", b"before")
    proxy.fault = lambda call: HEAD_ALONE if call.operation == "PutObject" else None
    for path in ("/old", "/new"):
        with pytest.raises(DriverError):
            driver.put_content(CTX, path, b"after")
    assert healthy.get_content(CTX, "/old") == b"before"
    with pytest.raises(PathNotFound):
        healthy.stat(CTX, "/new")


def test_a_store_whose_conditions_fail_what_matches_can_be_used(driver, proxy):
    """As Ceph before 20 does."""
    write(driver, CTX, "/a", b"one ")
    proxy.fault = lambda call: Answer(412, "PreconditionFailed") if _is_state(call) and call.number % 2 else None
    write(driver, CTX, "/a", b"two ", append=True)
    proxy.fault = lambda call: None
    write_and_commit(driver, CTX, "/a", b"three", append=True)
    assert driver.get_content(CTX, "/a") == b"one two three"


def test_a_store_without_conditions_can_be_used(driver, proxy):
    """As Swift has none."""
    refused = set()

    def fault(call):
        # Each state is put with a condition, and put again without.
        if _is_state(call) and (len(refused) == 0 or call.number > max(refused) + 1):
            refused.add(call.number)
            return Answer(501, "NotImplemented")
        return None

    proxy.fault = fault
    write(driver, CTX, "/a", b"one ")
    write_and_commit(driver, CTX, "/a", b"two", append=True)
    assert refused
    assert driver.get_content(CTX, "/a") == b"one two"


def test_a_missing_bucket_is_a_failure_and_no_missing_blob(section):
    driver = S3Driver(**section | {"bucket": "absent"})
    with pytest.raises(DriverError, match="there is no such bucket") as caught:
        driver.get_content(CTX, "/a")
    assert not isinstance(caught.value, PathNotFound)


def test_a_store_that_is_away_is_a_503(section, free_endpoint):
    client = InProcess(stack_over(S3Driver(**section | {"regionendpoint": free_endpoint})))
    answer = client.manifest("a", "v1")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def _is_state(call):
    return call.operation == "PutObject" and call.key.endswith(("~upload", "%7Eupload"))
