from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_studio.scaffolder.scaffold._template._bundle import GitError
from workflow_studio.scaffolder.scaffold.update import _text
from workflow_studio.scaffolder.scaffold.update._text import conflicts_in, dressed, merge, same, similarity

BASE = b"".join(b"line %d\n" % number for number in range(1, 21))
BOM = b"\xef\xbb\xbf"


def merged(mine, theirs, base=BASE):
    return merge(mine, base, theirs, before="v0.1.0", after="v0.2.0")


def change(text, *pairs):
    for before, after in pairs:
        assert text.count(before) == 1
        text = text.replace(before, after)
    return text


class TestMerging:
    def test_edits_of_both_sides_come_together(self):
        mine, theirs = change(BASE, (b"line 2\n", b"mine\n")), change(BASE, (b"line 19\n", b"theirs\n"))
        result = merged(mine, theirs)
        assert result.content == change(BASE, (b"line 2\n", b"mine\n"), (b"line 19\n", b"theirs\n"))
        assert (result.conflicts, result.refused) == ((), False)

    def test_clash_keeps_both_sides_between_markers_that_name_the_versions(self):
        result = merged(change(BASE, (b"line 9\n", b"mine\n")), change(BASE, (b"line 9\n", b"theirs\n")))
        assert result.conflicts == (9,)
        expected = b"<<<<<<< yours\nmine\n||||||| template v0.1.0\nline 9\n=======\ntheirs\n>>>>>>> template v0.2.0\n"
        assert expected in result.content

    def test_several_clashes_are_no_failure(self):
        """git says with its exit code how many there are: two once passed for an error, and the file was replaced."""
        places = [b"line %d\n" % number for number in (3, 8, 13, 18)]
        mine = change(BASE, *((place, b"mine " + place) for place in places))
        theirs = change(BASE, *((place, b"theirs " + place) for place in places))
        result = merged(mine, theirs)
        assert len(result.conflicts) == 4
        assert all(b"mine " + place in result.content for place in places)
        assert [result.content.split(b"\n")[line - 1] for line in result.conflicts] == [b"<<<<<<< yours"] * 4

    def test_more_clashes_than_an_exit_code_can_say_are_all_found(self):
        base = b"".join(b"%d\nsame\nsame\nsame\nsame\n" % number for number in range(200))
        mine = b"".join(b"m%d\nsame\nsame\nsame\nsame\n" % number for number in range(200))
        theirs = b"".join(b"t%d\nsame\nsame\nsame\nsame\n" % number for number in range(200))
        assert len(merged(mine, theirs, base).conflicts) == 200

    def test_same_edit_on_both_sides_is_no_clash(self):
        both = change(BASE, (b"line 9\n", b"both\n"))
        assert merged(both, both).content == both

    def test_line_endings_and_byte_order_mark_of_the_user_stay(self):
        mine = BOM + change(BASE, (b"line 2\n", b"mine\n")).replace(b"\n", b"\r\n")
        result = merged(mine, change(BASE, (b"line 19\n", b"theirs\n")))
        assert result.content == change(mine, (b"line 19\r\n", b"theirs\r\n"))

    def test_missing_newline_at_the_end_is_an_edit_like_any_other(self):
        result = merged(BASE.removesuffix(b"\n"), change(BASE, (b"line 2\n", b"theirs\n")))
        assert result.content == change(BASE, (b"line 2\n", b"theirs\n")).removesuffix(b"\n")

    def test_clash_is_found_where_lines_end_in_both_ways(self):
        mine = change(BASE, (b"line 9\n", b"mine\n")).replace(b"\n", b"\r\n").replace(b"line 20\r\n", b"line 20\n")
        result = merged(mine, change(BASE, (b"line 9\n", b"theirs\n")))
        assert len(result.conflicts) > 0
        assert b"mine\r\n" in result.content
        assert b"theirs\n" in result.content

    def test_git_before_its_short_markers_is_good_enough(self, monkeypatch):
        git = _text.run_git

        def old_git(arguments, **options):
            if "--zdiff3" in arguments:
                raise GitError("git merge-file", "unknown option `zdiff3'")
            return git(arguments, **options)

        monkeypatch.setattr(_text, "run_git", old_git)
        assert merged(change(BASE, (b"line 9\n", b"mine\n")), change(BASE, (b"line 9\n", b"theirs\n"))).conflicts == (
            9,
        )

    def test_git_that_fails_is_no_merge(self, monkeypatch):
        def failing(arguments, **options):
            raise GitError("git merge-file", "no")

        monkeypatch.setattr(_text, "run_git", failing)
        with pytest.raises(GitError):
            merged(BASE, BASE)

    def test_binary_contents_are_refused_and_stay(self):
        assert merged(b"\0mine", b"\0theirs", b"\0base") == merged(b"\0mine", b"theirs", b"base")
        assert merged(b"\0mine", b"theirs", b"base").refused
        assert merged(b"\0mine", b"theirs", b"base").content == b"\0mine"

    def test_text_in_no_known_encoding_is_merged_as_bytes(self):
        mine = change(BASE, (b"line 2\n", b"gr\xfc\xdfe\n"))
        assert b"gr\xfc\xdfe\n" in merged(mine, change(BASE, (b"line 19\n", b"theirs\n"))).content


