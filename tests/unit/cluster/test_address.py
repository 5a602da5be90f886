"""What a person types for a cluster's scheduler, and when the way there is not encrypted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cluster.address import LONGEST_ADDRESS, ClusterAddress, Scheme, parse_cluster_address
from harness.errors import ExitStatus, UsageError


@pytest.mark.parametrize(
    ("text", "without_certificates", "with_certificates"),
    [
        ("rack.lab", "tls://rack.lab:8786", "tls://rack.lab:8786"),
        (" rack:9000 ", "tls://rack:9000", "tls://rack:9000"),
        ("TLS://rack:9000/", "tls://rack:9000", "tls://rack:9000"),
        ("192.168.1.7", "tls://192.168.1.7:8786", "tls://192.168.1.7:8786"),
        ("0.0.0.0:8786", "tls://0.0.0.0:8786", "tls://0.0.0.0:8786"),
        ("[fd00::7]:9000", "tls://[fd00::7]:9000", "tls://[fd00::7]:9000"),
        ("fd00::7", "tls://[fd00::7]:8786", "tls://[fd00::7]:8786"),
        ("localhost", "tcp://localhost:8786", "tls://localhost:8786"),
        ("127.0.0.1:0", "tcp://127.0.0.1:0", "tls://127.0.0.1:0"),
        ("127.8.9.10:1", "tcp://127.8.9.10:1", "tls://127.8.9.10:1"),
        ("[::1]:8786", "tcp://[::1]:8786", "tls://[::1]:8786"),
        ("::1", "tcp://[::1]:8786", "tls://[::1]:8786"),
        ("::ffff:127.0.0.1", "tcp://[::ffff:127.0.0.1]:8786", "tls://[::ffff:127.0.0.1]:8786"),
        ("tcp://127.0.0.1:8786", "tcp://127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("tls://localhost", "tls://localhost:8786", "tls://localhost:8786"),
        # Other ways to write loopback, and names that only begin like it, are not taken for it.
        ("127.1", "tls://127.1:8786", "tls://127.1:8786"),
        ("localhost.evil.example", "tls://localhost.evil.example:8786", "tls://localhost.evil.example:8786"),
    ],
)
def test_tls_is_the_rule(text: str, without_certificates: str, with_certificates: str) -> None:
    assert str(parse_cluster_address(text, has_certificates=False)) == without_certificates
    assert str(parse_cluster_address(text, has_certificates=True)) == with_certificates


@pytest.mark.parametrize(
    "text", ["tcp://rack:8786", "tcp://0.0.0.0", "tcp://[::]", "tcp://192.168.1.7", "tcp://127.1"]
)
def test_plain_tcp_leaves_this_machine_only_where_a_person_insists(text: str) -> None:
    with pytest.raises(UsageError, match="plain TCP") as caught:
        parse_cluster_address(text, has_certificates=True)
    assert "--insecure" in caught.value.next_step and "tls://" in caught.value.next_step
    assert parse_cluster_address(text, has_certificates=True, is_insecure=True).scheme is Scheme.TCP


def test_insecure_is_plain_and_contradicts_tls() -> None:
    assert str(parse_cluster_address("rack", has_certificates=True, is_insecure=True)) == "tcp://rack:8786"
    with pytest.raises(UsageError, match="contradict"):
        parse_cluster_address("tls://rack", has_certificates=True, is_insecure=True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no host"),
        ("tls://", "names no host"),
        (":8786", "names no host"),
        ("[]", "names no host"),
        ("http://rack:8787", "dashboard"),
        ("ucx://rack", "'ucx'"),
        ("a://b://c", "'a://b'"),
        ("rack:", "no port: ''"),
        ("rack:port", "no port: 'port'"),
        ("rack:65536", "no port: '65536'"),
        ("rack:-1", "no port: '-1'"),
        ("rack:\uff18\uff17", "no port"),
        ("[::1]8786", "no host and port"),
        ("[127.0.0.1]:8786", "no host: '127.0.0.1'"),
        ("[::1", "no host and port"),
        ("fd00::7:port", "no port"),
        ("user@rack", "no host and port"),
        ("rack/path", "no host and port"),
        ("räck", "no host: 'räck'"),
        ("rack lab", "no host: 'rack lab'"),
        ("-rack", "no host: '-rack'"),
        ("rack..lab", "no host"),
        ("rack\x1b[2J", "control characters"),
        ("rack\n", "control characters"),
        ("x" * (LONGEST_ADDRESS + 1), "too long"),
    ],
)
def test_what_is_no_address(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cluster_address(text, has_certificates=True)
    assert problem in caught.value.problem
    assert caught.value.exit_status is ExitStatus.USAGE
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@given(st.text(max_size=40) | st.text("tlscp:/[]0123456789.ab:-", max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_cluster_address(text, has_certificates=False)
    except UsageError:
        return
    assert parse_cluster_address(str(address), has_certificates=False) == address
    assert address.scheme is Scheme.TLS or address.is_loopback


def test_an_address_is_a_value() -> None:
    assert ClusterAddress(scheme=Scheme.TLS, host="rack") == parse_cluster_address(
        "rack", has_certificates=True
    )
