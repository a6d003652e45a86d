"""The files of the keys: made once, private, and refused where they are not."""

from __future__ import annotations

import os
import stat

import pytest

from stages.transport.curve import new_pair
from stages.transport.keys import KeysError, make_keys, read_keys

HOSTS = ("desk", "shed")
posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture
def folder(tmp_path):
    """Keys for desk and shed."""
    make_keys(tmp_path / "keys", HOSTS, new_pair)
    return tmp_path / "keys"


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_keys_are_private_from_the_moment_they_are_made(folder):
    assert (mode(folder), mode(folder / "desk.secret"), mode(folder / "shed.secret")) == (0o700, 0o600, 0o600)


def test_each_host_gets_a_pair_of_its_own(folder):
    desk, shed = (read_keys(folder, host, HOSTS) for host in HOSTS)
    assert len({desk.secret, shed.secret, desk.own, shed.own}) == 4
    assert desk.public == shed.public
    assert (desk.host_of(shed.own), desk.host_of(b"x" * 40)) == ("shed", None)


def test_git_does_not_see_the_keys_and_a_gitignore_of_ones_own_stays(folder):
    assert (folder / ".gitignore").read_text() == "*\n"
    (folder / ".gitignore").write_text("*.secret\n")
    make_keys(folder, ("barn",), new_pair)
    assert (folder / ".gitignore").read_text() == "*.secret\n"


def test_a_key_in_use_is_never_replaced(folder):
    before = (folder / "desk.secret").read_bytes()
    assert make_keys(folder, ("desk", "barn"), new_pair) == ["barn"]
    assert (folder / "desk.secret").read_bytes() == before
    (folder / "desk.secret").unlink()  # As on a machine that got the public key only.
    assert make_keys(folder, ("desk",), new_pair) == []


def test_a_host_needs_its_own_secret_key_and_the_public_ones_of_all(folder):
    (folder / "shed.secret").unlink()
    read_keys(folder, "desk", HOSTS)
    with pytest.raises(KeysError, match=r"shed\.secret does not exist; copy it here .* --host which machine this is"):
        read_keys(folder, "shed", HOSTS)
    (folder / "shed.public").unlink()
    with pytest.raises(KeysError, match=r"shed\.public does not exist; copy it here"):
        read_keys(folder, "desk", HOSTS)


def test_where_the_folder_is_not_there_the_keys_are_to_be_copied_and_not_made_on_every_machine(tmp_path):
    with pytest.raises(KeysError, match="does not exist, .* copy them there from where .* once, on one machine"):
        read_keys(tmp_path / "keys", "desk", HOSTS)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 41, b'"' * 40, b"x" * 10_000_000])
def test_what_is_no_key_is_refused(folder, content):
    (folder / "shed.public").write_bytes(content)
    with pytest.raises(KeysError, match=r"shed\.public does not hold a key of 40 characters"):
        read_keys(folder, "desk", HOSTS)


@posix
@pytest.mark.parametrize(("name", "open_to"), [("", 0o750), ("desk.secret", 0o640), ("desk.secret", 0o604)])
def test_a_key_that_others_could_read_is_refused(folder, name, open_to):
    (folder / name).chmod(open_to)
    with pytest.raises(KeysError, match="is open to others; chmod [67]00 "):
        read_keys(folder, "desk", HOSTS)


def test_two_hosts_with_one_key_could_not_be_told_apart(folder):
    (folder / "shed.public").write_bytes((folder / "desk.public").read_bytes())
    with pytest.raises(KeysError, match="desk, shed have the same public key"):
        read_keys(folder, "desk", HOSTS)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KeysError, match="cannot be made: .*; name another folder with --make-keys"):
        make_keys(tmp_path / "file" / "keys", HOSTS, new_pair)


def test_a_keyring_does_not_show_its_secret(folder):
    keyring = read_keys(folder, "desk", HOSTS)
    assert keyring.secret.decode() not in repr(keyring)
