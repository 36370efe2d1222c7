"""Two hosts of two workers each over one bucket and one Redis: nothing sticks to a process, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
import yaml

from registry_wsgi import mediatypes
from registry_wsgi.testing._drivers_case import seeded
from tests import servers
from tests.redis_servers import RedisServer
from tests.stack import image_manifest
from tests.wire import Client, digest_of, with_query

EXAMPLE = Path(__file__).parents[3] / "examples" / "many_hosts" / "config.yml"
CONFIG = b"{}"


class Host:
    """A server with two workers, started again on a new port after it was killed."""

    def __init__(self, section, factory):
        self.section = section
        self.factory = factory
        self.server = None
        self.start()

    def start(self):
        work = self.factory.mktemp("host")
        self.server = servers.start(
            "gthread", work / "unused", work, sections=self.section, arguments=("--workers", "2", "--timeout", "120")
        )

    def workers(self):
        return psutil.Process(self.server.process.pid).children()


@pytest.fixture
def hosts(seaweed, tmp_path_factory):
    example = yaml.safe_load(EXAMPLE.read_text())
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    section = {
        "storage": {
            **example["storage"],
            "s3": example["storage"]["s3"] | seaweed.section(f"/hosts/{time.time()}", uploadlease=2),
        },
        "redis": example["redis"] | {"addr": redis.address, "password": ""},
    }
    with ExitStack() as stack:
        redis.start()
        stack.callback(redis.stop)
        hosts = []
        for _ in range(2):
            hosts.append(Host(section, tmp_path_factory))
            stack.callback(hosts[-1].server.kill)
        yield hosts
        for host in hosts:
            host.server.kill()


class Anywhere:
    """A client whose every request goes to some host, on a new connection and so to some worker of it."""

    def __init__(self, hosts, seed):
        self.hosts = hosts
        self.chance = random.Random(seed)

    def request(self, *arguments):
        return Client(self.chance.choice(self.hosts).server.url).request(*arguments)

    def push(self, name, tag, layer):
        """Push an image in pieces; return its digest. Raises AssertionError, OSError."""
        for content, cuts in ((CONFIG, 1), (layer, 3)):
            answer = self.request("POST", f"/v2/{name}/blobs/uploads/", b"")
            assert answer.status == 202, answer
            location = answer.headers["Location"]
            size = -(-len(content) // cuts)
            for start in range(0, len(content), size):
                answer = self.request("PATCH", location, content[start : start + size])
                assert answer.status == 202, answer
            answer = self.request("PUT", with_query(location, digest=digest_of(content)), b"")
            assert answer.status == 201, answer
        manifest = image_manifest(digest_of(CONFIG), digest_of(layer))
        answer = self.request("PUT", f"/v2/{name}/manifests/{tag}", manifest, {"Content-Type": mediatypes.OCI_MANIFEST})
        assert answer.status == 201, answer
        return answer.digest


def pushed(hosts, number, size):
    """Push one image until a push of it is acknowledged, and pull it; return its name, its digest and its layer."""
    name, layer = f"image/{number % 7}", seeded(size, number)
    client = Anywhere(hosts, number)
    deadline = time.monotonic() + 240
    digest = ""
    while not digest:
        assert time.monotonic() < deadline
        with suppress(AssertionError, OSError):
            digest = client.push(name, f"v{number}", layer)
    # What was acknowledged may be out of reach for a moment, but is never unknown.
    for kind, reference in (("manifests", f"v{number}"), ("manifests", digest), ("blobs", digest_of(layer))):
        while not answered(client, f"/v2/{name}/{kind}/{reference}"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    return name, digest, layer


def answered(client, target):
    """Tell whether some host answers; one that is killed meanwhile, or that its store leaves alone, does not."""
    try:
        status = client.request("GET", target).status
    except (OSError, EOFError, HTTPException):
        return False
    assert status in (200, 307, 503)
    return status != 503


def check_whole(hosts, images):
    for host in hosts:
        client = Client(host.server.url)
        for number, (name, digest, layer) in images.items():
            assert client.manifest(name, f"v{number}").digest == digest
            assert client.manifest(name, digest).status == 200
            assert fetched(client, name, layer) == layer


def fetched(client, name, layer):
    """Return the blob as the client gets it: from the store, where it is sent."""
    answer = client.blob(name, digest_of(layer))
    assert answer.status == 307
    with urlopen(answer.headers["Location"]) as found:
        return found.read()


def push_all(hosts, count, disturb):
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(pushed, hosts, number, 200_000 + 50_000 * (number % 9)) for number in range(count)]
        disturber = threading.Thread(target=disturb)
        disturber.start()
        images = {number: future.result() for number, future in enumerate(futures)}
        disturber.join()
    return images


def kill_some(hosts, rounds):
    """Kill a worker, then a whole host, and start it again; so many times."""
    chance = random.Random(1)
    for _ in range(rounds):
        time.sleep(1)
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            os.kill(chance.choice(hosts[0].workers()).pid, signal.SIGKILL)
        time.sleep(1)
        hosts[1].server.kill()
        hosts[1].start()


def deleted_is_deleted(hosts, images):
    """Delete through one host; within a second no other serves it, whatever its workers told each other of links."""
    for number, (name, digest, layer) in list(images.items())[:6]:
        first, second = (Client(host.server.url) for host in (hosts[number % 2], hosts[1 - number % 2]))
        for client in (first, second) * 2:
            assert client.manifest(name, digest).status == 200
            assert client.blob(name, digest_of(layer)).status == 307
        assert first.delete(name, "manifests", digest) == 202
        assert first.delete(name, "blobs", digest_of(layer)) == 202
        time.sleep(1)
        for client in (first, second) * 3:
            assert client.manifest(name, digest).status == 404
            assert client.manifest(name, f"v{number}").status == 404
            assert client.blob(name, digest_of(layer)).status == 404
        del images[number]


def tags_never_go_back(hosts, rounds):
    """Move a tag forward while all hosts are asked where it points: whoever saw a later image never sees an earlier."""
    client = Anywhere(hosts, 5)
    order = {}
    acknowledged = [-1]
    over = threading.Event()

    def look(seed):
        asked = Anywhere(hosts, seed)
        while not over.is_set():
            least = acknowledged[0]
            answer = asked.request("HEAD", "/v2/moving/manifests/latest", None, {"Accept": mediatypes.OCI_MANIFEST})
            if answer.status == 200:
                assert order[answer.digest] >= least
            else:
                assert (answer.status, least) == (404, -1)

    payloads = []
    client.push("moving", "first", b"layer")
    for number in range(rounds):
        payloads.append(image_manifest(digest_of(CONFIG), digest_of(b"layer"), annotations={"number": str(number)}))
        order[digest_of(payloads[-1])] = number
    with ThreadPoolExecutor(3) as pool:
        looks = [pool.submit(look, seed) for seed in range(3)]
        try:
            for number, payload in enumerate(payloads):
                headers = {"Content-Type": mediatypes.OCI_MANIFEST}
                assert client.request("PUT", "/v2/moving/manifests/latest", payload, headers).status == 201
                acknowledged[0] = number
        finally:
            over.set()
        for each in looks:
            each.result()


def test_thirty_pushes_and_pulls_through_two_hosts_that_are_killed(hosts):
    images = push_all(hosts, 30, lambda: kill_some(hosts, 1))
    check_whole(hosts, images)
    deleted_is_deleted(hosts, images)
    tags_never_go_back(hosts, 10)
    check_whole(hosts, images)


@pytest.mark.soak
def test_two_hundred_pushes_and_pulls_through_two_hosts_that_are_killed(hosts):
    images = push_all(hosts, 200, lambda: kill_some(hosts, 8))
    check_whole(hosts, images)
    deleted_is_deleted(hosts, images)
    tags_never_go_back(hosts, 60)
    check_whole(hosts, images)
