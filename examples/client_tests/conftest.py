pytest_plugins = ["registry_wsgi.testing.pytest_plugin"]
