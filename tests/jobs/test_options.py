"""The options of the jobs: as dataclasses, and on the command line."""

import ast
import math
import re
import subprocess
import sys
from dataclasses import fields

import pytest

from spark_keyframes import Access, Limits, ParameterError, VideoAdaptiveKeyframesSampling
from spark_keyframes.fields import doc_of
from spark_keyframes.jobs import ingest, sample, search
from spark_keyframes.jobs.command_line import size
from spark_keyframes.jobs.failure_limit import MaxFailures
from spark_keyframes.jobs.ingest import IngestOptions
from spark_keyframes.jobs.sample import SampleOptions
from tests.conftest import REPO

INGEST = ["--input", "x", "--checkpoint", "y"]
IN_ROWS = VideoAdaptiveKeyframesSampling(video_src_type="video_binary")


def test_what_is_not_given_keeps_its_default():
    assert sample.parse_options(["--input", "x"]) == SampleOptions(input="x")
    given = ["--input", "x", "--fps", "2", "--t2", "-0.5"]
    sampler = VideoAdaptiveKeyframesSampling(fps=2.0, t2=-0.5)
    assert sample.parse_options(given) == SampleOptions(input="x", sampler=sampler)


def test_options_of_every_type():
    given = ["--input", "x", "--output", "y", "--resume", "--option", "a=b=c", "--option", "d=e"]
    given += ["--partition-by", "year", "month", "--max-file-bytes", "1M", "--id-col", "id"]
    given += ["--max-failures", "5%", "--on-error", "raise", "--cpus", "4"]
    assert sample.parse_options(given) == SampleOptions(
        input="x",
        output="y",
        resume=True,
        option={"a": "b=c", "d": "e"},
        partition_by=("year", "month"),
        max_file_bytes=2**20,
        id_col=("id",),
        max_failures=MaxFailures(percent=5),
        on_error="raise",
        cpus=4,
    )


def test_the_number_of_the_video_stream_is_an_option():
    given = ["--input", "x", "--video-stream"]
    assert sample.parse_options([*given, "0"]).sampler.video_stream == 0
    assert sample.parse_options(given[:2]).sampler.video_stream is None


def test_how_frames_are_chosen_is_an_option_and_a_search_has_a_gap_of_its_own():
    given = ["--input", "x", "--selector", "logdet", "--diversity", "0.3", "--min-gap", "1.5"]
    sampler = sample.parse_options([*given, "--max-similarity", "0.9"]).sampler
    assert (sampler.selector, sampler.diversity) == ("logdet", 0.3)
    assert (sampler.min_gap, sampler.max_similarity) == (1.5, 0.9)
    options = search.parse_options(["--input", "x", "--text", "y", "--min-gap", "1.5"])
    assert (options.min_gap, options.sampler.min_gap) == (1.5, 0.0)


def test_limits_and_access_are_options_too():
    given = ["--input", "x", "--max-download-bytes", "2G", "--max-decode-bytes", "1.5g"]
    given += ["--max-video-seconds", "inf", "--max-frames", "1000", "--no-private-addresses"]
    given += ["--allowed-schemes", "https", "tos", "--allowed-roots", "/data"]
    sampler = sample.parse_options(given).sampler
    assert sampler.limits == Limits(
        max_download_bytes=2 * 2**30,
        max_decode_bytes=3 * 2**29,
        max_video_seconds=math.inf,
        max_frames=1000,
    )
    assert sampler.access == Access(
        allowed_schemes=("https", "tos"), allowed_roots=("/data",), private_addresses=False
    )


def test_ingest_resolves_folders_and_knows_videos_in_rows_by_their_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    given = ["--input", "in", "--checkpoint", "hdfs://a/b", "--output", "out"]
    options = ingest.parse_options([*given, "--video-src-type", "video_binary"])
    assert options == IngestOptions(
        input=f"{tmp_path}/in",
        checkpoint="hdfs://a/b",
        output=f"{tmp_path}/out",
        id_col=("path",),
        sampler=IN_ROWS,
    )
    named = ingest.parse_options([*given, "--input-col", "v", "--input-format", "table"])
    assert named.input == "in", "a name in the catalogue"


@pytest.mark.parametrize(
    ("text", "number"),
    [("8589934592", 8 * 2**30), ("8G", 8 * 2**30), ("512 MB", 512 * 2**20), ("1.5KiB", 1536)],
)
def test_sizes(text, number):
    assert size(text) == number


