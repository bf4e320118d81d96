"""Which addresses are public, and which belong to a cloud's own services."""

import pytest

from spark_keyframes.storage.addresses import is_metadata, is_public, resolve

METADATA = [
    "169.254.169.254",
    "169.254.0.23",
    "fe80::1",
    "fe80::a9fe:a9fe%2",
    "100.96.0.96",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",  # through a gateway to IPv4
    "2002:a9fe:a9fe::1",  # 6to4
    "::169.254.169.254",
]
PRIVATE = [
    "127.0.0.1",
    "127.255.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",  # between a provider and its customers; also inside of clouds
    "0.0.0.0",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "4000::1",  # given to nobody
    "::ffff:10.0.0.1",
    "::10.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:0a00:0001::1",
]
PUBLIC = [
    "1.1.1.1",
    "223.5.5.5",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "2400:3200::1",
    "2606:4700:4700::1111",
]


@pytest.mark.parametrize("address", METADATA)
def test_metadata_is_known_in_every_form(address):
    assert is_metadata(address)
    assert not is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private(address):
    assert not is_public(address)
    assert not is_metadata(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address):
    assert is_public(address)
    assert not is_metadata(address)


@pytest.mark.parametrize(
    "host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.16689662", "169.254.169.254"]
)
def test_numbers_in_any_notation_resolve_to_what_they_are(host):
    assert resolve(host, 80) == ["169.254.169.254"]
    assert resolve("[::1]", 80) == ["::1"]
