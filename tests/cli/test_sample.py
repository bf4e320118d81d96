"""`spark-keyframes sample`: one video, without Spark."""

import json
import re
import signal
import subprocess
import time

import pytest
from PIL import Image

from spark_keyframes.cli import app
from tests.environments import environment_without
from tests.video.clips import H264, clip


@pytest.fixture
def sample(models, capsys):
    def sample(*words):
        model = ["--model-path", str(models), "--clip-model-name", "small", "--dtype", "float32"]
        status = app.main(
            ["sample", *map(str, words), *model, "--fps", "5", "--max-num-frames", "4"]
        )
        return status, *capsys.readouterr()

    return sample


def test_a_table_of_times_scores_and_paths(sample, clips, plain, tmp_path):
    images = tmp_path / "images"
    status, out, err = sample(clips[0], "--text", "spoon", "--output-tos-dir", images)
    assert (status, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert out.startswith(f"{clips[0]}: 4 keyframes of 18 candidates for “spoon”\n")
    assert lines[2] == ["time", "score", "frame", "path"]
    found = plain.sample(clips[0])
    assert [int(line[2]) for line in lines[3:]] == found.frame_ids
    assert [float(line[1]) for line in lines[3:]] == pytest.approx(found.scores, abs=1e-3)
    assert all(line[0].startswith("0:00:0") for line in lines[3:])
    assert len(list(images.rglob("*.jpg"))) == 4
    assert all(line[3].startswith(str(images)) for line in lines[3:])


def test_json_is_alone_on_standard_output(sample, clips, plain, tmp_path):
    sheet = tmp_path / "sheets" / "sheet.png"
    words = ["--text", "spoon", "--text", "egg", "--json", "--explain", "--sheet", sheet]
    status, out, err = sample(clips[0], *words)
    assert status == 0
    found = json.loads(out)
    assert found["video"] == str(clips[0])
    assert [each["text"] for each in found["texts"]] == ["spoon", "egg"]
    assert found["texts"][0]["candidates"] == found["texts"][0]["candidates_total"] == 18
    assert "chose 4 of 18 candidates" in found["texts"][0]["explanation"]
    frame_ids, expected = plain.sample(clips[0]).frame_ids, found["texts"][0]["keyframes"]
    assert [each["frame_id"] for each in expected] == frame_ids
    assert set(expected[0]) == {"seconds", "score", "frame_id", "path"}
    names = ["sheet-1-spoon.png", "sheet-2-egg.png"]
    assert sorted(path.name for path in sheet.parent.iterdir()) == names
    assert err == "".join(f"sheet: {sheet.parent / name}\n" for name in names)


def test_a_coarse_scan_says_how_many_candidates_there_are(sample, tmp_path):
    path = tmp_path / "video.mp4"
    options = H264 | {"sc_threshold": "0"}
    path.write_bytes(clip("libx264", "mp4", frames=250, gop=12, options=options))
    words = [path, "--text", "spoon", "--scan", "coarse"]
    status, out, err = sample(*words, "--explain")
    assert (status, err) == (0, "")
    some = re.match(rf"{path}: 4 keyframes of (\d+) candidates that were looked at, of 50 in", out)
    assert 4 <= int(some[1]) < 20
    assert f"chose 4 of {some[1]} candidates that were looked at, of 50 in all" in out
    (found,) = json.loads(sample(*words, "--json")[1])["texts"]
    assert (found["candidates"], found["candidates_total"]) == (int(some[1]), 50)


def test_it_says_why_a_coarse_scan_looked_at_all(sample, clips):
    status, out, err = sample(clips[0], "--text", "spoon", "--scan", "coarse")
    assert status == 0
    assert out.startswith(f"{clips[0]}: 4 keyframes of 18 candidates for “spoon”\n")
    assert re.fullmatch(rf"{clips[0]}: all candidates are looked at: its .*\n", err)


def test_explain_says_why_and_draws_it(sample, clips, tmp_path):
    plain, explained = tmp_path / "plain.png", tmp_path / "explained.png"
    assert sample(clips[0], "--text", "x", "--sheet", plain)[0] == 0
    status, out, _ = sample(clips[0], "--text", "x", "--sheet", explained, "--explain")
    assert status == 0
    assert "chose 4 of 18 candidates" in out
    assert Image.open(explained).height > Image.open(plain).height


def test_no_keyframe_is_no_failure(sample, clips, tmp_path):
    sheet = tmp_path / "sheet.png"
    words = ["--text", "spoon", "--min-score", "2", "--sheet", sheet]
    status, out, _ = sample(clips[0], *words)
    assert status == 0
    assert "0 keyframes of 18 candidates" in out
    assert "no sheet: no keyframe for “spoon”" in out
    assert not sheet.exists()


def test_files_that_are_no_sheet_of_this_run_stay_as_they_are(sample, clips, tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"important")
    several = ["--text", "spoon", "--text", "egg", "--sheet", photo]
    assert sample(clips[0], *several)[0] == 0
    # It was to be drawn, and the video failed.
    assert sample(__file__, "--text", "spoon", "--sheet", photo)[0] == 1
    assert photo.read_bytes() == b"important"


def test_a_video_that_fails_leaves_no_empty_sheet(sample, tmp_path):
    for texts in (["--text", "spoon"], ["--text", "spoon", "--text", "egg"]):
        assert sample(__file__, *texts, "--sheet", tmp_path / "sheets" / "sheet.png")[0] == 1
        assert list((tmp_path / "sheets").iterdir()) == []


def test_a_selector_that_reads_no_scores_needs_no_text(sample, clips):
    status, out, err = sample(clips[0], "--selector", "uniform")
    assert (status, err) == (0, "")
    assert "4 keyframes of 18 candidates\n" in out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["nothing.mp4"], 1, "SourceNotFoundError: no file nothing.mp4; check the path"),
        (["."], 1, "it is a folder; give the path of a video file"),
        ([__file__], 1, "NotAVideoError: "),
        (["https://u:secret@localhost:1/v.mp4?sig=secret"], 1, "localhost:1/v.mp4"),
        (["CLIP", "--start", "99"], 1, "WindowError: "),
        (["CLIP", "--fps", "0"], 2, "error: fps must be greater than 0"),
        (["CLIP", "--sheet", "a.gif"], 2, "--sheet must be a file that ends with .png"),
        (["CLIP", "--sheet", "/proc/a/b.png"], 2, "--sheet /proc/a/b.png cannot be written"),
        (["CLIP", "--output-tos-dir", "/proc/a"], 1, "could not store images in /proc/a"),
        (["CLIP", "--model-path", "/nowhere"], 2, "no model in '/nowhere/small'"),
        (["CLIP", "other.mp4"], 2, "sample takes one video, and --text TEXT: for more"),
        (["CLIP", "--txt", "x"], 2, "did you mean --text?"),
    ],
)
def test_what_is_wrong_is_one_line(words, status, message, models, clips, capsys):
    words = [str(clips[0]) if word == "CLIP" else word for word in words]
    model = [] if "--model-path" in words else ["--model-path", str(models)]
    given = ["sample", *words, "--text", "spoon", *model, "--clip-model-name", "small"]
    assert app.main(given) == status
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == ""
    assert line.startswith("spark-keyframes sample: ")
    assert message in line
    assert "secret" not in line


