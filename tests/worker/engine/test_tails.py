"""What a follower is handed of a stream, whatever order word of the commits comes in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_studio.worker.engine import tails
from workflow_studio.worker.engine.tails import Part, Tail, Tails
from workflow_studio.worker.parts import Growth

NAME = "strm_1_user"


def grown(first, *chunks, closed=False, name=NAME):
    return Growth(name, first, chunks, closed)


@pytest.fixture
def tail():
    """A tail whose follower has read all there is: nothing."""
    made = Tail()
    assert made.take(0) is None
    return made


def test_what_follows_is_handed_over_once(tail):
    tail.grow(grown(0, b"a", b"b"))
    tail.grow(grown(2, b"c"))
    assert tail.take(0) == Part([b"a", b"b", b"c"], ends=False)
    assert tail.take(3) == Part([], ends=False)
    tail.grow(grown(3, closed=True))
    assert tail.take(3) == Part([], ends=True)


def test_what_was_read_meanwhile_is_not_handed_over(tail):
    tail.grow(grown(0, b"a", b"b", b"c"))
    assert tail.take(2) == Part([b"c"], ends=False)


def test_chunks_that_are_missing_or_told_of_without_their_content_must_be_read(tail):
    tail.grow(grown(1, b"b"))
    assert tail.take(0) is None
    tail.set()
    assert tail.take(2) is None
    assert tail.take(2) == Part([], ends=False)


def test_a_slow_follower_is_not_kept_for(tail, monkeypatch):
    monkeypatch.setattr(tails, "MAX_HELD", 3)
    for index in range(10):
        tail.grow(grown(index, b"xx"))
        assert len(tail._chunks) <= 1
    assert tail.take(0) is None
    tail.grow(grown(10, b"y"))
    assert tail.take(10) == Part([b"y"], ends=False)


async def test_all_who_listen_to_a_stream_hear_of_it_and_no_others():
    grown_streams = Tails()
    deadline = asyncio.get_running_loop().time()
    with (
        grown_streams.following(NAME) as one,
        grown_streams.following("other") as other,
        grown_streams.listening(NAME) as listener,
    ):
        one.take(0)
        other.take(0)
        grown_streams.grow(grown(0, b"a"))
        assert await one.wait_until(deadline + 60)
        assert await listener.wait_until(deadline + 60)
        assert one.take(0) == Part([b"a"], ends=False)
        assert not await other.wait_until(deadline)
        assert grown_streams.listeners == 3
    assert grown_streams.listeners == 0


@dataclass
class Followed:
    """A stream, word of it that is on its way, and one who follows it."""

    tail: Tail = field(default_factory=Tail)
    stored: list[bytes] = field(default_factory=list)
    closed: bool = False
    words: list[Growth | None] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)
    done: bool = False
    must_read: bool = False

    def write(self, chunks, closes, told):
        """Store chunks; word of it will come, with them if they were stored here."""
        if not self.closed:
            new = [b"%d" % (len(self.stored) + number) for number in range(chunks)]
            self.words.append(grown(len(self.stored), *new, closed=closes) if told else None)
            self.stored += new
            self.closed = closes

    def hear(self, which):
        """Have a word arrive; the oldest need not be the first."""
        if self.words:
            word = self.words.pop(which % len(self.words))
            if word is None:
                self.tail.set()
            else:
                self.tail.grow(word)

    def follow(self, limit, during):
        """Take what there is or read it, as a follower does that was woken."""
        part = None if self.must_read else self.tail.take(len(self.seen))
        if part is None:
            at = len(self.seen)
            chunks, count, closed = self.stored[at : at + limit], len(self.stored), self.closed
            for which in during:
                self.hear(which)
            is_all = at + len(chunks) >= count
            part = Part(chunks, ends=closed and is_all, more=not is_all)
        self.seen += part.chunks
        assert self.seen == self.stored[: len(self.seen)]
        self.done = self.done or part.ends
        self.must_read = part.more
        return part.more


WRITES = st.tuples(st.just("write"), st.integers(0, 3), st.sampled_from([False] * 7 + [True]), st.booleans())
HEARS = st.tuples(st.just("hear"), st.integers(0, 5))
FOLLOWS = st.tuples(st.just("follow"), st.integers(1, 4), st.lists(st.integers(0, 5), max_size=3))


@settings(max_examples=300, deadline=None)
@given(st.lists(WRITES | HEARS | FOLLOWS, max_size=40))
def test_a_follower_gets_every_chunk_once_and_in_order(actions):
    followed = Followed()
    for name, *arguments in actions:
        getattr(followed, name)(*arguments)
    while followed.words:
        followed.hear(-1)
        # Whoever is woken goes on until nothing more is there to be read.
        while followed.follow(2, ()):
            pass
    while followed.follow(2, ()):
        pass
    assert followed.seen == followed.stored
    assert followed.done == followed.closed
