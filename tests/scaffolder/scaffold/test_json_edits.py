from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold.edits import JsonDocument, add_lines


def add_dependencies(text):
    document = JsonDocument.load("package.json", text.encode())
    for name, spec in (("workflow", "4.8.9"), ("workflow-studio", "file:./workflow-studio")):
        document = document.set_default(("dependencies", name), spec, in_order=True)
    return document.dump().decode()


def add_plugin(text):
    document = JsonDocument.load("tsconfig.json", text.encode())
    plugins = document.get("compilerOptions", "plugins") or []
    if {"name": "workflow"} in plugins:
        return text
    return document.append(("compilerOptions", "plugins"), {"name": "workflow"}).dump().decode()


W, S = '"workflow": "4.8.9"', '"workflow-studio": "file:./workflow-studio"'
PACKAGES = {
    "sorted": (
        '{\n  "dependencies": {\n    "next": "16.0.0",\n    "zod": "4.0.0"\n  }\n}\n',
        f'{{\n  "dependencies": {{\n    "next": "16.0.0",\n    {W},\n    {S},\n    "zod": "4.0.0"\n  }}\n}}\n',
    ),
    "unsorted": (
        '{\n  "dependencies": {\n    "zod": "4",\n    "next": "16"\n  }\n}\n',
        f'{{\n  "dependencies": {{\n    "zod": "4",\n    "next": "16",\n    {W},\n    {S}\n  }}\n}}\n',
    ),
    "first": (
        '{\n  "dependencies": {\n    "zod": "4"\n  }\n}\n',
        f'{{\n  "dependencies": {{\n    {W},\n    {S},\n    "zod": "4"\n  }}\n}}\n',
    ),
    "none": (
        '{\n  "name": "app"\n}\n',
        f'{{\n  "name": "app",\n  "dependencies": {{\n    {W},\n    {S}\n  }}\n}}\n',
    ),
    "empty": (
        '{\n  "name": "app",\n  "dependencies": {}\n}',
        f'{{\n  "name": "app",\n  "dependencies": {{\n    {W},\n    {S}\n  }}\n}}',
    ),
    "only_braces": ("{}\n", f'{{\n  "dependencies": {{\n    {W},\n    {S}\n  }}\n}}\n'),
    "tabs_and_crlf": (
        '{\r\n\t"dependencies": {\r\n\t\t"a": "1"\r\n\t}\r\n}\r\n',
        f'{{\r\n\t"dependencies": {{\r\n\t\t"a": "1",\r\n\t\t{W},\r\n\t\t{S}\r\n\t}}\r\n}}\r\n',
    ),
    "four_spaces": (
        '{\n    "private": true\n}\n',
        f'{{\n    "private": true,\n    "dependencies": {{\n        {W},\n        {S}\n    }}\n}}\n',
    ),
    "minified": (
        '{"name":"a","dependencies":{"b":"1"}}',
        '{"name":"a","dependencies":{"b":"1","workflow":"4.8.9","workflow-studio":"file:./workflow-studio"}}',
    ),
    "byte_order_mark": (
        '\ufeff{\n  "dependencies": {\n    "a": "1"\n  }\n}\n',
        f'\ufeff{{\n  "dependencies": {{\n    "a": "1",\n    {W},\n    {S}\n  }}\n}}\n',
    ),
    "keeps_a_range_that_is_there": (
        '{\n  "dependencies": {\n    "workflow": "^4.0.0"\n  }\n}\n',
        f'{{\n  "dependencies": {{\n    "workflow": "^4.0.0",\n    {S}\n  }}\n}}\n',
    ),
}


@pytest.mark.parametrize("name", PACKAGES)
def test_dependencies_are_added_in_the_style_of_the_file(name):
    text, expected = PACKAGES[name]
    assert add_dependencies(text) == expected
    assert add_dependencies(expected) == expected


