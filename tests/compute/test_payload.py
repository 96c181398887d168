import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_studio.compute.payload import MAX_DEPTH, PayloadError, dumps, dumps_arguments, loads

SAFE = 2**53 - 1
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text().filter("__proto__".__ne__), inner),
    max_leaves=30,
)


def devl(document: object) -> bytes:
    return b"devl" + json.dumps(document).encode()


def without_minus_zero(value):
    match value:
        case list():
            return [without_minus_zero(item) for item in value]
        case dict():
            return {key: without_minus_zero(item) for key, item in value.items()}
        case float() if value == 0:
            return 0
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def test_arguments_have_the_form_the_sdk_writes():
    assert dumps_arguments([2, 3]) == b"devl[[1,2],2,3]"
    assert dumps_arguments([]) == b"devl[[]]"
    assert dumps_arguments([{"a": "x", "b": ["x"]}]) == b'devl[[1],{"a":2,"b":3},"x",[2]]'


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        (None, b"devl[null]"),
        (5, b"devl[5]"),
        ("x", b'devl["x"]'),
        ({}, b"devl[{}]"),
        (-0.0, b"devl-6"),
        (2.0, b"devl[2]"),
    ],
)
def test_any_json_value_can_be_a_payload(value, payload):
    assert dumps(value) == payload


def test_true_and_one_do_not_share_a_place():
    assert loads(dumps_arguments([True, 1, False, 0])) == [True, 1, False, 0]
    assert [type(item) for item in loads(dumps_arguments([True, 1]))] == [bool, int]


@given(st.lists(json_values))
def test_what_is_written_reads_back(arguments):
    arguments = without_minus_zero(arguments)
    assert loads(dumps_arguments(arguments)) == arguments


@given(st.lists(json_values))
def test_what_is_shown_is_json_that_utf8_can_hold(arguments):
    shown = loads(dumps_arguments(arguments))
    json.dumps(shown, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        (-1, {"$type": "undefined"}),
        ([{"a": -1, "b": 1}, 2], {"b": 2}),
        ([[-3, -4, -5, -6]], [{"$type": "Number", "value": v} for v in ("NaN", "Infinity", "-Infinity", "-0")]),
        ([["Date", "2026-01-02T03:04:05.000Z"]], {"$type": "Date", "value": "2026-01-02T03:04:05.000Z"}),
        ([["Date", 1], "."], {"$type": "Date", "value": None}),
        ([["BigInt", "123"]], {"$type": "BigInt", "value": "123"}),
        ([["BigInt", 1], "123"], {"$type": "BigInt", "value": "123"}),
        ([["Map", 1, 2], "a", 5], {"$type": "Map", "entries": [["a", 5]]}),
        ([["Map", 1], [2], [3, 4], "a", 5], {"$type": "Map", "entries": [["a", 5]]}),
        ([["Map"]], {"$type": "Map", "entries": []}),
        ([["Set", 1, 2], "a", 5], {"$type": "Set", "values": ["a", 5]}),
        ([["Set", 1], [2, 3], "a", 5], {"$type": "Set", "values": ["a", 5]}),
        ([["RegExp", "a+", "g"]], {"$type": "RegExp", "source": "a+", "flags": "g"}),
        ([["RegExp", 1], {"source": 2, "flags": 3}, "a+", "g"], {"$type": "RegExp", "source": "a+", "flags": "g"}),
        ([["Uint8Array", 1], ["ArrayBuffer", "AAEC"]], {"$type": "Uint8Array", "base64": "AAEC"}),
        ([["Uint8Array", 1, 1, 1], ["ArrayBuffer", "AAEC"]], {"$type": "Uint8Array", "base64": "AQ=="}),
        ([["Uint8Array", 1], "AAEC"], {"$type": "Uint8Array", "base64": "AAEC"}),
        ([["Float64Array", 1], "."], {"$type": "Float64Array", "base64": ""}),
        ([["null", "a", 1], 5], {"a": 5}),
        ([["Object", 1], "boxed"], "boxed"),
        ([[1, -2, 1], "a"], ["a", {"$type": "undefined"}, "a"]),
        ([[-7, 4294967295, 7, 1], "a"], {"$type": "SparseArray", "length": 4294967295, "entries": [[7, "a"]]}),
        ([["Instance", 1], {"classId": 2}, "class//x"], {"$type": "Instance", "value": {"classId": "class//x"}}),
        ([{"self": 0}], {"self": {"$type": "Circular"}}),
        ([[1, 1], {"a": 2}, 3], [{"a": 3}, {"a": 3}]),
    ],
)
def test_values_that_json_lacks_are_shown_by_name(document, shown):
    assert loads(devl(document)) == shown


def test_encrypted_payloads_are_shown_as_such():
    assert loads(b"encr" + bytes(60)) == {"$type": "Encrypted", "size": 64}