@pytest.mark.parametrize("job", [sample, ingest])
def test_the_help_explains_every_option(job, capsys):
    with pytest.raises(SystemExit) as end:
        job.parse_options(["--help-all"])
    assert end.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert re.search(r"--max-download-bytes SIZE [^-]+ Default: 8G\.", printed)
    assert "--allowed-schemes NAME [NAME ...]" in printed
    assert "--private-addresses, --no-private-addresses" in printed
    assert "instead of --text." in printed
    assert "`" not in printed, "the names of other options, as parameters"
    options = SampleOptions if job is sample else IngestOptions
    no_options = {"sampler", "imports", "limits", "access", "texts"}
    for owner in (options, VideoAdaptiveKeyframesSampling, Limits, Access):
        for field in fields(owner):
            if field.init and field.name not in no_options:
                assert doc_of(field), f"{field.name} has no text"
                assert f" --{field.name.replace('_', '-')} " in printed.replace(",", " ").replace(
                    ".", " "
                )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"resume": True}, "`resume` needs a table: `output` or `output_table`"),
        ({"videos_per_batch": 9}, "`videos_per_batch` needs a table"),
        ({"output": "x", "output_table": "y"}, "`output` and `output_table` exclude each other"),
        ({"limit": 0}, "`limit` must be at least 1, got 0"),
        (
            {"output": "x", "resume": True, "sampler": IN_ROWS},
            "does not keep a 'video_binary'.*give `id_col`",
        ),
    ],
)
def test_options_in_a_program_are_checked_by_name(given, message):
    with pytest.raises(ParameterError, match=message):
        SampleOptions(input="x", **given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "--resume needs a table: --output or --output-table"),
        (["--explode"], "--explode needs a table"),
        (["--output", "x", "--resume", "--mode", "append"], "leave --mode append out"),
        (["--output", "x", "--retry-failed"], "--retry-failed needs --failed-output"),
        (["--output", "x", "--option", "compression"], "must be KEY=VALUE, got 'compression'"),
        (["--output", "x", "--output-table", "y"], "--output and --output-table exclude"),
        (["--output", "x", "--videos-per-batch", "0"], "must be at least 1, got 0"),
        (["--output", "x", "--videos-per-batch", "9", "--limit", "5"], "leave one of them out"),
        (
            ["--output", "x", "--explode", "--option", "maxRecordsPerFile=9"],
            "would divide the keyframes of a video",
        ),
        (
            ["--output", "x", "--failed-output", "y", "--on-error", "raise"],
            "--failed-output has no effect",
        ),
    ],
)
def test_options_that_exclude_each_other(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        sample.parse_options(["--input", "x", *arguments])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--output or --output-table is required"),
        (["--output", "x", "--files-per-batch", "0"], "--files-per-batch must be at least 1"),
        (["--output", "x", "--video-src-type", "video_base64"], "video_base64 needs --input-col"),
        (
            ["--output", "x", "--video-src-type", "video_base64", "--input-col", "v"],
            "give --id-col",
        ),
        (
            ["--output", "x", "--on-error", "raise"],
            "unrecognized arguments: --on-error raise; did you mean --error-col?; see --help",
        ),
        (
            ["--output", "x", "b.mp4"],
            "unrecognized arguments: b.mp4; quote a pattern, so that the shell does not expand it",
        ),
        (["--output", "x", "--partition-bi=x"], "did you mean --partition-by?"),
        (["--output", "x", "--mode", "overwrite"], "invalid choice: 'overwrite'"),
    ],
)
def test_options_that_ingest_refuses(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        ingest.parse_options([*INGEST, *arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: --input"),
        (["--input", "x", "--max-pixels", "0"], "max_pixels must be at least 1, got 0"),
        (["--input", "x", "--max-decode-bytes", "4 X"], "a number of bytes such as 8589934592, 8G"),
        (["--input", "x", "--allowed-hosts"], "expected at least one argument"),
        (["--input", "x", "--max-failures", "many"], "--max-failures must be a number of videos"),
        (["--input", "x", "--max-failures", "101%"], "a share up to 100%, got '101%'"),
        (["--input", "x", "--fps", "many"], "invalid float value: 'many'"),
        (["--input", "x", "--limit", "0"], "--limit must be at least 1, got 0"),
        (["--input", "x", "--img-type", ".gif"], "invalid choice: '.gif'"),
        (["--input", "x", "--fps", "0"], "fps must be greater than 0"),
        (["--input", "x", "--video-stream", "-1"], "video_stream must be at least 0, got -1"),
    ],
)
def test_wrong_values_end_the_job_before_spark_starts(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        sample.parse_options(arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("script", ["sample.py", "ingest.py", "index.py", "search.py"])
def test_the_scripts_exit_with_2_for_wrong_options(script):
    done = subprocess.run(
        [sys.executable, str(REPO / "jobs" / script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"{script}: error: the following arguments are required: --input" in done.stderr


PACKAGE = REPO / "spark_keyframes"


def test_only_the_command_line_knows_flags():
    """Other code of the library names parameters; the allowed ones are those of spark-submit."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        room = path.relative_to(PACKAGE).parts[0]
        if room in ("cli", "command", "demo", "doctor"):
            continue
        assert ("click" in imported) == (path == PACKAGE / "jobs" / "command_line.py"), path
        docs = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        examples = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.keyword) and node.arg == "examples"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", node.value))
                allowed = {"--conf", "--help", "--packages", "--py-files"}
                assert id(node) in docs | examples or flags <= allowed, f"{path}: {flags}"
