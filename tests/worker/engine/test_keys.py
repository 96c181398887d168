from __future__ import annotations

import asyncio

import pytest

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.engine import EngineError, NewKey, SeedApiKey
from workflow_studio.worker.engine.keys import KeyExpiredError
from workflow_studio.worker.ports import IdempotencyKey

DAY = 24 * 60 * 60 * 1000
ADMIN = NewKey("p", "e", ["admin"])
READER = NewKey("p", "e", ["runs:read"], name="reader")


def seed(key_id, secret, *scopes):
    return SeedApiKey(key_id, "p", "e", scopes or ("runs:read",), secret)


async def refused(call):
    with pytest.raises(EngineError) as refusal:
        await call
    assert refusal.value.recovery
    return refusal.value.code


async def test_a_created_key_opens_until_it_is_revoked(engine):
    key, secret = await engine.keys.create(READER)
    assert (await engine.keys.verify(secret)).key_id == key.key_id
    assert await engine.keys.count() == 1
    assert (await engine.keys.revoke(key.key_id)).revoked_at is not None
    assert await engine.keys.verify(secret) is None
    assert await engine.keys.count() == 0
    assert (await engine.keys.revoke(key.key_id)).revoked_at is not None


async def test_a_wrong_secret_opens_nothing(engine):
    _, secret = await engine.keys.create(ADMIN)
    for wrong in ("", secret[:-1], secret + "x", secret.upper(), "\x00", "é", "\ud800"):
        assert await engine.keys.verify(wrong) is None


async def test_a_secret_is_nowhere_in_the_database(engine, place):
    seeded = SeedApiKey("a-key", "p", "e", ("admin",), "a-long-seeded-secret-value")
    await engine.keys.seed([seeded])
    repeat = IdempotencyKey("p", "POST /v1/keys", "k", "digest")
    key, secret = await engine.keys.create(ADMIN, repeat=repeat)
    again, nothing = await engine.keys.create(ADMIN, repeat=repeat)
    assert (again.key_id, nothing) == (key.key_id, None)
    stored = place.content()
    assert b"a-key" in stored
    assert secret.encode() not in stored
    assert seeded.secret.encode() not in stored
    assert seeded.secret not in repr(seeded)


async def test_an_expired_key_is_refused_at_the_millisecond_even_if_it_was_just_used(engine, clock):
    key, secret = await engine.keys.create(NewKey("p", "e", ["admin"], expires_at=clock.now + 1000))
    clock.tick(999)
    assert (await engine.keys.verify(secret)).key_id == key.key_id
    clock.tick(1)
    with pytest.raises(KeyExpiredError, match=key.key_id):
        await engine.keys.verify(secret)
    assert await engine.keys.count() == 0


async def test_a_key_that_would_have_expired_already_is_not_made(engine, clock):
    for expires_at in (clock.now, clock.now - 1, 0):
        code = await refused(engine.keys.create(NewKey("p", "e", ["admin"], expires_at=expires_at)))
        assert code is ErrorCode.INVALID_REQUEST
    assert await engine.keys.count() == 0


async def test_a_key_is_looked_up_once_a_second_at_most_and_forgotten_when_keys_change(engine, database, monkeypatch):
    reads = []
    read = database.read

    async def counting(work):
        reads.append(work)
        return await read(work)

    monkeypatch.setattr(database, "read", counting)
    now = 0.0
    monkeypatch.setattr(engine.keys, "_monotonic", lambda: now)
    key, secret = await engine.keys.create(READER)
    for _ in range(5):
        await engine.keys.verify(secret)
    assert len(reads) == 1
    now = 1.0
    await engine.keys.verify(secret)
    assert len(reads) == 2
    await engine.keys.revoke(key.key_id)
    assert await engine.keys.verify(secret) is None


async def test_a_look_up_that_a_revocation_overtakes_is_not_remembered(engine, database, monkeypatch):
    key, secret = await engine.keys.create(READER)
    read = database.read
    looked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(work):
        found = await read(work)
        looked.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(database, "read", slow)
    verifying = asyncio.ensure_future(engine.keys.verify(secret))
    await looked.wait()
    monkeypatch.setattr(database, "read", read)
    await engine.keys.revoke(key.key_id)
    go_on.set()
    await verifying
    assert await engine.keys.verify(secret) is None


