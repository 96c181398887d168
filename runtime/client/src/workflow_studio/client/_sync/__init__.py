# Made from _async/__init__.py by tests.support.blocking_client; change that.

"""The methods of the client that blocks, by what they are about."""
