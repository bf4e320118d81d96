"""The settings that the environment variables give, without network."""

import pytest

from spark_keyframes.errors import CredentialsError, KeyframesError, ParameterError
from spark_keyframes.storage import check_writable
from spark_keyframes.storage.tos.environment import read_settings

KEYS = {"ACCESS_KEY": "a", "SECRET_KEY": "s"}
SDK_KEYS = {"TOS_ACCESS_KEY": "A", "TOS_SECRET_KEY": "S"}
BEIJING = {"TOS_REGION": "cn-beijing"}


def settings(**environment: str):
    return read_settings(environment, stage="upload")


def test_the_names_of_the_sdk_have_precedence():
    found = settings(**KEYS, **SDK_KEYS, **BEIJING)
    assert (found.access_key, found.secret_key) == ("A", "S")


@pytest.mark.parametrize("keys", [KEYS, SDK_KEYS])
def test_temporary_keys_may_have_either_name(keys):
    assert settings(**keys, **BEIJING).security_token == ""
    found = settings(**keys, **BEIJING, TOS_SECURITY_TOKEN="t\n")
    assert found.security_token == "t"
    assert found.key_names == tuple(keys)


def test_the_repr_of_the_settings_shows_no_keys():
    shown = repr(settings(ACCESS_KEY="AK1", SECRET_KEY="SK1", TOS_SECURITY_TOKEN="ST1", **BEIJING))
    assert not [key for key in ("AK1", "SK1", "ST1") if key in shown]
    assert "cn-beijing" in shown


def test_both_keys_come_from_the_same_pair_of_names():
    found = settings(**KEYS, TOS_ACCESS_KEY="A", **BEIJING)
    assert (found.access_key, found.secret_key) == ("a", "s")


def test_white_space_around_values_is_dropped():
    assert settings(ACCESS_KEY="a\n", SECRET_KEY=" s ", **BEIJING).access_key == "a"


@pytest.mark.parametrize("name", ["ACCESS_KEY", "SECRET_KEY", "TOS_SECURITY_TOKEN"])
@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("ab\nX-Other: cd", "character 3 of 14 is a line break"),
        ("ab\rcd", "character 3 of 5 is a line break"),
        ("ab\x00cd", "character 3 of 5 is not printable ASCII"),
        ("ab密cd", "character 3 of 5 is not printable ASCII"),
        ("abécd", "character 3 of 5 is not printable ASCII"),
        ("ab\udcffcd", "character 3 of 5 is not printable ASCII"),
    ],
)
def test_keys_that_no_header_can_hold_are_refused_on_the_driver(environment, name, value, what):
    # Not through os.environ: it cannot hold a null byte, which a Hadoop configuration can.
    with pytest.raises(
        CredentialsError, match=f"{name} is no key of TOS: {what}; set it"
    ) as caught:
        settings(**KEYS | BEIJING | {name: value})
    assert "cd" not in str(caught.value)
    if "\0" not in value:
        environment.setenv(name, value)
        with pytest.raises(CredentialsError, match=name) as caught:
            check_writable("tos://bucket/a")
        assert caught.value.stage == "parameters"


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({}, "ACCESS_KEY is not set and SECRET_KEY is not set"),
        ({"ACCESS_KEY": "a"}, "SECRET_KEY is not set"),
        ({"ACCESS_KEY": "", "SECRET_KEY": "s"}, "ACCESS_KEY is empty"),
        ({"TOS_SECRET_KEY": "S"}, "TOS_ACCESS_KEY is not set"),
    ],
)
def test_missing_keys_are_named(environment, missing):
    with pytest.raises(CredentialsError, match=f"TOS: {missing};"):
        settings(**environment, **BEIJING)


def test_the_endpoint_follows_from_the_region():
    assert settings(**KEYS, **BEIJING).endpoint == "https://tos-cn-beijing.volces.com"


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("https://tos-cn-beijing.volces.com", "cn-beijing"),
        ("tos-cn-guangzhou.ivolces.com", "cn-guangzhou"),
        ("http://TOS-ap-southeast-1.volces.com:80/", "ap-southeast-1"),
        ("https://tos-ap-southeast-1.bytepluses.com", "ap-southeast-1"),
    ],
)
def test_the_region_follows_from_a_public_endpoint(endpoint, region):
    assert settings(**KEYS, TOS_ENDPOINT=endpoint).region == region


@pytest.mark.parametrize("endpoint", ["https://tos-accelerate.volces.com", "http://10.0.0.1:8080"])
def test_the_region_does_not_follow_from_other_endpoints(endpoint):
    with pytest.raises(CredentialsError, match=r"TOS_REGION is not set.*does not name the region"):
        settings(**KEYS, TOS_ENDPOINT=endpoint)
    assert settings(**KEYS, TOS_ENDPOINT=endpoint, **BEIJING).endpoint == endpoint


def test_without_endpoint_and_region_both_are_named():
    with pytest.raises(CredentialsError, match=r"TOS_ENDPOINT is not set and TOS_REGION is not"):
        settings(**KEYS)


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://tos-cn-beijing.volces.com",
        "https://",
        "https://host/folder",
        "https://host:port",
        "https://a:hidden@host",
        "a:hidden@host",
        "https://host name",
        "https://[",
        "https://host?x",
    ],
)
def test_an_invalid_endpoint_is_refused(endpoint):
    with pytest.raises(ParameterError, match="TOS_ENDPOINT must be the host") as caught:
        settings(**KEYS, TOS_ENDPOINT=endpoint, **BEIJING)
    assert "hidden" not in str(caught.value)


def test_the_s3_endpoint_is_not_the_tos_endpoint():
    with pytest.raises(ParameterError, match=r"use tos-cn-beijing\.volces\.com"):
        settings(**KEYS, TOS_ENDPOINT="https://tos-s3-cn-beijing.volces.com")


def test_an_invalid_region_is_refused():
    with pytest.raises(ParameterError, match="TOS_REGION"):
        settings(**KEYS, TOS_REGION="https://tos-cn-beijing.volces.com")


@pytest.fixture
def environment(monkeypatch):
    for name in (*SDK_KEYS, "TOS_ENDPOINT", "TOS_SECURITY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (KEYS | BEIJING).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("output_dir", ["tos://bucket", "tos://bucket/", "tos://bucket/a/勺子/"])
def test_a_valid_output_folder_is_accepted(environment, output_dir):
    check_writable(output_dir)


@pytest.mark.parametrize(
    "output_dir", ["tos://", "tos:///a", "tos://Bucket/a", "tos://bucket/../a"]
)
def test_an_invalid_output_folder_is_refused(environment, output_dir):
    with pytest.raises(ParameterError, match="TOS"):
        check_writable(output_dir)


def test_missing_keys_are_found_on_the_driver(environment):
    environment.delenv("SECRET_KEY")
    with pytest.raises(CredentialsError, match="SECRET_KEY is not set") as caught:
        check_writable("tos://bucket/a")
    assert caught.value.stage == "parameters"


def test_the_endpoint_must_not_contain_the_bucket(environment):
    environment.setenv("TOS_ENDPOINT", "https://bucket.tos-cn-beijing.volces.com")
    with pytest.raises(ParameterError, match="remove 'bucket'"):
        check_writable("tos://bucket/a")


@pytest.mark.parametrize("output_dir", ["http://host/a", "https://host/a"])
def test_http_is_read_only(output_dir):
    with pytest.raises(KeyframesError, match="read-only"):
        check_writable(output_dir)