async def test_the_last_use_is_noted_to_the_minute_with_one_write_a_minute(engine, database, clock, monkeypatch):
    clock.now -= clock.now % 60_000
    key, secret = await engine.keys.create(READER)
    writes = []
    write = database.write

    async def counting(work):
        writes.append(work)
        return await write(work)

    monkeypatch.setattr(database, "write", counting)
    clock.tick(59_999)
    for _ in range(3):
        await engine.keys.verify(secret)
    assert len(writes) == 1
    assert (await engine.keys.get(key.key_id)).last_used_at == clock.now - 59_999
    clock.tick(1)
    await engine.keys.verify(secret)
    assert len(writes) == 2
    assert (await engine.keys.get(key.key_id)).last_used_at == clock.now


async def test_a_rotated_key_goes_on_beside_the_new_one_for_a_while(engine, clock):
    old, old_secret = await engine.keys.create(READER)
    new, secret, until = await engine.keys.rotate(old.key_id, overlap_ms=DAY, created_by="boss")
    assert until == clock.now + DAY
    assert (new.replaces, new.name, new.scopes, new.project_id, new.environment, new.created_by) == (
        old.key_id,
        "reader",
        old.scopes,
        "p",
        "e",
        "boss",
    )
    assert secret != old_secret
    clock.tick(DAY - 1)
    assert (await engine.keys.verify(old_secret)).key_id == old.key_id
    assert (await engine.keys.verify(secret)).key_id == new.key_id
    clock.tick(1)
    with pytest.raises(KeyExpiredError):
        await engine.keys.verify(old_secret)
    assert (await engine.keys.verify(secret)).key_id == new.key_id


async def test_without_overlap_the_old_key_ends_at_once(engine):
    old, old_secret = await engine.keys.create(READER)
    await engine.keys.verify(old_secret)
    await engine.keys.rotate(old.key_id, overlap_ms=0)
    with pytest.raises(KeyExpiredError):
        await engine.keys.verify(old_secret)


