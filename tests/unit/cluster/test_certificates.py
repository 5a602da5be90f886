"""A lab's authority and what it issues; and every way in which a folder of certificates is not fit for use."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cluster.certificate_files import (
    AUTHORITY,
    AUTHORITY_KEY,
    LARGEST_BYTES,
    MACHINE,
    MACHINE_KEY,
    has_certificates,
    read_certificates,
)
from harness.cluster.certificates import issue_certificate, machine_name, make_certificates
from harness.errors import ExitStatus, InputError, UsageError

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the machine that made the authority, and another lab's beside it. Nobody writes there."""
    folder = tmp_path_factory.mktemp("labs")
    make_certificates(folder / "own", "desk1", now=NOW)
    make_certificates(folder / "other", "desk9", now=NOW)
    return folder


@pytest.fixture
def lab(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    for name in (AUTHORITY, AUTHORITY_KEY, MACHINE, MACHINE_KEY):
        copy = tmp_path / "lab" / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes((made / "own" / name).read_bytes())
        copy.chmod(0o600)
    return tmp_path / "lab"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_an_authority_and_its_first_machine(made: Path) -> None:
    found = read_certificates(made / "own", NOW)
    assert (found.authority.name, found.machine.name, found.can_issue) == (
        "authority of desk1",
        "desk1",
        True,
    )
    assert found.authority.valid_until - NOW == timedelta(days=3652)
    assert found.machine.valid_until - NOW == timedelta(days=825)
    assert found.machine.fingerprint != found.authority.fingerprint
    assert len(found.machine.fingerprint.split(":")) == 32
    certificate = x509.load_pem_x509_certificate((made / "own" / MACHINE).read_bytes())
    assert certificate.public_key().curve.name == "secp256r1"  # type: ignore[union-attr]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_private_keys_are_private(made: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (made / "own").iterdir()}
    assert modes[AUTHORITY_KEY] == modes[MACHINE_KEY] == 0o600
    assert stat.S_IMODE((made / "own").stat().st_mode) == 0o700


def test_an_issued_machine_gets_three_files_and_belongs(made: Path, tmp_path: Path) -> None:
    issued = issue_certificate(made / "own", "desk-2.lab", tmp_path / "a" / "b", now=NOW)
    assert set(contents(tmp_path / "a" / "b")) == {AUTHORITY, MACHINE, MACHINE_KEY}
    assert (issued.machine.name, issued.can_issue) == ("desk-2.lab", False)
    assert issued.authority == read_certificates(made / "own", NOW).authority
    with pytest.raises(InputError, match="its private key is missing"):
        issue_certificate(tmp_path / "a" / "b", "desk3", tmp_path / "c", now=NOW)


def test_nothing_is_written_over(lab: Path, made: Path) -> None:
    before = contents(lab)
    for spoilt in ((), (AUTHORITY,), (AUTHORITY, AUTHORITY_KEY), (AUTHORITY, AUTHORITY_KEY, MACHINE)):
        for name in spoilt:
            (lab / name).unlink(missing_ok=True)
        left = contents(lab)
        with pytest.raises(UsageError, match=r"here|already"):
            make_certificates(lab, "desk1", now=NOW)
        assert contents(lab) == left
    for name, content in before.items():
        (lab / name).write_bytes(content)
        (lab / name).chmod(0o600)
    with pytest.raises(UsageError, match="holds a machine's certificate already"):
        issue_certificate(made / "own", "desk1", lab, now=NOW)
    # Not even a renewal puts a machine into another lab.
    with pytest.raises(UsageError, match="an authority is here"):
        issue_certificate(made / "other", "desk1", lab, now=NOW, replaces=True)
    assert contents(lab) == before


def test_a_renewal_takes_the_place_of_certificate_and_key(lab: Path) -> None:
    before = contents(lab)
    later = NOW + timedelta(days=800)
    renewed = issue_certificate(lab, "desk1", lab, now=later, replaces=True)
    after = contents(lab)
    assert renewed.machine.valid_until == later + timedelta(days=825)
    assert {name for name in before if before[name] != after[name]} == {MACHINE, MACHINE_KEY}
    assert set(after) == set(before)


def test_a_certificate_ends_with_its_authority(lab: Path, tmp_path: Path) -> None:
    late = NOW + timedelta(days=3600)
    issued = issue_certificate(lab, "desk2", tmp_path / "late", now=late)
    assert issued.machine.valid_until == issued.authority.valid_until
    with pytest.raises(InputError, match="ended on 2036-11-25"):
        issue_certificate(lab, "desk2", tmp_path / "too late", now=NOW + timedelta(days=3653))


def test_what_cannot_be_written_whole_is_not_written(tmp_path: Path) -> None:
    (tmp_path / AUTHORITY).symlink_to(tmp_path / "nowhere" / "else")
    with pytest.raises(OSError):
        make_certificates(tmp_path, "desk1", now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == [AUTHORITY]


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "a b", "-x", "x" * 64, "räck", "a\x1b[2J", "a\n"])
def test_what_is_no_name_of_a_machine(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_certificates(tmp_path / "lab", name, now=NOW)
    assert caught.value.problem.isprintable()
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize(
    ("host", "name"),
    [("desk1.local", "desk1.local"), ("Ada’s Mac", "AdasMac"), ("", "machine"), ("x" * 70, "x" * 63)],
)
def test_a_machine_is_named_after_its_host(host: str, name: str) -> None:
    assert machine_name(host) == name


def spoil(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    return lambda lab, made: (lab / name).write_bytes(change((lab / name).read_bytes())) and None


def take(name: str) -> Callable[[Path, Path], None]:
    """Of the other lab."""
    return lambda lab, made: (lab / name).write_bytes((made / "other" / name).read_bytes()) and None


def remove(name: str) -> Callable[[Path, Path], None]:
    return lambda lab, made: (lab / name).unlink()


def be_a_folder(lab: Path, made: Path) -> None:
    (lab / MACHINE).unlink()
    (lab / MACHINE).mkdir()


def be_a_pipe(lab: Path, made: Path) -> None:
    (lab / MACHINE_KEY).unlink()
    os.mkfifo(lab / MACHINE_KEY)


def encrypt(lab: Path, made: Path) -> None:
    key = load_pem_private_key((lab / MACHINE_KEY).read_bytes(), password=None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (lab / MACHINE_KEY).write_bytes(pem)


def be_its_own_authority(lab: Path, made: Path) -> None:
    """A machine's certificate is no authority, though it was issued by one."""
    (lab / AUTHORITY).write_bytes((lab / MACHINE).read_bytes())


@pytest.mark.parametrize(
    ("act", "file", "problem"),
    [
        (remove(AUTHORITY), AUTHORITY, "is missing"),
        (remove(MACHINE), MACHINE, "is missing"),
        (remove(MACHINE_KEY), MACHINE_KEY, "is missing"),
        (spoil(MACHINE, lambda pem: b""), MACHINE, "is no certificate"),
        (spoil(MACHINE, lambda pem: pem[:300]), MACHINE, "is no certificate"),
        (spoil(MACHINE, lambda pem: b"\x00\xff" * 500), MACHINE, "is no certificate"),
        (
            spoil(AUTHORITY, lambda pem: pem.replace(b"CERTIFICATE", b"PUBLIC KEY")),
            AUTHORITY,
            "is no certificate",
        ),
        (spoil(AUTHORITY, lambda pem: pem * 2), AUTHORITY, "holds 2 certificates"),
        (spoil(AUTHORITY, lambda pem: b" " * LARGEST_BYTES + pem), AUTHORITY, "too large"),
        (spoil(MACHINE_KEY, lambda pem: b""), MACHINE_KEY, "is no private key"),
        (spoil(MACHINE_KEY, lambda pem: pem[:100]), MACHINE_KEY, "is no private key"),
        (be_a_folder, MACHINE, "is no file"),
        (be_a_pipe, MACHINE_KEY, "is no file"),
        (encrypt, MACHINE_KEY, "is encrypted"),
        (take(MACHINE_KEY), MACHINE_KEY, "does not fit the certificate of desk1"),
        (take(AUTHORITY), MACHINE, "desk1 was not issued by the authority"),
        (take(MACHINE), MACHINE, "desk9 was not issued by the authority"),
        (be_its_own_authority, AUTHORITY, "desk1 is damaged, or no authority"),
        (
            lambda lab, made: (lab / MACHINE_KEY).chmod(0o644),
            MACHINE_KEY,
            "others may read this private key (mode 0644)",
        ),
        (lambda lab, made: (lab / MACHINE_KEY).chmod(0o640), MACHINE_KEY, "mode 0640"),
        (
            lambda lab, made: (lab / AUTHORITY_KEY).chmod(0o604),
            AUTHORITY_KEY,
            "mode 0604",
        ),
        (
            lambda lab, made: (lab / AUTHORITY).chmod(0o666),
            AUTHORITY,
            "anybody on this machine may write to it",
        ),
        (lambda lab, made: lab.chmod(0o777), "", "anybody on this machine may write to it"),
    ],
)
def test_what_is_not_fit_for_use(
    lab: Path, made: Path, act: Callable[[Path, Path], None], file: str, problem: str
) -> None:
    act(lab, made)
    with pytest.raises(InputError) as caught:
        read_certificates(lab, NOW)
    assert problem in caught.value.problem
    assert caught.value.where == str(lab / file)
    assert caught.value.next_step
    assert caught.value.exit_status is ExitStatus.USAGE


def test_no_certificates_at_all(tmp_path: Path) -> None:
    assert not has_certificates(tmp_path)
    with pytest.raises(InputError, match="no certificates of a lab") as caught:
        read_certificates(tmp_path / "nowhere", NOW)
    assert "harness certificates make" in caught.value.next_step


@pytest.mark.parametrize(
    ("now", "problem", "next_step"),
    [
        (NOW - timedelta(hours=1, seconds=1), "valid only from 2026-11-26 11:00 UTC", "clock"),
        (NOW + timedelta(days=825, seconds=1), "desk1 ended on 2029-02-28", "issue desk1 --to"),
        (NOW + timedelta(days=3653), "authority of desk1 ended on 2036-11-25", "new authority"),
    ],
)
def test_certificates_have_their_time(made: Path, now: datetime, problem: str, next_step: str) -> None:
    with pytest.raises(InputError) as caught:
        read_certificates(made / "own", now)
    assert problem in caught.value.problem
    assert next_step in caught.value.next_step


def test_the_end_is_told_thirty_days_ahead(made: Path, tmp_path: Path) -> None:
    end = NOW + timedelta(days=825)
    quiet, soon = end - timedelta(days=30, seconds=1), end - timedelta(days=30)
    assert read_certificates(made / "own", quiet).warnings_at(quiet) == ()
    (warning,) = read_certificates(made / "own", soon).warnings_at(soon)
    assert "ends in 30 days, on 2029-02-28" in warning
    assert f"harness certificates issue desk1 --to {made / 'own'} --replace" in warning
    late = NOW + timedelta(days=3640)
    issued = issue_certificate(made / "own", "desk2", tmp_path / "desk2", now=late)
    assert len(issued.warnings_at(late)) == 2


@given(
    place=st.integers(0, 600),
    byte=st.integers(0, 255),
    name=st.sampled_from([AUTHORITY, MACHINE, MACHINE_KEY]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_changed_byte_is_told_or_changes_nothing(
    lab: Path, made: Path, place: int, byte: int, name: str
) -> None:
    good = (made / "own" / name).read_bytes()
    changed = bytearray(good)
    changed[place % len(good)] = byte
    (lab / name).write_bytes(changed)
    try:
        found = read_certificates(lab, NOW)
    except InputError:
        return
    finally:
        (lab / name).write_bytes(good)
    assert found.model_copy(update={"folder": made / "own"}) == read_certificates(made / "own", NOW)
