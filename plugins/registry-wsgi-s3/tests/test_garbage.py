"""Garbage collection in a bucket."""

from __future__ import annotations

from registry_wsgi_s3 import S3Driver

from tests.garbage.over import check_collection_over


def test_what_nobody_uses_is_deleted_from_a_bucket(seaweed):
    check_collection_over(S3Driver(**seaweed.section("garbage")))
