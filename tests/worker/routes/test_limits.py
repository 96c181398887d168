"""Limits over HTTP: listed, set, removed, and recorded."""

from __future__ import annotations

import pytest

NAME = "workflow:workflow//./workflows/report//makeReport"


async def test_limits_are_set_listed_and_removed(worker):
    assert (await worker.get("/v1/limits")).json() == {"limits": []}
    answer = await worker.send("PUT", "/v1/limits", json={NAME: 2, "key:*": 0})
    assert answer.status_code == 200, answer.text
    listed = (await worker.get("/v1/limits")).json()
    assert listed == answer.json()
    assert [
        (limit["name"], limit["most"], limit["fromSettings"], limit["updatedBy"]) for limit in listed["limits"]
    ] == [
        ("key:*", 0, False, "admin"),
        (NAME, 2, False, "admin"),
    ]
    left = (await worker.send("PUT", "/v1/limits", json={"key:*": None})).json()
    assert [limit["name"] for limit in left["limits"]] == [NAME]
    entries = (await worker.get("/v1/audit", params={"action": "set_limits"})).json()["data"]
    assert [entry["details"] for entry in entries] == [{"removed": ["key:*"]}, {"set": {NAME: 2, "key:*": 0}}]


@pytest.mark.parametrize(
    "wrong", [{}, {"queue:x": 1}, {"workflow:": 1}, {"key:a": -1}, {"key:a": 1.5}, {"key:a\n": 1}, {"key:a": "two"}]
)
async def test_what_is_no_limit_is_refused_and_nothing_is_changed(worker, wrong):
    refused = await worker.send("PUT", "/v1/limits", json={"key:b": 1, **wrong} if wrong else wrong)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert (await worker.get("/v1/limits")).json() == {"limits": []}
