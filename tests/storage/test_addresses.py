"""The classification of addresses, and the refusal of connections to those not allowed."""

import ipaddress
import shlex
import shutil
import socket
import ssl
import subprocess

import pytest

from spark_keyframes.errors import AccessError, SourceReadError
from spark_keyframes.storage import Access, open_url
from spark_keyframes.storage.addresses import is_metadata, is_public, resolve
from spark_keyframes.storage.download import remote
from tests.storage.web_server import VIDEO, WebServer, answer, without_proxies

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
    "64:ff9b::169.254.169.254",  # NAT64
    "2002:a9fe:a9fe::1",  # 6to4
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",  # SIIT
    "::ffff:0:100.100.100.200",
    "64:ff9b:1::169.254.169.254",  # NAT64 of the local network, with prefixes of 96,
    "64:ff9b:1:a9fe:a9:fe00::",  # 48,
    "64:ff9b:1:a9:fe:a9fe::",  # 56
    "64:ff9b:1:0:a9:fea9:fe00:0",  # and 64 bits
    "64:ff9b:1:a9fe:a9:fe00:808:808",
    "2001:db8::5efe:169.254.169.254",  # ISATAP
    "2400:3200::200:5efe:169.254.169.254",
    "192.0.0.192",
    "fd00:ec2::23",
    "fd00:42::42",
]
PRIVATE = [
    "127.0.0.1",
    "127.255.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",  # carrier-grade NAT; also used inside clouds
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
    "4000::1",  # not assigned
    "::ffff:10.0.0.1",
    "::10.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:0a00:0001::1",
    "::ffff:0:10.0.0.1",
    "::ffff:0:1.1.1.1",  # translated inside of a network only
    "64:ff9b:1::1.1.1.1",
    "2400:3200::5efe:10.0.0.1",
]
PUBLIC = [
    "1.1.1.1",
    "223.5.5.5",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "2400:3200::1",
    "2606:4700:4700::1111",
    "2400:3200::5efe:1.1.1.1",
]
# The registries of special-purpose addresses of IANA: all blocks that are not
# globally reachable, or of which the registry does not say so.
SPECIAL = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.170/32"),
    *("192.0.0.171/32", "192.0.2.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "255.255.255.255/32"),
    *("::1/128", "::/128", "::ffff:0.0.0.0/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64"),
    *("2001::/23", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:db8::/32", "3fff::/20"),
    *("5f00::/16", "fc00::/7", "fe80::/10"),
    # Reachable from everywhere, but as the nearest gateway or relay, or as a name of a host.
    *("192.0.0.9/32", "192.0.0.10/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128"),
    *("2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28"),
]
# Reachable from everywhere, as all other addresses are.
NOT_SPECIAL = ["192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48"]


@pytest.mark.parametrize("address", METADATA)
def test_metadata_addresses_are_recognised_in_every_form(address):
    assert is_metadata(address)
    assert not is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address):
    assert not is_public(address)
    assert not is_metadata(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address):
    assert is_public(address)
    assert not is_metadata(address)


@pytest.mark.parametrize("block", SPECIAL)
def test_special_purpose_addresses_are_not_public(block):
    network = ipaddress.ip_network(block)
    for address in (network[0], network[-1], network[network.num_addresses // 2]):
        if not getattr(address, "ipv4_mapped", None):  # the address is that of IPv4 then
            assert not is_public(str(address))


@pytest.mark.parametrize("block", NOT_SPECIAL)
def test_other_blocks_of_the_registries_are_public(block):
    network = ipaddress.ip_network(block)
    assert all(is_public(str(address)) for address in (network[1], network[-2]))


@pytest.mark.parametrize(
    "host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.16689662", "169.254.169.254"]
)
def test_numeric_hosts_resolve_in_any_notation(host):
    assert resolve(host, 80) == ["169.254.169.254"]
    assert resolve("[::1]", 80) == ["::1"]


# With real servers.


def read(url, **access):
    with open_url(url, access=Access(**access)) as file:
        return file.read()


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "100.96.0.96",
    ],
)
def test_metadata_addresses_are_never_read(host):
    with pytest.raises(AccessError, match="such addresses are never read") as caught:
        read(f"http://{host}/latest/meta-data?secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "0.0.0.0", "[::ffff:7f00:1]"],
)
def test_private_addresses_are_read_only_if_allowed(web, host):
    web.paths["/a"] = [answer()]
    url = web.url.replace("127.0.0.1", host) + "/a"
    with pytest.raises(AccessError, match="which is not a public address; with private_addresses"):
        read(url, private_addresses=False)
    assert web.seen == []
    if "ffff" not in host:  # the server listens on IPv4 only
        assert read(url) == VIDEO


