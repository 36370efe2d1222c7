"""The example files that registry:2 ships, written anew: what each gives, and what it is warned of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry_wsgi.config import Cache, Configuration, HealthCheck, load
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = """
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""

DEVELOPMENT = """
version: 0.1
log:
  level: debug
  fields:
    service: registry
    environment: development
  hooks:
    - type: mail
      disabled: true
      levels:
        - panic
      options:
        smtp:
          addr: mail.example.com:25
          username: mailuser
          password: password
          insecure: true
        from: sender@example.com
        to:
          - errors@example.com
storage:
  delete:
    enabled: true
  cache:
    blobdescriptor: redis
  filesystem:
    rootdirectory: /var/lib/registry
  maintenance:
    uploadpurging:
      enabled: false
http:
  addr: :5000
  debug:
    addr: :5001
    prometheus:
      enabled: true
      path: /metrics
  headers:
    X-Content-Type-Options: [nosniff]
redis:
  addr: localhost:6379
  pool:
    maxidle: 16
    maxactive: 64
    idletimeout: 300s
  dialtimeout: 10ms
  readtimeout: 10ms
  writetimeout: 10ms
notifications:
  events:
    includereferences: true
  endpoints:
    - name: local-5003
      url: http://localhost:5003/callback
      headers:
        Authorization: [Bearer <an example token>]
      timeout: 1s
      threshold: 10
      backoff: 1s
      disabled: true
    - name: local-8083
      url: http://localhost:8083/callback
      timeout: 1s
      threshold: 10
      backoff: 1s
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""

CACHE = """
version: 0.1
log:
  level: info
storage:
  cache:
    layerinfo: inmemory
  filesystem:
    rootdirectory: /var/lib/registry-cache
  maintenance:
    uploadpurging:
      enabled: false
http:
  addr: :5000
  secret: asecretforlocaldevelopment
proxy:
  remoteurl: https://registry.example.com
  username: username
  password: password
"""

OLDEST = """
version: 0.1
loglevel: debug
storage: inmemory
"""

EVERYTHING = """
version: 0.1
log:
  accesslog:
    disabled: true
  level: debug
  formatter: text
  fields:
    service: registry
    environment: staging
storage:
  s3:
    accesskey: awsaccesskey
    secretkey: awssecretkey
    region: us-west-1
    bucket: bucketname
    encrypt: true
    chunksize: 5242880
    rootdirectory: /s3/object/name/prefix
  delete:
    enabled: false
  redirect:
    disable: false
  cache:
    blobdescriptor: inmemory
    blobdescriptorsize: 500
  tag:
    concurrencylimit: 8
  maintenance:
    uploadpurging:
      enabled: true
      age: 168h
      interval: 24h
      dryrun: false
    readonly:
      enabled: true
auth:
  none:
middleware:
  registry:
    - name: ARegistryMiddleware
      options:
        foo: bar
  storage:
    - name: cloudfront
      options:
        baseurl: https://my.cloudfronted.domain.com/
        privatekey: /path/to/pem
        keypairid: cloudfrontkeypairid
        duration: 3000s
http:
  addr: localhost:5000
  net: tcp
  prefix: /my/nested/registry/
  host: https://myregistryaddress.org:5000
  secret: asecretforlocaldevelopment
  relativeurls: false
  draintimeout: 60s
  tls:
    certificate: /path/to/x509/public
    key: /path/to/x509/private
    minimumtls: tls1.2
  headers:
    X-Content-Type-Options: [nosniff]
  http2:
    disabled: false
  h2c:
    enabled: false
health:
  file:
    - file: /path/to/checked/file
      interval: 10s
  http:
    - uri: http://server.to.check/must/return/200
      headers:
        Authorization: [Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==]
      statuscode: 200
      timeout: 3s
      interval: 10s
      threshold: 3
  tcp:
    - addr: redis-server.domain.com:6379
      timeout: 3s
      interval: 10s
      threshold: 3
validation:
  manifests:
    indexes:
      platforms: all
catalog:
  maxentries: 50
tags:
  maxtags: 60
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.yml"


def loaded(file: Path, text: str) -> Configuration:
    file.write_text(text)
    return load(file, {})


def unsupported(*keys: str) -> tuple[str, ...]:
    return tuple(f"{key} is not supported yet and has no effect" for key in keys)


def test_the_file_of_the_image(file: Path) -> None:
    config = loaded(file, EXAMPLE)
    assert (config.storage.driver, config.storage.parameters) == ("filesystem", {"rootdirectory": "/var/lib/registry"})
    assert config.storage.cache == Cache("inmemory", {"size": 10000})
    assert config.http.headers == {"X-Content-Type-Options": ("nosniff",)}
    assert (config.http.interface, config.http.port) == ("0.0.0.0", 5000)
    assert config.log.fields == {"service": "registry"}
    assert not config.storage.delete_enabled
    assert config.health.checks == (HealthCheck("storagedriver", "", 10.0, 3),)
    assert config.warnings == ()


def test_the_file_for_development(file: Path) -> None:
    config = loaded(file, DEVELOPMENT)
    assert config.log.level == "debug"
    assert config.storage.delete_enabled
    redis = {
        "addr": "localhost:6379",
        "pool": {"maxactive": 64},
        "dialtimeout": 0.01,
        "readtimeout": 0.01,
        "writetimeout": 0.01,
    }
    assert config.storage.cache == Cache("redis", redis, section="redis")
    assert config.warnings == unsupported(
        "redis.pool.maxidle",
        "redis.pool.idletimeout",
    )
    assert config.notifications.include_references
    assert [endpoint.name for endpoint in config.notifications.endpoints] == ["local-8083"]


def test_the_file_of_a_pull_through_cache_is_refused(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^proxy\.remoteurl: serving another registry's content is not"):
        loaded(file, CACHE)


def test_the_file_of_the_first_releases(file: Path) -> None:
    config = loaded(file, OLDEST)
    assert (config.log.level, config.storage.driver) == ("debug", "inmemory")
    assert config.warnings == ("loglevel is deprecated: write log.level",)


def test_a_file_with_nearly_every_key(file: Path) -> None:
    config = loaded(file, EVERYTHING)
    assert config.storage.driver == "s3"
    assert config.storage.parameters["chunksize"] == 5242880
    assert config.storage.cache == Cache("inmemory", {"size": 500})
    assert config.storage.readonly_enabled
    assert (config.http.prefix, config.http.host) == ("/my/nested/registry/", "https://myregistryaddress.org:5000")
    assert not config.http.relativeurls
    assert config.http.draintimeout == 60.0
    assert config.http.tls
    assert (config.catalog_maxentries, config.tags_maxtags) == (50, 60)
    assert [(each.kind, each.threshold, each.timeout) for each in config.health.checks] == [
        ("file", 1, 0.0),
        ("http", 3, 3.0),
        ("tcp", 3, 3.0),
    ]
    assert sorted(config.warnings) == sorted(
        unsupported(
            "storage.tag",
            "middleware.registry[0]",
        )
    )