def test_texts_that_differ_by_line_endings_alone_are_the_same():
    assert same(BASE, BASE.replace(b"\n", b"\r\n"))
    assert same(BASE, BOM + BASE)
    assert not same(BASE, BASE + b"\n")


def test_news_take_the_line_endings_of_the_file():
    assert dressed(b"a\nb\n", b"x\r\n") == b"a\r\nb\r\n"
    assert dressed(b"a\n", BOM + b"x\n") == BOM + b"a\n"
    assert dressed(b"\0\n", b"x\r\n") == b"\0\n"


def test_similarity_counts_lines():
    assert similarity(BASE, BASE.replace(b"\n", b"\r\n")) == 1
    assert 0.9 < similarity(BASE, change(BASE, (b"line 9\n", b"other\n"))) < 1
    assert similarity(b"\0", b"\0x") == 0


def test_conflicts_left_in_a_file_are_found_whoever_left_them():
    copiers = b"x\n<<<<<<< before updating\na\n=======\nb\n>>>>>>> after updating\n"
    ours = b"x\r\ny\r\n<<<<<<< yours\r\n"
    assert (conflicts_in(copiers), conflicts_in(ours), conflicts_in(b"const a = '<<<<<<< yours';\n")) == (
        (2,),
        (3,),
        (),
    )


lines = st.lists(st.sampled_from([b"a", b"b", b"c", b"", b"  d", b"}"]), max_size=8)


@st.composite
def edits(draw):
    """A text and what two people made of it; every line of an edit can be told by its author."""
    base = draw(lines)

    def edited(author):
        text = list(base)
        for number in range(draw(st.integers(0, 3))):
            at = draw(st.integers(0, len(text)))
            kept = draw(st.integers(at, len(text)))
            text[at:kept] = [author + b"%d" % number] * draw(st.integers(0, 2))
        return text

    return base, edited(b"mine"), edited(b"theirs")


def joined(text, *eols):
    return b"".join(line + eols[number % len(eols)] for number, line in enumerate(text))


@settings(max_examples=100, deadline=None)
@given(edits(), st.sampled_from([(b"\n",), (b"\r\n",), (b"\n", b"\r\n", b"\r\n")]))
def test_no_edit_is_ever_lost(texts, eols):
    base, mine, theirs = texts
    result = merge(joined(mine, *eols), joined(base, b"\n"), joined(theirs, b"\n"), before="v1.0.0", after="v1.0.1")
    found = result.content.replace(b"\r\n", b"\n").split(b"\n")
    for line in {line for line in mine if line.startswith(b"mine")}:
        assert found.count(line) >= mine.count(line)
    for line in {line for line in theirs if line.startswith(b"theirs")}:
        assert found.count(line) >= theirs.count(line)
    if not result.conflicts:
        # What one side removed and the other left alone is gone; without a clash nothing else is.
        for line in set(base):
            assert found.count(line) >= min(mine.count(line), theirs.count(line)) - base.count(line)
    if mine and len(eols) == 1:
        assert result.content.count(b"\r\n") == (0 if eols == (b"\n",) else result.content.count(b"\n"))
    if mine == base and len(eols) == 1:
        assert same(result.content, joined(theirs, b"\n"))
    if theirs == base:
        assert result.content == joined(mine, *eols)
