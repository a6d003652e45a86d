"""What `facepipe deploy` writes, whatever for: the same each time, over no file of others, and no secret in sight."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
import yaml

from stages.commands import facepipe
from stages.config.load import read_config
from tests.deploying.made import CAMERA, CONFIGURATIONS, HOUSE, MANY, content, deployed

TARGETS = ("kubernetes", "compose", "systemd")


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_configuration_gives_the_same_bytes_and_keys_stay(target):
    folder = deployed(target, "house")
    before = content(folder)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert content(deployed(target, "house")) == before
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == times
    elsewhere = content(deployed(target, "house", output="elsewhere"))
    secret = [name for name in before if name.endswith((".secret", ".public"))]
    assert {name: text for name, text in elsewhere.items() if name not in secret} == {
        name: text for name, text in before.items() if name not in secret
    }
    assert all(elsewhere[name] != before[name] for name in secret)


@pytest.mark.parametrize("target", TARGETS)
def test_a_foreign_or_changed_file_is_left_as_it_is_and_nothing_else_is_written(target, capsys):
    folder = deployed(target, "many")
    Path("many.yaml").write_text(MANY.replace("hall", "stairs"))
    changed = sorted(folder.rglob("*.yml" if target == "systemd" else "*.yaml"))[0]
    changed.write_text("mine: 1\n")
    before = content(folder)
    capsys.readouterr()
    assert facepipe.main(["deploy", target, "--config", "many.yaml", "--output", "deploy"]) == 2
    said = capsys.readouterr().err
    assert str(changed) in said and said.count("\n") == 1
    assert content(folder) == before


@pytest.mark.parametrize("name", ["config", "yard/state"])
def test_a_folder_that_holds_something_of_others_is_not_closed_to_them(name, capsys):
    Path("cameras.yaml").write_text(f"sources: {{door: {CAMERA}, yard: {CAMERA}}}\n")
    inside = Path("deploy") / name
    inside.mkdir(parents=True)
    (inside / "app.ini").touch()
    inside.chmod(0o755)
    assert facepipe.main(["deploy", "compose", "--config", "cameras.yaml", "--output", "deploy"]) == 2
    assert f"{inside} holds app.ini" in capsys.readouterr().err
    assert inside.stat().st_mode & 0o777 == 0o755
    inside.chmod(0o700)
    assert facepipe.main(["deploy", "compose", "--config", "cameras.yaml", "--output", "deploy"]) == 0


def test_a_folder_of_others_gets_no_keys_either(capsys):
    Path("deploy").mkdir()
    Path("deploy/compose.yaml").write_text("mine: 1\n")
    Path("house.yaml").write_text(HOUSE)
    words = ["deploy", "compose", "--config", "house.yaml", "--output", "deploy", "--source", CAMERA]
    assert facepipe.main(words) == 2
    assert "compose.yaml was not written by facepipe" in capsys.readouterr().err
    assert content(Path("deploy")) == {"compose.yaml": b"mine: 1\n"}


@pytest.mark.parametrize(("first", "second"), list(permutations(TARGETS, 2)))
def test_a_folder_of_another_target_stays_as_it_is(first, second, capsys):
    folder = deployed(first, "many")
    before = content(folder)
    capsys.readouterr()
    assert facepipe.main(["deploy", second, "--config", "many.yaml", "--output", "deploy"]) == 2
    said = capsys.readouterr()
    assert f"deploy was written for {first}" in said.err and said.err.count("\n") == 1 and said.out == ""
    assert content(folder) == before


def test_what_is_no_longer_deployed_is_deleted_and_what_is_anothers_stays():
    folder = deployed("kubernetes", "many")
    (folder / "notes.txt").write_text("mine\n")
    deployed("kubernetes", "many", config=MANY.replace("hall", "stairs"))
    assert {path.name for path in folder.glob("*.unit.yaml")} == {
        "front-door.unit.yaml",
        "yard.unit.yaml",
        "stairs.unit.yaml",
    }
    assert {path.name for path in (folder / "config").iterdir()} == {"front-door.yaml", "yard.yaml", "stairs.yaml"}
    assert (folder / "notes.txt").read_text() == "mine\n"


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("target", TARGETS)
def test_secrets_are_in_private_files_alone_which_git_ignores(target, name):
    folder = deployed(target, name)
    ignored = (folder / ".gitignore").read_text().splitlines()
    secrets = [path.read_bytes().strip() for path in folder.glob("keys/*.secret")]
    secrets += [path.read_bytes().strip() for path in folder.glob("keys/token")]
    secrets += [b"secret@", b"a secret of the house"]
    for path in folder.rglob("*"):
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets):
            assert path.stat().st_mode & 0o077 == 0
            inside = path.relative_to(folder)
            assert any(f"/{part}" in ignored for part in (inside.as_posix(), inside.parts[0]))


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_configuration_that_is_written_is_one_that_says_the_same(target, name):
    folder = deployed(target, name)
    source = f"source: {CAMERA}\n" if name == "house" else ""
    said = read_config(CONFIGURATIONS[name] + source, name)
    written = [path for path in folder.rglob("*.yaml") if path.stat().st_mode & 0o077 == 0]
    assert written
    sources = {}
    for path in written:
        there = read_config(path.read_text(encoding="utf-8"), path.name)
        assert {n: s.host for n, s in there.stages.items()} == {n: s.host for n, s in said.stages.items()}
        assert (there.render.rotate, there.render.keep) == (said.render.rotate, said.render.keep)
        sources |= there.all_sources() if name != "film" else {}
    assert name == "film" or sources == said.all_sources()


def test_each_camera_has_its_own_zones_and_a_topic_of_its_own():
    config = MANY + "mqtt: {broker: 'mqtt://192.168.7.9'}\n"
    folder = deployed("kubernetes", "many", config=config)
    yard, hall = (yaml.safe_load((folder / f"config/{name}.yaml").read_text()) for name in ("yard", "hall"))
    assert yard["zones"] == {"yard": {"gate": [[0, 0], [0.5, 0], [0.5, 1]]}} and hall["zones"] == {}
    assert [each["mqtt"]["topic"] for each in (yard, hall)] == ["facepipe/yard", "facepipe/hall"]
    [whole] = (deployed("kubernetes", "many", "--per", "host", config=config) / "config").iterdir()
    assert list(yaml.safe_load(whole.read_text())["sources"]) == ["front_door", "yard", "hall"]


@pytest.mark.parametrize(
    ("target", "config", "words"),
    [
        ("kubernetes", "source: auto\n", "source is auto"),
        ("systemd", "sources: {a: auto}\n", "sources.a is auto"),
        ("kubernetes", "source: 0\n", "source is the camera 0 of a machine"),
        ("kubernetes", "sources: {a: /dev/video2}\n", "sources.a is the camera /dev/video2"),
        ("compose", f"source: {CAMERA}\nrender: {{display: window}}\n", "render.display is window"),
        ("kubernetes", "sources: {a: 'env:YARD', b: 'rtsp://a/2'}\n", "sources.a is env:YARD"),
        ("compose", "source: file:yard.txt\n", "source is file:yard.txt"),
        ("kubernetes", "source: ../film.mp4\n", "leads out of the folder"),
        ("compose", f"source: {CAMERA}\nrender: {{stream: live/door.m3u8}}\n", "render.stream is live/door.m3u8"),
        ("kubernetes", f"source: {CAMERA}\nrender: {{publish: 'ipc:///tmp/x'}}\n", "render.publish is /tmp/x"),
        ("kubernetes", "sources: {Door: 'rtsp://a/1', door: 'rtsp://a/2'}\n", "rename one of them"),
        ("systemd", "sources: {a_b: 'rtsp://a/1', a.b: 'rtsp://a/2'}\n", "would both be named a-b"),
        ("kubernetes", f"sources: {{{'a' * 60}: 'rtsp://a/1', b: 'rtsp://a/2'}}\n", "shorter name"),
        ("kubernetes", f"source: {CAMERA}\nmqtt: {{broker: 'mqtts://b', ca: none.pem}}\n", "mqtt.ca: there is no file"),
        ("kubernetes", f"source: {CAMERA}\nstages: {{gender: {{model: mine.yaml}}}}\n", "stages.gender.model is"),
        ("compose", "sorce: x\n", "sorce"),
        ("kubernetes", f"source: {CAMERA}\nrender: {{encoder: nvenc}}\n", "render.encoder is nvenc"),
        ("compose", f"source: {CAMERA}\nstages: {{age: {{device: gpu}}}}\n", "stages.age.device is gpu"),
    ],
)
def test_what_cannot_be_deployed_is_one_sentence_and_status_2(target, config, words, capsys):
    Path("house.yaml").write_text(config)
    Path("mine.yaml").write_text("name: mine\n")
    assert facepipe.main(["deploy", target, "--config", "house.yaml", "--output", "deploy"]) == 2
    said = capsys.readouterr()
    assert words in said.err and said.err.count("\n") == 1 and said.out == ""
    assert not Path("deploy").exists()


def test_a_camera_without_retention_is_said(capsys):
    deployed("compose", "one")
    assert "set render.rotate and render.keep" in capsys.readouterr().err
    deployed("compose", "rotated", output="other")
    assert capsys.readouterr().err == ""


def test_a_folder_that_cannot_be_written_is_one_sentence(capsys):
    Path("closed").write_text("a file")  # in which root cannot write either
    Path("house.yaml").write_text(HOUSE)
    words = ["deploy", "compose", "--config", "house.yaml", "--output", "closed/deploy", "--source", CAMERA]
    assert facepipe.main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
