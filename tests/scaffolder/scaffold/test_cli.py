from __future__ import annotations

import errno
import io
import json
import subprocess
import sys

import pytest
import typer

from workflow_studio.client import ScopeError
from workflow_studio.scaffolder import cli, errors
from workflow_studio.scaffolder.cli import COMMANDS, CommandSpec, main
from workflow_studio.scaffolder.errors import ExitCode, StudioError, as_studio_error
from workflow_studio.scaffolder.output import Output, clean, get_output


@pytest.fixture
def command(monkeypatch):
    """Makes `studio probe` run a function of the test."""

    def install(function):
        class Module:
            @staticmethod
            def register(app):
                def probe(*, json: cli.JsonFlag = False):
                    return function()

                app.command("probe", help="Probe.")(probe)

        monkeypatch.setitem(COMMANDS, "probe", CommandSpec("probe", "Probe."))
        real = cli.import_module
        monkeypatch.setattr(cli, "import_module", lambda name: Module if name.endswith(".probe") else real(name))

    return install


def test_help_lists_every_command_with_its_summary(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, spec in COMMANDS.items():
        assert f"  {name:<12}  {spec.summary}\n" in out


def test_no_arguments_is_help(capsys):
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: studio [OPTIONS] COMMAND [ARGS]...")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_its_summary(name, capsys):
    assert main([name, "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert COMMANDS[name].summary in out


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from workflow_studio.scaffolder.cli import main; main(['--help']);"
        "heavy = {'copier', 'rich.console', 'tree_sitter', 'httpx', 'plumbum', 'yaml'} & set(sys.modules);"
        "sys.exit(','.join(heavy) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("studio 0.")


def test_unknown_command_suggests_one(capsys):
    assert main(["scafold"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "No such command 'scafold'. Did you mean 'scaffold'?" in err


def test_unknown_option_is_a_usage_error(capsys):
    assert main(["scaffold", "--nope"]) == 2
    assert "studio scaffold --help" in capsys.readouterr().err


def test_usage_error_with_json_is_one_document(capsys):
    assert main(["scaffold", "--nope", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "usage_error"
    assert err == ""


def test_studio_error_is_message_hint_and_exit_code(command, capsys):
    def fail():
        raise StudioError("It broke.", code="broke", hint="Mend it.", exit_code=3)

    command(fail)
    assert main(["probe"]) == 3
    assert capsys.readouterr() == ("", "Error: It broke.\nMend it.\n")
    assert main(["probe", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "error": {"code": "broke", "message": "It broke.", "hint": "Mend it."},
    }


def test_client_error_keeps_its_code_and_recovery(command, capsys):
    def fail():
        raise ScopeError("No.", status=403, code="missing_scope", recovery="Use a key with deploy:write.")

    command(fail)
    assert main(["probe", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == {
        "code": "missing_scope",
        "message": "No.",
        "hint": "Use a key with deploy:write.",
    }


def test_unexpected_error_shows_no_traceback_unless_asked(command, capsys, monkeypatch):
    def fail():
        return {}["key"]

    command(fail)
    assert main(["probe"]) == 1
    err = capsys.readouterr().err
    assert "KeyError: 'key'" in err
    assert "STUDIO_DEBUG=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("STUDIO_DEBUG", "1")
    assert main(["probe"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt, typer.Abort])
def test_interruption_exits_130(command, capsys, error):
    def fail():
        raise error

    command(fail)
    assert main(["probe"]) == 130
    assert "Interrupted." in capsys.readouterr().err
    assert main(["probe", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "interrupted"


def test_returned_number_is_the_exit_code(command):
    command(lambda: 4)
    assert main(["probe"]) == 4


def test_json_swallows_text_and_collects_warnings(command, capsys):
    def work():
        output = get_output()
        output.print("text")
        output.note("note")
        output.warn("careful")
        output.table(["A"], [["b"]])
        with output.status("Working"), output.progress("Counting", total=2) as advance:
            advance()
        output.document({"value": 1})

    command(work)
    assert main(["probe", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"ok": True, "value": 1, "warnings": ["careful"]}
    assert err == ""


def test_without_terminal_progress_is_plain_lines(capsys):
    output = Output()
    with output.progress("Uploading", total=8) as advance:
        for _ in range(8):
            advance()
    with output.status("Installing [packages]"):
        pass
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[:4] == ["Uploading ...", "Uploading: 25 %", "Uploading: 50 %", "Uploading: 75 %"]
    assert err.splitlines()[5] == "Installing [packages] ..."


def test_failed_status_does_not_say_done(capsys):
    with pytest.raises(ValueError, match="x"), Output().status("Working"):
        raise ValueError("x")
    assert "done" not in capsys.readouterr().err


def test_document_is_written_once_and_can_be_written_early(capsys):
    output = Output(json_mode=True)
    output.document({"url": "http://localhost"}, now=True)
    output.error(StudioError("later"))
    output.finish()
    assert json.loads(capsys.readouterr().out) == {"ok": True, "url": "http://localhost"}


def test_long_lines_are_not_wrapped_off_a_terminal(capsys):
    Output().print("x" * 500)
    assert capsys.readouterr().out == "x" * 500 + "\n"


def test_no_color_is_respected_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    Output().print("plain", style="red")
    assert "\x1b[31m" not in terminal.getvalue()


def test_control_characters_are_removed():
    assert clean("a\x1b[31mb\x1b]0;t\x07c\rd\x00e\tf\ng\x9bh") == "abcde\tf\ngh"


def test_tree_drawn_in_the_module_is_the_tree_there_is():
    drawn = errors.__doc__
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, StudioError):
            assert f"{name} " in drawn
            assert value.exit_code in {code.value for code in ExitCode}


def test_programming_error_is_not_translated():
    assert as_studio_error(KeyError("x")) is None


def test_missing_file_is_named():
    shown = as_studio_error(FileNotFoundError(2, "No such file or directory", "a.txt"))
    assert shown.message == "No such file or directory: a.txt"


def test_full_disk_is_not_a_bug():
    shown = as_studio_error(OSError(errno.ENOSPC, "No space left on device"))
    assert (shown.code, shown.message) == ("disk_full", "No space left on device.")
