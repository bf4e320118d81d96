"""A command with options in groups."""

import pytest

from spark_keyframes.command import (
    Argument,
    Choice,
    Command,
    Group,
    Number,
    Option,
    Text,
    run_command,
)

LOOK, REST = Group("look", "what is looked for"), Group("rest", "all else")


@pytest.fixture
def called():
    return []


@pytest.fixture
def command(called):
    options = [
        Argument(["video"], metavar="VIDEO", help="A path."),
        Option(["--text"], type=Text(), group=LOOK, multiple=True, required=True, metavar="TEXT",
               help="What to look for. Best a caption. Default: ''."),
        Option(["--fps"], type=Number(float), group=LOOK, common=True, help="Frames. Default: 1."),
        Option(["--kind"], type=Choice(["jpg", "png"]), group=REST, help="The kind; 4 at most."),
        Option(["--cols"], group=REST, many=True, metavar="NAME", help="Columns."),
        Option(["--private/--no-private"], is_flag=True, default=None, group=REST, help="Off?"),
    ]  # fmt: skip
    return Command(
        "look",
        params=options,
        run=called.append,
        description="Look.",
        examples=["a.mp4 --text x"],
        groups=(LOOK, REST),
    )


@pytest.fixture
def run(command, capsys):
    def run(*words):
        status = run_command(command, words, "look")
        return status, *capsys.readouterr()

    return run


def test_it_gets_what_is_given_and_no_more(run, called):
    assert run("a.mp4", "--text", "x", "--cols", "a", "b", "--no-private", "--fps", "2") == (
        0,
        "",
        "",
    )
    assert run("--text", "x", "--text", "y", "b.mp4")[0] == 0
    assert called == [
        {"video": "a.mp4", "text": ("x",), "cols": ("a", "b"), "private": False, "fps": 2.0},
        {"video": "b.mp4", "text": ("x", "y")},
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: VIDEO, --text"),
        (["a.mp4", "b.mp4", "--text", "x"], "unrecognized arguments: b.mp4; quote a pattern"),
        (["a.mp4", "b.mp4"], "unrecognized arguments: b.mp4; did you mean --text b.mp4?"),
        (["a.mp4", "--tet", "x"], "unrecognized arguments: --tet x; did you mean --text?"),
        (["a.mp4", "--text", "x", "--fps", "many"], "argument --fps: invalid float value: 'many'"),
        (
            ["a.mp4", "--text", "x", "--kind", "jpeg"],
            "argument --kind: invalid choice: 'jpeg' (choose from jpg, png); did you mean jpg?",
        ),
    ],
)
def test_wrong_words_are_one_line(run, called, words, message):
    status, out, err = run(*words)
    (line,) = err.splitlines()
    assert (status, out, called) == (2, "", [])
    assert line.startswith("look: error: ")
    assert line.endswith("; see --help")
    assert message in line


def test_the_short_help_has_the_common_options_and_names_the_groups(run):
    status, out, _ = run("--help")
    assert status == 0
    assert "Usage: look VIDEO --text TEXT [OPTIONS]" in out
    assert "  --text TEXT  What to look for.\n" in out, "the first sentence, no empty default"
    assert "  --fps VALUE  Frames. Default: 1.\n" in out
    assert "  rest  all else\n" in out
    assert "--kind" not in out
    assert run("-h")[1] == out


def test_the_help_of_a_group_and_of_all(run):
    assert run("--help", "rest")[1] == (
        "All else (rest):\n"
        "  --kind VALUE             The kind; 4 at most.\n"
        "  --cols NAME [NAME ...]   Columns.\n"
        "  --private, --no-private  Off?\n"
    )
    whole = run("--help-all")[1]
    assert "Best a caption." in whole
    assert "--kind VALUE" in whole
