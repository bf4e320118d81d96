"""The chain of errors behind an error, and the short reason that is taken from it."""

import pytest
import requests

from spark_keyframes.error_chain import error_chain, root_cause


def caught(function, *arguments):
    try:
        function(*arguments)
    except (OSError, ValueError) as error:
        return error
    pytest.fail("no error was raised")


def raise_from(error, cause):
    raise error from cause


def raise_during(error, earlier):
    try:
        raise earlier
    except type(earlier):
        raise error from None


def test_the_chain_follows_causes_contexts_and_arguments():
    first, second, third = KeyError("first"), OSError("second"), ValueError("third")
    caught(raise_during, second, first)
    caught(raise_from, third, second)
    assert list(error_chain(RuntimeError("text", third)))[1:] == [third, second, first]


@pytest.mark.parametrize("name", ["reason", "cause"])
def test_the_chain_follows_the_attributes_of_known_packages(name):
    error, behind = ValueError("outer"), KeyError("inner")
    setattr(error, name, behind)
    assert list(error_chain(error)) == [error, behind]


def test_an_error_is_in_the_chain_once():
    error, behind = ValueError("outer"), KeyError("inner")
    error.reason = error.cause = behind
    behind.__context__ = error
    assert list(error_chain(caught(raise_from, error, behind))) == [error, behind]


def test_properties_are_not_called():
    class UnreadableError(Exception):
        @property
        def reason(self):
            raise AssertionError

    error = UnreadableError("text")
    assert list(error_chain(error)) == [error]


def test_the_reason_is_the_operating_system_s_and_never_the_url():
    error = caught(requests.get, "http://127.0.0.1:1/a?secret")
    assert "secret" in str(error)
    assert root_cause(error) == "Connection refused"


def test_without_a_reason_of_the_operating_system_it_is_the_last_class():
    error = ValueError("http://host/a?secret")
    error.__cause__ = KeyError("secret")
    assert root_cause(error) == "KeyError"