async def test_a_rotation_never_lengthens_a_life_and_the_new_key_gets_one_as_long(engine, clock):
    old, _ = await engine.keys.create(NewKey("p", "e", ["admin"], expires_at=clock.now + 10 * DAY))
    clock.tick(9 * DAY + DAY // 2)
    new, _, until = await engine.keys.rotate(old.key_id, overlap_ms=DAY)
    assert until == old.expires_at
    assert new.expires_at == clock.now + 10 * DAY


async def test_what_does_not_work_any_more_or_is_not_ours_is_not_rotated(engine):
    key, _ = await engine.keys.create(READER)
    await engine.keys.revoke(key.key_id)
    await engine.keys.seed([seed("s", "a-long-seeded-secret-value")])
    assert await refused(engine.keys.rotate(key.key_id, overlap_ms=0)) is ErrorCode.KEY_NOT_LIVE
    assert await refused(engine.keys.rotate("s", overlap_ms=0)) is ErrorCode.KEY_FROM_SETTINGS
    assert await refused(engine.keys.rotate("nope", overlap_ms=0)) is ErrorCode.KEY_NOT_FOUND
    assert await refused(engine.keys.revoke("nope")) is ErrorCode.KEY_NOT_FOUND


async def test_the_last_admin_key_is_revoked_only_by_force(engine, clock):
    first, _ = await engine.keys.create(ADMIN)
    await engine.keys.create(READER)
    await engine.keys.create(NewKey("p", "e", ["admin"], expires_at=clock.now + 1))
    clock.tick(1)
    assert await refused(engine.keys.revoke(first.key_id)) is ErrorCode.LAST_ADMIN_KEY
    second, _ = await engine.keys.create(ADMIN)
    await engine.keys.revoke(first.key_id)
    assert await refused(engine.keys.revoke(second.key_id)) is ErrorCode.LAST_ADMIN_KEY
    assert (await engine.keys.revoke(second.key_id, force=True)).revoked_at == clock.now


async def test_two_admins_that_revoke_each_other_do_not_both_succeed(engine):
    keys = [(await engine.keys.create(ADMIN))[0].key_id for _ in range(2)]
    results = await asyncio.gather(*map(engine.keys.revoke, keys), return_exceptions=True)
    assert sum(isinstance(result, EngineError) for result in results) == 1
    assert await engine.keys.count() == 1


async def test_keys_are_listed_by_project_environment_and_state_page_by_page(engine, clock):
    ids = []
    for number in range(5):
        clock.tick(1)
        key, _ = await engine.keys.create(NewKey("ab"[number % 2], "e", ["admin"], expires_at=clock.now + 1000))
        ids.insert(0, key.key_id)
    await engine.keys.revoke(ids[0])
    first, cursor = await engine.keys.list(2)
    rest, end = await engine.keys.list(10, cursor)
    assert [key.key_id for key in [*first, *rest]] == ids
    assert end is None
    assert [key.key_id for key in (await engine.keys.list(10, project_id="b"))[0]] == ids[1::2]
    assert (await engine.keys.list(10, environment="other"))[0] == []
    assert [key.key_id for key in (await engine.keys.list(10, state="revoked"))[0]] == ids[:1]
    assert [key.key_id for key in (await engine.keys.list(10, state="live"))[0]] == ids[1:]
    clock.tick(1000)
    assert (await engine.keys.list(10, state="live"))[0] == []
    assert [key.key_id for key in (await engine.keys.list(10, state="expired"))[0]] == ids[1:]
    with pytest.raises(EngineError):
        await engine.keys.list(10, "nope")


async def test_a_key_works_as_long_as_the_settings_name_it(engine):
    _, made = await engine.keys.create(ADMIN)
    await engine.keys.seed([seed("a", "secret-of-a-secret-of-a"), seed("b", "secret-of-b-secret-of-b")])
    await engine.keys.seed([seed("b", "secret-of-b-secret-of-b")])
    assert await engine.keys.verify("secret-of-a-secret-of-a") is None
    assert (await engine.keys.verify("secret-of-b-secret-of-b")).key_id == "b"
    assert [key.key_id for key in (await engine.keys.list(10, state="disabled"))[0]] == ["a"]
    assert await engine.keys.verify(made), "a key made otherwise is none of the settings' business"
    await engine.keys.seed([seed("a", "secret-of-a-secret-of-a")])
    assert (await engine.keys.verify("secret-of-a-secret-of-a")).key_id == "a"
    assert await engine.keys.verify("secret-of-b-secret-of-b") is None


async def test_a_secret_may_pass_from_one_key_of_the_settings_to_another(engine):
    one, two = "secret-one-secret-one", "secret-two-secret-two"
    await engine.keys.seed([seed("a", one), seed("b", two)])
    await engine.keys.seed([seed("b", one), seed("a", two)])
    assert (await engine.keys.verify(one)).key_id == "b"
    await engine.keys.seed([seed("c", one)])
    assert (await engine.keys.verify(one)).key_id == "c"
    assert await engine.keys.verify(two) is None


async def test_seeding_again_updates_a_key_but_never_revives_it(engine):
    await engine.keys.seed([SeedApiKey("k", "p", "e", ("runs:read",), "first-secret-first-secret")])
    await engine.keys.seed([SeedApiKey("k", "p2", "e2", ("runs:write",), "second-secret-second-secret")])
    assert await engine.keys.verify("first-secret-first-secret") is None
    key = await engine.keys.verify("second-secret-second-secret")
    assert (key.project_id, key.environment, key.scopes) == ("p2", "e2", {"runs:write"})
    await engine.keys.revoke("k")
    await engine.keys.seed([SeedApiKey("k", "p", "e", ("admin",), "third-secret-third-secret")])
    assert await engine.keys.verify("third-secret-third-secret") is None


@pytest.mark.parametrize(
    "seeds",
    [
        [SeedApiKey("k", "p", "e", ("everything",), "long-enough-a-secret")],
        [SeedApiKey("k", "p", "e", ("admin",), "short")],
        [
            SeedApiKey("a", "p", "e", ("admin",), "long-enough-a-secret"),
            SeedApiKey("b", "p", "e", (), "long-enough-a-secret"),
        ],
    ],
)
async def test_bad_seeds_are_refused_as_a_whole_without_showing_the_secret(engine, seeds):
    with pytest.raises(EngineError) as refusal:
        await engine.keys.seed(seeds)
    assert refusal.value.code is ErrorCode.INVALID_REQUEST
    assert not any(given.secret in refusal.value.message + (refusal.value.recovery or "") for given in seeds)
    assert await engine.keys.count() == 0


async def test_a_key_of_the_settings_may_not_have_the_secret_of_another(engine):
    _, secret = await engine.keys.create(ADMIN)
    assert await refused(engine.keys.seed([seed("k", secret)])) is ErrorCode.INVALID_REQUEST
    assert await engine.keys.verify(secret)