TSCONFIGS = {
    "comments_and_trailing_commas": (
        """{
  // strict
  "compilerOptions": {
    "plugins": [
      {
        "name": "next"
      },
    ], /* last */
  },
}
""",
        """{
  // strict
  "compilerOptions": {
    "plugins": [
      {
        "name": "next"
      },
      { "name": "workflow" },
    ], /* last */
  },
}
""",
    ),
    "one_line_array": (
        '{\n  "compilerOptions": { "plugins": [{ "name": "next" }] }\n}\n',
        '{\n  "compilerOptions": { "plugins": [{ "name": "next" }, { "name": "workflow" }] }\n}\n',
    ),
    "empty_array": (
        '{\n  "compilerOptions": {\n    "plugins": []\n  }\n}\n',
        '{\n  "compilerOptions": {\n    "plugins": [{ "name": "workflow" }]\n  }\n}\n',
    ),
    "trailing_comment": (
        '{\n  "compilerOptions": {\n    "strict": true // yes\n  }\n}\n',
        '{\n  "compilerOptions": {\n    "strict": true, // yes\n    "plugins": [{ "name": "workflow" }]\n  }\n}\n',
    ),
    "extends_only": (
        '{\n  "extends": "./.svelte-kit/tsconfig.json"\n}\n',
        """{
  "extends": "./.svelte-kit/tsconfig.json",
  "compilerOptions": {
    "plugins": [
      {
        "name": "workflow"
      }
    ]
  }
}
""",
    ),
}


@pytest.mark.parametrize("name", TSCONFIGS)
def test_editor_plugin_is_added_to_a_commented_tsconfig(name):
    text, expected = TSCONFIGS[name]
    assert add_plugin(text) == expected
    assert add_plugin(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '"text"',
        "null",
        "{",
        '{"a": }',
        '{"a": b}',
        '{"a": call()}',
        '{"a": `x`}',
        "{a: 1}",
        '{"a": 1} {"b": 2}',
        '{"a": 1}); evil((',
        '{"a": "\\q"}',
    ],
)
def test_what_is_not_a_json_object_is_refused(text):
    with pytest.raises(EditRefusedError):
        add_dependencies(text)


def test_dependencies_of_another_shape_are_refused_not_replaced():
    with pytest.raises(EditRefusedError, match='"dependencies" is not an object'):
        add_dependencies('{"dependencies": ["next"]}')


def test_last_of_equal_keys_counts_as_it_does_for_node():
    document = JsonDocument.load("a.json", b'{"a": 1, "a": {"b": 2}}')
    assert document.get("a", "b") == 2


JSON_KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | JSON_KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(JSON_KEYS.filter(lambda key: key != "dependencies"), JSON_VALUES, max_size=4),
    st.none() | st.dictionaries(JSON_KEYS, JSON_KEYS, max_size=4),
    st.sampled_from([None, 2, 4, "\t"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_adding_to_any_package_json_adds_only_that_and_only_once(package, dependencies, indent, eol):
    if dependencies is not None:
        package = {**package, "dependencies": dependencies}
    text = json.dumps(package, indent=indent, ensure_ascii=False).replace("\n", eol)
    once = add_dependencies(text)
    wanted = {"workflow": "4.8.9", "workflow-studio": "file:./workflow-studio", **(dependencies or {})}
    assert json.loads(once) == {**package, "dependencies": wanted}
    assert add_dependencies(once) == once


class TestAddLines:
    def test_new_file_gets_a_heading(self):
        assert add_lines(b"", ["a/", "b"], heading="Ours") == b"# Ours\na/\nb\n"

    def test_lines_that_are_there_in_another_spelling_are_not_repeated(self):
        assert add_lines(b"/a\nb/\n", ["a/", "b"], heading="Ours") == b"/a\nb/\n"

    def test_missing_final_newline_and_crlf_are_respected(self):
        assert add_lines(b"x\r\ny", ["a"], heading="Ours") == b"x\r\ny\r\n\r\n# Ours\r\na\r\n"

    def test_bytes_that_are_not_utf8_survive(self):
        assert add_lines(b"caf\xe9\n", ["a"], heading="Ours") == b"caf\xe9\n\n# Ours\na\n"

    @given(st.binary(max_size=200), st.lists(st.sampled_from(["a/", "b", ".swc/"]), unique=True))
    def test_second_addition_changes_nothing(self, data, lines):
        once = add_lines(data, lines, heading="Ours")
        assert add_lines(once, lines, heading="Ours") == once
        assert once.startswith(data)