def test_half_a_surrogate_pair_is_replaced_and_escapes_are_left_alone():
    assert loads(rb'devl[[1,2,3],"\ud83d","\ud83d\ude00","\\ud83d"]') == ["\ufffd", "\U0001f600", "\\ud83d"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"dev",
        b"gzip....",
        b"devl",
        b"devl[]",
        b"devl{}",
        b"devl5",
        b"devl-2",
        b"devl[[NaN]]",
        b"devl\xff",
        b"devl[[1e999]]",
        b"devl[[1],1e999]",
        b"devl" + b"[" * 100_000,
        b"devl[" + b"9" * 5000 + b"]",
        devl([[1]]),
        devl([[-8]]),
        devl([[True]]),
        devl([["Map", 1, 1, 1], 1]),
        devl([["Date"]]),
        devl([["Uint8Array", 1], 5]),
        devl([["Uint8Array", "not base64!"]]),
        devl([["Uint8Array", 1, -1, 5], ["ArrayBuffer", "AAEC"]]),
        devl([["Uint8Array", 0]]),
        devl([["null", "a"]]),
        devl([["null", 5, 1], 1]),
        devl([[-7]]),
        devl([[-7, 5, 1]]),
        devl([{"a": "b"}]),
        devl([[["x"]]]),
    ],
)
def test_malformed_payloads_are_refused(payload):
    with pytest.raises(PayloadError):
        loads(payload)


def test_deep_nesting_is_refused():
    with pytest.raises(PayloadError, match="levels deep"):
        loads(devl([[index + 1] for index in range(MAX_DEPTH + 1)] + [0]))
    value: list = []
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(PayloadError, match="levels deep"):
        dumps_arguments(value)


def test_the_deepest_accepted_nesting_works_for_every_container():
    for opening in (lambda i: [i + 1], lambda i: {"a": i + 1}, lambda i: ["Map", i + 1, -1], lambda i: ["Set", i + 1]):
        loads(devl([opening(index) for index in range(MAX_DEPTH)] + [0]))


def test_a_small_payload_that_describes_an_enormous_tree_is_refused():
    with pytest.raises(PayloadError, match="repeats"):
        loads(devl([[index + 1] * 10 for index in range(50)] + [0]))
    with pytest.raises(PayloadError, match="repeats"):
        loads(devl([[1] * 10_000, "x" * 10_000]))
    with pytest.raises(PayloadError, match="repeats"):
        loads(devl([[1] * 10_000, {"x" * 10_000: -3}]))


@given(
    st.lists(
        st.recursive(
            st.integers(-9, 12) | st.sampled_from(["Map", "Set", "Date", "null", "Uint8Array", "Object", "Error", "a"]),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
            max_leaves=6,
        ),
        min_size=1,
        max_size=10,
    )
)
def test_hostile_documents_give_json_or_a_payload_error(document):
    with contextlib.suppress(PayloadError):
        json.dumps(loads(devl(document)), allow_nan=False).encode()


@pytest.mark.parametrize("value", [2**53, -(2**53), {1: 2}, {"__proto__": 1}, object(), (1,), b"x"])
def test_values_that_would_not_arrive_as_they_are_are_refused(value):
    with pytest.raises(PayloadError):
        dumps_arguments([value])


NODE = shutil.which("node")


@pytest.fixture(scope="session")
def devalue(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("devalue")
    (folder / "package.json").write_text('{"private": true}')
    npm = shutil.which("npm")
    assert npm, "npm is needed for the e2e tests"
    subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "devalue@5.9"], cwd=folder, check=True, capture_output=True
    )
    return folder / "node_modules" / "devalue" / "index.js"


def run_node(devalue: Path, script: str, standard_input: bytes = b"") -> str:
    assert NODE
    source = f"import {{ parse, stringify }} from {json.dumps(devalue.as_uri())};\n{script}"
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", source], input=standard_input, capture_output=True, check=True
    )
    return done.stdout.decode()


ARGUMENTS = [1, -5, 1.5, 1e21, "é😀\n", "", None, True, False, [], {}, {"a": [{"b": 1}], "2": "x"}, 1, "é😀\n"]


@pytest.mark.e2e
def test_devalue_reads_the_arguments_written_here(devalue):
    read = "import fs from 'node:fs'; process.stdout.write(JSON.stringify(parse(fs.readFileSync(0, 'utf8'))));"
    assert json.loads(run_node(devalue, read, dumps_arguments(ARGUMENTS)[4:])) == ARGUMENTS


@pytest.mark.e2e
def test_what_devalue_writes_is_read_here(devalue):
    written = run_node(
        devalue,
        """
        const shared = { n: 1 };
        const cyclic = { name: 'c' }; cyclic.self = cyclic;
        const sparse = []; sparse[100] = 'far';
        process.stdout.write(stringify([
          undefined, NaN, -0, new Date(0), new Map([['k', new Set([1, 2])]]), 12n, /a+/gi, new Uint8Array([0, 1, 2]),
          new Uint16Array([1, 2, 3]).subarray(1, 2), Object.assign(Object.create(null), { a: 1 }), [1, , 3], sparse,
          shared, shared, cyclic, new URL('https://example.com/x'), '\\ud83d',
        ]));
        """,
    )
    assert loads(b"devl" + written.encode()) == [
        {"$type": "undefined"},
        {"$type": "Number", "value": "NaN"},
        {"$type": "Number", "value": "-0"},
        {"$type": "Date", "value": "1970-01-01T00:00:00.000Z"},
        {"$type": "Map", "entries": [["k", {"$type": "Set", "values": [1, 2]}]]},
        {"$type": "BigInt", "value": "12"},
        {"$type": "RegExp", "source": "a+", "flags": "gi"},
        {"$type": "Uint8Array", "base64": "AAEC"},
        {"$type": "Uint16Array", "base64": "AgA="},
        {"a": 1},
        [1, {"$type": "undefined"}, 3],
        {"$type": "SparseArray", "length": 101, "entries": [[100, "far"]]},
        {"n": 1},
        {"n": 1},
        {"name": "c", "self": {"$type": "Circular"}},
        {"$type": "URL", "value": "https://example.com/x"},
        "\ufffd",
    ]
