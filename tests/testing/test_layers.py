"""The suite of layers, passed by those that this project has and that need nothing else."""

from __future__ import annotations

import pytest

from registry_wsgi import plugins
from registry_wsgi.middleware.compose import Layer
from registry_wsgi.testing.layers import LayerSuite
from tests.testing.test_faults import EVERY_LAYER


@pytest.mark.parametrize("name", EVERY_LAYER)
class TestFaults(LayerSuite):
    @pytest.fixture
    def layer(self, name: str) -> Layer:
        return Layer(name, plugins.load(plugins.MIDDLEWARE, name, key=name), EVERY_LAYER[name])
