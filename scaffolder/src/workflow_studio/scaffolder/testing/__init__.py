"""The test kit: a worker that lives as long as the tests, the plugin for pytest, ``studio test-worker``."""
