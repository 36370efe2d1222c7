"""Layers that make a registry fail, or be as odd as others are, for tests of clients.

Each is an entry point of `registry_wsgi.middleware`, so a configuration can name it as any other layer; a test adds it
to the registry of `registry_wsgi.testing.pytest_plugin`. What is called a fault breaks something for the requests that
it is told to strike; a quirk is what a client has to live with, for some registry has it. docs/testing.md lists them.
"""
