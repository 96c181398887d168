"""The file with the variables for the app's code."""

import pytest

from workflow_studio.worker.env_file import EnvFileError, read_env_file


def test_values_are_taken_as_they_are(tmp_path):
    file = tmp_path / "app.env"
    file.write_text("# mine\nA=1\nexport B='two words'\nC=\"$A\"\nD=\nE\n")
    assert read_env_file(file) == {"A": "1", "B": "two words", "C": "$A", "D": ""}


@pytest.mark.parametrize(
    ("text", "line"), [("A=1\n\n\nB C=secret-of-the-tests\n", 4), ("A='secret-of-the-tests\n", 1), ("=x\n", 1)]
)
def test_a_line_that_is_wrong_is_named_with_its_file_and_not_shown(tmp_path, text, line):
    file = tmp_path / "app.env"
    file.write_text(text)
    with pytest.raises(EnvFileError) as caught:
        read_env_file(file)
    assert f"{file}:{line} " in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.recovery


def test_a_file_that_is_no_text_is_named(tmp_path):
    file = tmp_path / "app.env"
    file.write_bytes(b"A=\xff\xfe")
    with pytest.raises(EnvFileError, match="not UTF-8") as caught:
        read_env_file(file)
    assert str(file) in str(caught.value)
