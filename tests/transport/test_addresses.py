"""Addresses that follow from the port, and the locks on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from stages import locks
from stages.transport import addresses as run_directory
from stages.transport.addresses import Addresses, PlaceTaken, RunDirectoryError, addresses, claim, claim_free, resolved
from tests.supervision.stages_for_tests import PROJECT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there the addresses are tcp")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A runtime directory of the test's own; gives the folder of port 5600 in it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "facepipe-5600"


def test_the_addresses_of_a_run_follow_from_its_port_and_the_number_of_its_sources(place):
    assert addresses(5600, 2) == Addresses(
        f"ipc://{place}/render", (f"ipc://{place}/capture-0", f"ipc://{place}/capture-1")
    )


def test_without_a_runtime_directory_the_temporary_folder_is_taken_with_the_user_in_the_name(monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    assert addresses(5601, 1).render == f"ipc:///tmp/facepipe-{os.getuid()}-5601/render"


def test_without_ipc_the_addresses_are_ports_on_loopback(monkeypatch):
    monkeypatch.setattr(run_directory, "HAS_IPC", False)
    assert addresses(5600, 2) == Addresses("tcp://127.0.0.1:5600", ("tcp://127.0.0.1:5601", "tcp://127.0.0.1:5602"))


def test_a_path_that_is_too_long_for_a_socket_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + 100 * "x")
    with pytest.raises(RunDirectoryError, match="107 bytes of a socket's path; set XDG_RUNTIME_DIR to a shorter"):
        addresses(5600, 1)


def test_a_claimed_place_is_private_and_gone_afterwards(place):
    with claim([addresses(5600, 1).render, *addresses(5600, 1).captures], 5600):
        assert place.stat().st_mode & 0o777 == 0o700
        assert sorted(path.name for path in place.iterdir()) == ["capture-0.lock", "render.lock"]
        (place / "render").touch()  # the socket
    assert not place.exists()


def test_a_second_run_on_the_same_port_is_refused_and_told_by_whom(place):
    render = addresses(5600, 1).render
    with claim([render], 5600):
        with pytest.raises(RunDirectoryError) as refusal, claim([render], 5600):
            pass
        # The one who was refused must not have cleared the other's place away.
        assert (place / "render.lock").exists()
    expected = f"port 5600 is taken by another run (process {os.getpid()}); choose another one: --set port=5700."
    assert str(refusal.value) == expected


def test_processes_that_bind_different_addresses_share_a_port(place):
    both = addresses(5600, 1)
    with claim([both.render], 5600):
        with claim(list(both.captures), 5600):
            pass
        assert (place / "render.lock").exists()


def test_of_several_ports_the_first_with_a_free_place_is_had(place):
    with ExitStack() as held:
        ports = [claim_free(range(5600, 5602), _places, held) for _ in range(2)]
        assert ports == [5600, 5601]
        with pytest.raises(PlaceTaken, match="port 5601 is taken by another run"):
            claim_free(range(5600, 5602), _places, held)
    assert not place.exists()


def test_a_place_that_is_another_users_is_passed_over(place):
    place.mkdir(mode=0o755)
    (place.parent / "facepipe-5601").write_text("somebody's file")
    with ExitStack() as held:
        assert claim_free(range(5600, 5700), _places, held) == 5602


def test_without_a_folder_for_places_no_other_port_is_tried(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    with pytest.raises(RunDirectoryError, match="5600 cannot be made: No such file"), ExitStack() as held:
        claim_free(range(5600, 5700), _places, held)


def test_eight_that_begin_at_once_have_eight_places(place):
    """Each removes its folder when it goes, while others are about to lock something in it."""
    script = (
        "import sys\nfrom contextlib import ExitStack\nfrom stages.transport.addresses import *\n"
        "def places(port): return [addresses(port, 1).render, *addresses(port, 1).captures]\n"
        "for _ in range(3):\n"
        "    with ExitStack() as held: port = claim_free(range(5600, 5700), places, held)\n"
        "with ExitStack() as held:\n"
        "    print(claim_free(range(5600, 5700), places, held), flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, **pipes) for _ in range(8)]
    ports = {run.stdout.readline() for run in runs}
    for run in runs:
        run.communicate("")
    assert [run.returncode for run in runs] == [0] * 8
    assert len(ports) == 8
    assert list(place.parent.iterdir()) == []


def _places(port: int) -> list[str]:
    return [addresses(port, 1).render, *addresses(port, 1).captures]


def test_what_a_killed_run_left_is_cleared_away(place):
    killed = (
        "from stages.transport.addresses import *\nimport os, signal\n"
        "with claim([addresses(5600, 1).render], 5600):\n"
        "    open(addresses(5600, 1).render[6:], 'w').close(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", killed], cwd=PROJECT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert sorted(path.name for path in place.iterdir()) == ["render", "render.lock"]
    with claim([addresses(5600, 1).render], 5600):
        assert [path.name for path in place.iterdir()] == ["render.lock"]
    assert not place.exists()


def test_what_a_killed_run_with_more_sources_left_is_cleared_away_too(place):
    places = addresses(5600, 3)
    place.mkdir(mode=0o700)
    for address in places.captures:
        path = Path(address.removeprefix("ipc://"))
        path.touch()
        path.with_suffix(".lock").touch()
    with claim([places.render], 5600):
        assert [path.name for path in place.iterdir()] == ["render.lock"]
    assert not place.exists()


def test_what_a_run_beside_holds_is_not_cleared_away(place):
    places = addresses(5600, 2)
    socket_of_theirs = Path(places.captures[1].removeprefix("ipc://"))
    with claim([places.captures[1]], 5600):
        socket_of_theirs.touch()
        with claim([places.render], 5600):
            assert socket_of_theirs.exists()
        assert socket_of_theirs.exists()


@pytest.mark.parametrize("is_link", [False, True])
def test_a_folder_that_others_may_enter_and_a_link_to_one_are_refused(place, tmp_path, is_link):
    folder = tmp_path / "elsewhere" if is_link else place
    folder.mkdir()
    folder.chmod(0o700 if is_link else 0o755)
    if is_link:
        place.symlink_to(folder)
    with (
        pytest.raises(RunDirectoryError, match="is not a folder of yours alone"),
        claim([addresses(5600, 1).render], 5600),
    ):
        pass


def test_a_tcp_port_that_is_in_use_is_refused():
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(RunDirectoryError, match=f"port {port} is taken by another program"),
            claim([f"tcp://127.0.0.1:{port}"], port),
        ):
            pass


def test_an_address_of_another_machine_is_refused_for_what_it_is():
    with (
        pytest.raises(RunDirectoryError, match="203.0.113.5 is no address of this machine; correct it under hosts"),
        claim(["tcp://203.0.113.5:5600"], 5600),
    ):
        pass
    with pytest.raises(RunDirectoryError, match="the address no.such.name.invalid is not known here"):
        resolved("tcp://no.such.name.invalid:5600")


def test_an_address_of_the_sixth_version_is_taken_out_of_its_brackets():
    assert resolved("tcp://[::1]:5600")[1][:2] == ("::1", 5600)


def test_a_lock_that_was_removed_while_it_was_being_taken_is_taken_anew(tmp_path, monkeypatch):
    path, flock, calls = tmp_path / "lock", locks.fcntl.flock, []

    def removed_the_first_time(descriptor, operation):
        calls.append(descriptor)
        if len(calls) == 1:
            path.unlink()  # What its holder does, just before it gives it back.
        flock(descriptor, operation)

    monkeypatch.setattr(locks.fcntl, "flock", removed_the_first_time)
    with locks.locked(path):
        assert path.read_text() == f"facepipe {os.getpid()}\n"
    assert len(calls) == 2


def test_a_file_that_only_has_the_name_of_a_lock_is_taken_and_stays(tmp_path):
    (tmp_path / "lock").write_text("1234\n")
    with pytest.raises(locks.Taken, match="lock, a file of somebody's"), locks.locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").read_text() == "1234\n"


def test_a_pipe_that_has_the_name_of_a_lock_is_taken_and_stays(tmp_path):
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(locks.Taken, match="lock, a file of somebody's"), locks.locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").is_fifo()


@pytest.mark.parametrize("said", [b"facepipe 4194305\n", b"", b"\0" * 17], ids=["whole", "empty", "zeros"])
def test_the_lock_of_a_dead_process_is_taken_over_whatever_a_power_cut_has_left_of_it(tmp_path, said):
    (tmp_path / "lock").write_bytes(said)
    with locks.locked(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == f"facepipe {os.getpid()}\n"
    assert not (tmp_path / "lock").exists()
