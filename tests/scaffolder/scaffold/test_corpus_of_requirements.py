"""pyproject.toml, Pipfile and requirements.txt as people write them: dependencies are added right, or not at all."""

from __future__ import annotations

import tomllib
from collections import Counter

import pytest
from packaging.requirements import Requirement
from pip._internal.network.session import PipSession
from pip._internal.req.req_file import parse_requirements

from tests.scaffolder.scaffold.support import CORPUS, files_of, refusals
from workflow_studio.scaffolder.scaffold._plan import Plan
from workflow_studio.scaffolder.scaffold._template import studio_version
from workflow_studio.scaffolder.scaffold._wire_python import wire_requirements

KINDS = {"pyproject": "pyproject.toml", "pipfile": "Pipfile", "requirements": "requirements.txt"}
FILES = [(kind, file) for kind in KINDS for file in files_of(kind)]
# What files of the corpus include.
INCLUDED = {
    "base.txt": "gunicorn\n",
    "constraints.txt": "flask<4\n",
    "ours.txt": "workflow-studio-client\npydantic-settings\n",
    "requirements/base.txt": "gunicorn\n",
    "requirements/web.txt": "flask\n",
}
WANTED = {"pydantic-settings": ">=2.7", "workflow-studio-client": f">={studio_version()}"}


def name_of(kind, file):
    return f"{kind}/{file.name}"


def params(*, refused):
    return [
        pytest.param(kind, file, id=name_of(kind, file))
        for kind, file in FILES
        if (name_of(kind, file) in refusals()) == refused
    ]


def planned(root, kind, data):
    """Return the plan for an app that has a file of the corpus."""
    (root / KINDS[kind]).write_bytes(data)
    if kind == "requirements":
        (root / "requirements").mkdir(exist_ok=True)
        for path, text in INCLUDED.items():
            (root / path).write_text(text, "utf-8")
    plan = Plan(root)
    wire_requirements(plan, "flask")
    return plan


def applied(plan):
    """Write what is planned and return it."""
    written = {}
    for change in plan.pending:
        (plan.root / change.path).write_bytes(change.after)
        written[change.path] = (change.before, change.after)
    return written


@pytest.mark.parametrize("kind", KINDS)
def test_corpus_has_sixty_files_of_every_kind(kind):
    assert len(files_of(kind)) >= 60


def test_every_refusal_is_of_a_file_that_is_there():
    named = {path for path in refusals() if path.split("/")[0] in KINDS}
    assert {path for path in named if not (CORPUS / path).is_file()} == set()


@pytest.mark.parametrize(("kind", "file"), params(refused=True))
def test_unclear_file_is_left_alone_with_reason_and_line(kind, file, tmp_path):
    plan = planned(tmp_path, kind, file.read_bytes())
    assert applied(plan) == {}
    expected = refusals()[name_of(kind, file)]
    (step,) = plan.manual
    assert (step.path, step.line) == (KINDS[kind], expected["line"])
    assert expected["why"] in step.why
    assert step.snippet.splitlines() == [name + versions for name, versions in WANTED.items()]


@pytest.mark.parametrize(("kind", "file"), params(refused=False))
def test_dependencies_are_added_once_and_every_byte_stays(kind, file, tmp_path):
    plan = planned(tmp_path, kind, file.read_bytes())
    written = applied(plan)
    assert plan.manual == []
    assert set(written) <= {KINDS[kind], "requirements/web.txt"}
    for before, after in written.values():
        following = iter(after)
        assert all(byte in following for byte in before), "only inserted"
        mark = before[:3] if before.startswith(b"\xef\xbb\xbf") else b""
        assert after.startswith(mark)
        assert after.count(b"\xef\xbb\xbf") == bool(mark)
        if b"\r\n" in before:
            assert after.count(b"\r\n") == after.count(b"\n")
        if kind != "requirements":
            assert after.endswith(b"\n") == before.endswith(b"\n")
    again = Plan(tmp_path)
    wire_requirements(again, "flask")
    assert (again.pending, again.manual) == ([], [])


@pytest.mark.parametrize(
    ("kind", "file"), [param for param in params(refused=False) if param.values[0] != "requirements"]
)
def test_toml_says_what_it_said_and_what_was_added(kind, file, tmp_path):
    before = tomllib.loads(file.read_text("utf-8-sig"))
    applied(planned(tmp_path, kind, file.read_bytes()))
    after = tomllib.loads((tmp_path / KINDS[kind]).read_text("utf-8-sig"))
    listed = before.get("project", {}).get("dependencies")
    if listed is not None:
        there = {Requirement(text).name.lower().replace("_", "-") for text in listed}
        listed += [name + versions for name, versions in WANTED.items() if name not in there]
    else:
        table = before["packages"] if kind == "pipfile" else before["tool"]["poetry"]["dependencies"]
        there = {name.lower().replace("_", "-") for name in table}
        table |= {name: versions for name, versions in WANTED.items() if name not in there}
    assert after == before


def said(path):
    """Return what pip reads in a list, and its own options, without the places."""
    found = parse_requirements(str(path), session=PipSession())
    return Counter((entry.requirement, entry.is_editable, entry.constraint, str(entry.options)) for entry in found)


# The pip of Python 3.11 still asks setuptools for its environment.
@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("kind", "file"), [param for param in params(refused=False) if param.values[0] == "requirements"]
)
def test_pip_reads_in_the_list_what_it_read_and_what_was_added(kind, file, tmp_path):
    plan = planned(tmp_path, kind, file.read_bytes())
    before = said(tmp_path / KINDS[kind])
    applied(plan)
    added = said(tmp_path / KINDS[kind]) - before
    assert before - said(tmp_path / KINDS[kind]) == Counter()
    there = " ".join(text for text, *_ in before).lower().replace("_", "-").replace(".", "-")
    assert [text for text, *_ in sorted(added)] == [
        name + versions for name, versions in WANTED.items() if name not in there
    ]