@pytest.mark.parametrize("words", [[], ["--text", ""], ["--text", "x", "--text", " "]])
def test_a_text_is_needed(words, clips, capsys):
    assert app.main(["sample", str(clips[0]), *words]) == 2
    assert "--text is required: what to look for" in capsys.readouterr().err


def test_without_a_model_folder_the_hub_is_asked(clips, capsys, monkeypatch):
    """The documented default is a folder that most machines lack."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert app.main(["sample", str(clips[0]), "--text", "x", "--clip-model-name", "no/such"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("no folder /opt/las/models: the model no/such is taken from the Hugging")
    assert "the Hugging Face Hub gave no model 'no/such'" in err


@pytest.mark.slow
def test_it_works_without_pyspark_and_java_and_ends_with_ctrl_c(models, clips, tmp_path):
    python = environment_without(tmp_path / "environment", "pyspark", "py4j")
    words = [python, "-m", "spark_keyframes", "sample", clips[0], "--text", "spoon"]
    words += ["--model-path", models, "--clip-model-name", "small"]
    about = {"cwd": tmp_path, "env": {"PATH": "/nowhere"}, "text": True}
    done = subprocess.run(words, **about, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "keyframes of" in done.stdout
    job = [python, "-m", "spark_keyframes", "transform", "--input", clips[0]]
    done = subprocess.run(job, **about, capture_output=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "spark-keyframes transform: error: transform needs pyspark, which is not installed; pip "
        "install pyspark, or set SPARK_HOME to the folder of your Spark\n"
    )

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([*words, "--fps", "1000"], **about, **pipes)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode != 0:  # it was not done yet
        # Python ends by the signal itself where that came while it ran a string, as imports do of
        # dataclasses. A shell shows 130 for both.
        assert process.returncode in (130, -signal.SIGINT)
        assert out == ""
        assert err.endswith("spark-keyframes sample: interrupted\n")
        assert "Traceback" not in err
