"""The units for systemd: systemd takes them, and each machine has what is its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from stages.transport.keys import read_keys
from tests.deploying.made import CONFIGURATIONS, MANY, deployed


def units(folder: Path) -> dict[str, list[str]]:
    found = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in folder.rglob("*.service")}
    assert found
    return found


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, of the package systemd")
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_systemd_takes_every_unit(name):
    paths = [str(path) for path in deployed("systemd", name).rglob("*.service")]
    checked = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, of the package systemd")
def test_systemd_finds_little_that_a_unit_is_exposed_to():
    [path] = deployed("systemd", "one").rglob("*.service")
    options = ["security", "--offline=true", "--threshold=35", str(path)]
    checked = subprocess.run(["systemd-analyze", *options], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-300:]


def test_each_machine_has_a_folder_with_its_unit_configuration_and_keys():
    folder = deployed("systemd", "house")
    for host in ("desk", "door", "fast"):
        assert read_keys(folder / host / "keys", host, ["desk", "door", "fast"]).host == host
        assert len(list((folder / host / "keys").glob("*.secret"))) == 1
        config = yaml.safe_load((folder / host / "house.yaml").read_text())
        assert config["hosts"]["desk"]["address"] == "192.168.7.10" and config["keys"] == "keys"
    assert set(units(folder)) == {"facepipe-house-desk", "facepipe-house-door", "facepipe-house-fast"}


def test_units_of_one_machine_have_metrics_and_folders_of_their_own():
    found = units(deployed("systemd", "many"))
    starts = {name: next(line for line in lines if line.startswith("ExecStart=")) for name, lines in found.items()}
    assert sorted(line.rpartition(" ")[2] for line in starts.values()) == ["9109", "9110", "9111"]
    for name, line in starts.items():
        assert f"--output %S/{name}/" in line and f"StateDirectory={name}" in found[name]
    scraped = yaml.safe_load(Path("deploy/prometheus.yml").read_text())["scrape_configs"][0]["static_configs"]
    assert scraped == [{"targets": [f"127.0.0.1:{port}" for port in (9109, 9110, 9111)]}]


def test_what_a_configuration_names_one_port_for_is_another_one_for_each_unit():
    config = MANY + "render: {display: web, publish: 'tcp://192.168.7.10:5700'}\n"
    folder = deployed("systemd", "many", "--serve", config=config)
    said = [yaml.safe_load((folder / f"{name}.yaml").read_text())["render"] for name in ("front-door", "yard", "hall")]
    assert [each["web"] for each in said] == [8600, 8601, 8602]
    assert [each["publish"]["address"] for each in said] == [
        f"tcp://192.168.7.10:{port}" for port in (5700, 5701, 5702)
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, of the package systemd")
def test_systemd_takes_every_path_that_a_configuration_may_name():
    config = "source: 'rtsp://camera/1'\nrender: {stream: \"/srv/li ve$x%i'\\\\\\n/door.m3u8\"}\n"
    [path] = deployed("systemd", "one", config=config).rglob("*.service")
    checked = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_a_path_below_tmp_is_said_because_a_unit_has_its_own(capsys):
    deployed("systemd", "film", config="source: /tmp/films/door.mp4\n")
    assert "/tmp/films/door.mp4" in capsys.readouterr().err


def test_only_a_camera_of_the_machine_lets_a_unit_see_devices():
    [stream] = units(deployed("systemd", "one")).values()
    [camera] = units(deployed("systemd", "one", config="source: 0\n", output="camera")).values()
    assert "PrivateDevices=true" in stream and "SupplementaryGroups=video" not in stream
    assert "PrivateDevices=true" not in camera and "DeviceAllow=char-video4linux rw" in camera
    config = "source: 'rtsp://camera/1'\nrender: {encoder: qsv, stream: '/srv/live/{source}/a.m3u8'}\n"
    [encoder] = units(deployed("systemd", "one", config=config, output="encoder")).values()
    assert "PrivateDevices=true" not in encoder and "ReadWritePaths=-/srv/live" in encoder


def test_a_film_ends_its_unit_and_a_camera_never_does():
    [film] = units(deployed("systemd", "film")).values()
    [camera] = units(deployed("systemd", "one", output="camera")).values()
    assert {"Restart=on-failure", "RestartPreventExitStatus=2"} <= set(film) and "Restart=always" in camera


def test_secrets_of_the_environment_are_read_from_a_file_where_they_are_used():
    found = units(deployed("systemd", "connected"))
    named = "EnvironmentFile=%E/facepipe/connected/desk.env"
    assert named in found["facepipe-connected-desk"]
    assert not any(line.startswith("EnvironmentFile") for line in found["facepipe-connected-fast"])


def test_a_person_is_told_of_a_python_that_the_unit_cannot_read(capsys):
    deployed("systemd", "film", "--python", "/tmp/facepipe/bin/python")
    assert "/tmp/facepipe/bin/python" in capsys.readouterr().err
    deployed("systemd", "film", "--python", "/opt/facepipe/bin/python", output="elsewhere")
    assert "/opt/facepipe/bin/python" not in capsys.readouterr().err