def test_a_redirect_to_a_metadata_address_is_not_followed(web):
    web.paths["/a"] = [answer(302, b"", Location="http://169.254.169.254/latest?secret")]
    with pytest.raises(AccessError, match=r"/a is not read: host '169\.254\.169\.254' resolves to"):
        read(f"{web.url}/a")
    assert len(web.seen) == 1


@pytest.fixture
def names(monkeypatch):
    """Name → the addresses of each lookup in turn; the last ones are repeated."""
    table = {}
    own = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host not in table:
            return own(host, port, *args, **kwargs)
        answers = table[host]
        table[host] = answers[1:] or answers
        return [found for address in answers[0] for found in own(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return table


def test_a_name_is_resolved_once_for_check_and_connection(web, names):
    web.paths["/a"] = [answer()]
    port = web.http.server_port
    names["rebind.example"] = [["127.0.0.1"], ["169.254.169.254"]]
    assert read(f"http://rebind.example:{port}/a") == VIDEO
    assert web.seen[0].headers["Host"] == f"rebind.example:{port}"
    with pytest.raises(AccessError, match=r"host 'rebind.example' resolves to 169\.254\.169\.254"):
        read(f"http://rebind.example:{port}/a")


def test_one_refused_address_among_several_refuses_the_host(web, names):
    names["mixed.example"] = [["127.0.0.1", "169.254.169.254"]]
    with pytest.raises(AccessError, match="'mixed.example' resolves to 169"):
        read(f"http://mixed.example:{web.http.server_port}/a")
    assert web.seen == []


def test_the_next_address_is_tried_after_a_failed_connection(web, names):
    web.paths["/a"] = [answer()]
    names["two.example"] = [["127.0.0.2", "127.0.0.1"]]
    assert read(f"http://two.example:{web.http.server_port}/a") == VIDEO


def test_hosts_are_checked_before_a_request_through_a_proxy(web, names, monkeypatch):
    monkeypatch.setenv("http_proxy", web.url)
    monkeypatch.setenv("no_proxy", "")
    names["inside.example"] = [["169.254.169.254"]]
    for url in ("http://169.254.169.254/a", "http://2852039166/a", "http://inside.example/a"):
        with pytest.raises(AccessError, match=r"resolves to 169\.254"):
            read(url)
    with pytest.raises(AccessError, match="not a public address"):
        read("http://10.0.0.1/a", private_addresses=False)
    assert web.seen == []
    # The proxy's own address is private. Only the proxy can resolve this name.
    web.paths["http://known-to-the-proxy.invalid/a"] = [answer()]
    assert read("http://known-to-the-proxy.invalid/a", private_addresses=False) == VIDEO


def test_hosts_are_checked_before_a_request_through_a_proxy_for_https(web, names, monkeypatch):
    monkeypatch.setenv("https_proxy", web.url)
    monkeypatch.setenv("no_proxy", "")
    names["inside.example"] = [["10.0.0.1"]]
    for host in ("169.254.169.254", "inside.example"):
        with pytest.raises(AccessError, match="resolves to"):
            read(f"https://{host}/a", private_addresses=False)
    assert web.seen == []
    web.paths["known-to-the-proxy.invalid:443"] = [answer(403, b"")]
    monkeypatch.setattr(remote, "ATTEMPTS", 1)
    with pytest.raises(SourceReadError, match="HTTPS_PROXY"):
        read("https://known-to-the-proxy.invalid/a", private_addresses=False)
    assert len(web.seen) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_the_certificate_is_checked_against_the_name(tmp_path, names, monkeypatch):
    without_proxies(monkeypatch)
    subprocess.run(
        shlex.split(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem "
            "-out cert.pem -subj /CN=tls.example -addext subjectAltName=DNS:tls.example"
        ),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
    names["tls.example"] = names["other.example"] = [["127.0.0.1"]]
    with WebServer(context) as web:
        web.paths["/a"] = [answer()]
        port = web.http.server_port
        assert read(f"https://tls.example:{port}/a", allowed_schemes=("https",)) == VIDEO
        for host in ("other.example", "127.0.0.1"):
            with pytest.raises(SourceReadError, match="certificate could not be verified"):
                read(f"https://{host}:{port}/a")


def test_the_endpoint_of_tos_may_be_private(tos):
    tos.objects["bucket", "a"] = b"data"
    assert read("tos://bucket/a", private_addresses=False) == b"data"
