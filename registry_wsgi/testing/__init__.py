"""Conformance suites for plugin authors: subclass one, give one fixture."""
