"""Every call as data: what is sent, and what comes back. No I/O, so both clients share it."""
