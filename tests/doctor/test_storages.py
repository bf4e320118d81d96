"""TOS and S3: credentials, and one object that is written, read and removed."""

import pytest


@pytest.fixture(autouse=True)
def clean(no_cloud):
    """Without the machine's own credentials."""


def test_no_credentials_of_tos_are_a_note(line):
    _, level, found, advice = line("tos")
    assert (level, found) == ("note", "no credentials in the environment")
    assert "if you use tos://" in advice
    assert "spark.executorEnv.NAME" in line("tos", in_task=True)[3]


def test_credentials_of_tos_are_named_and_not_shown(line, tos):
    name, level, found, _ = line("tos")
    assert (name, level) == ("TOS", "good")
    assert "(ACCESS_KEY, SECRET_KEY), not tried; http://tos-cn-test.local, region cn-test" in found
    assert tos.access_key not in found
    assert tos.requests == 0


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SECRET_KEY", "", "SECRET_KEY is empty"),
        ("ACCESS_KEY", "two\nlines", "is no key of TOS"),
        ("TOS_REGION", "Beijing!", "TOS_REGION must be the name of a region"),
        ("TOS_ENDPOINT", "https://tos-s3-cn-beijing.volces.com", "not the S3-compatible one"),
    ],
)
def test_wrong_variables_of_tos_are_bad(line, tos, monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)
    _, level, found, advice = line("tos")
    assert level == "bad"
    assert said in found
    assert advice


def test_no_credentials_of_s3_are_a_note(line):
    pytest.importorskip("botocore")
    _, level, found, _ = line("s3")
    assert level == "note"
    assert found.startswith("no credentials in the chain of botocore")


def test_credentials_of_s3_say_where_they_come_from(line, monkeypatch, tmp_path):
    pytest.importorskip("botocore")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "QZXJKVWQZXJ")
    name, level, found, _ = line("s3")
    assert (name, level) == ("S3", "good")
    assert found.startswith("credentials of the environment, not tried; https://s3")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable)
    file = tmp_path / "credentials"
    file.write_text("[mine]\naws_access_key_id = AKIA\naws_secret_access_key = QZXJKVWQZXJ\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert "credentials of the file of credentials of the AWS CLI, profile mine" in line("s3")[2]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AWS_PROFILE", "none", "no client for S3: The config profile (none)"),
        ("AWS_ENDPOINT_URL", "minio:9000", "no client for S3"),
        ("AWS_REGION", "eu-central-1\n", "AWS_REGION holds a line end"),
    ],
)
def test_wrong_variables_of_s3_are_bad(line, monkeypatch, variable, value, said):
    pytest.importorskip("botocore")
    monkeypatch.setenv(variable, value)
    _, level, found, advice = line("s3")
    assert level == "bad"
    assert said in found
    assert advice


def test_nothing_is_written_unasked(lines):
    assert lines("writing") == []


def test_one_object_in_tos_is_written_read_and_removed(line, tos):
    name, level, found, _ = line("writing", write="tos://bucket/keyframes/")
    assert (name, level) == ("writing", "good")
    assert "100 kB written in 0." in found
    assert tos.objects == {}
    methods = [(method, status) for method, _, _, status in tos.answers]
    assert methods == [("PUT", 200), ("GET", 206), ("DELETE", 204)]
    assert tos.answers[0][2].startswith("keyframes/.spark_keyframes_doctor-")


def test_one_object_in_s3_is_written_read_and_removed(line, s3):
    s3.put("films", "a.mp4")
    assert line("writing", write="s3://films/keyframes")[1] == "good"
    assert s3.keys("films") == ["a.mp4"]


def test_a_local_folder_too(line, tmp_path):
    assert line("writing", write=str(tmp_path / "new"))[1] == "good"
    assert list((tmp_path / "new").iterdir()) == []


def test_wrong_credentials_are_bad(line, tos, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "QZXJKVWQZXJ")
    _, level, found, advice = line("writing", write="tos://bucket/a")
    assert level == "bad"
    assert "TOS refused to store tos://bucket/a/" in found
    assert "SignatureDoesNotMatch" in found
    assert "check ACCESS_KEY, SECRET_KEY" in advice
    assert "QZXJKV" not in found + advice


def test_a_bucket_that_does_not_exist_is_bad(line, s3):
    _, level, found, _ = line("writing", write="s3://mistyped/a")
    assert level == "bad"
    assert "no such bucket" in found


@pytest.mark.parametrize("place", ["https://host/a", "tos:/bucket", "data:,"])
def test_a_place_that_cannot_be_written_is_bad(line, place):
    _, level, _, advice = line("writing", write=place)
    assert level == "bad"
    assert advice


def test_a_key_that_may_not_remove_is_a_note(line, tos):
    from tests.storage.faults import Refusal

    tos.faults.extend(["none", "none", Refusal(403, "AccessDenied")])
    _, level, found, advice = line("writing", write="tos://bucket/a")
    assert level == "note"
    assert "written, but not removed: TOS refused to remove" in found
    assert "remove .spark_keyframes_doctor-" in advice


def test_an_object_that_comes_back_damaged_is_bad(lines, tos):
    tos.faults.extend(["none", "replaced"])
    found = lines("writing", write="tos://bucket/a")
    assert [each[1] for each in found] == ["bad"]
    assert "written, but not read" in found[0][2]
