"""Fixtures for all tests: the databases that tables are tested on."""

pytest_plugins = ["databases"]
