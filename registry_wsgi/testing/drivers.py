"""The conformance suite of storage drivers.

    class TestMyDriver(StorageDriverSuite):
        @pytest.fixture
        def driver(self):
            ...  # a driver over an empty store, emptied again after the test

It holds what the suite of distribution 2.8 checks, and what its authors took for granted. The tests marked
`soak` need minutes and gigabytes: register the marker, and leave them out with `-m "not soak"`.
"""

from __future__ import annotations

from registry_wsgi.testing._drivers_content import ContentSuite
from registry_wsgi.testing._drivers_pages import PagesSuite
from registry_wsgi.testing._drivers_paths import PathsSuite
from registry_wsgi.testing._drivers_probes import ProbesSuite
from registry_wsgi.testing._drivers_readers import ReadersSuite
from registry_wsgi.testing._drivers_staging import StagingSuite
from registry_wsgi.testing._drivers_tree import TreeSuite
from registry_wsgi.testing._drivers_writers import WritersSuite

__all__ = ["StorageDriverSuite"]


class StorageDriverSuite(
    PathsSuite, ContentSuite, ReadersSuite, WritersSuite, TreeSuite, PagesSuite, ProbesSuite, StagingSuite
):
    """What a `StorageDriver` has to do. Subclass it and give a fixture:

    * `driver`: a driver over a store that is empty;
    * `other_driver`, if there can be one: a second driver over the same store, as another process would have it.

    What a driver is able to do beyond the interface (`OrderedLister`, `Probing`, `Staging`) is tested where it has the
    methods.

    A subclass may say what its store cannot do otherwise:

    * `has_directories = False`: `/a` and `/a/b` can both be files, and a directory goes file by file;
    * `shows_unfinished_writes = False`: what is not committed cannot be deleted, moved or replaced;
    * `modified_resolution`: the seconds after which a change has a later time, 1.1 unless said;
    * `soak_stream_size`: the bytes of the longest stream of the soak tests, 5 GiB unless said.
    """
