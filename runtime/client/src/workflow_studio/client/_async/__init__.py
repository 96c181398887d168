"""The methods of the client for asyncio, by what they are about.

The package ``_sync`` is made from this one: ``python -m tests.support.blocking_client --write``.
"""
