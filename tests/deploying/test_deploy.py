"""What `facepipe deploy` writes, whatever for: the same each time, over no file of others, and no secret in sight."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
import yaml

from stages.commands import facepipe
from stages.config.load import read_config
from stages.project import PROJECT
from tests.deploying.made import CAMERA, CONFIGURATIONS, HOUSE, MANY, ONE, content, deployed

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


@pytest.mark.parametrize("target", TARGETS)
def test_a_camera_may_have_the_name_of_a_file_of_another_target(target):
    config = "sources: {kustomization: 'rtsp://a/1', compose: 'rtsp://a/2', config: 'rtsp://a/3'}\n"
    before = content(deployed(target, "house", config=config))
    assert content(deployed(target, "house", config=config)) == before


@pytest.mark.parametrize("name", ["door/state", "config", "keys"])
def test_a_link_in_the_folder_is_refused_and_what_it_leads_to_stays_as_it_is(name, capsys):
    Path("house.yaml").write_text(f"sources: {{door: {CAMERA}, yard: {CAMERA}}}\n")
    Path("elsewhere").mkdir(mode=0o755)
    link = Path("deploy") / name
    link.parent.mkdir(parents=True)
    link.symlink_to(Path("elsewhere").absolute())
    assert facepipe.main(["deploy", "compose", "--config", "house.yaml", "--output", "deploy", "--serve"]) == 2
    said = capsys.readouterr().err
    assert "leads out of deploy by a link" in said and said.count("\n") == 1
    assert list(Path("elsewhere").iterdir()) == [] and Path("elsewhere").stat().st_mode & 0o777 == 0o755


def test_a_person_is_told_with_which_extras_the_image_has_to_be_built(capsys):
    card = yaml.safe_load((PROJECT / "models" / "gender.yaml").read_text()) | {"file": "gender.keras"}
    del card["sha256"]
    Path("gender.yaml").write_text(yaml.safe_dump(card))
    Path("gender.keras").touch()
    Path("own.yaml").write_text("source: demo\nstages: {gender: {model: gender.yaml}}\n")
    for target, is_told in {"compose": True, "systemd": False}.items():
        assert facepipe.main(["deploy", target, "--config", "own.yaml", "--output", target]) == 0
        assert ("EXTRAS='mqtt serve demo keras'" in capsys.readouterr().err) == is_told


def test_a_person_is_told_of_cameras_that_one_process_cannot_draw(capsys):
    Path("street.yaml").write_text(yaml.safe_dump({"sources": {f"camera{n}": CAMERA for n in range(20)}}))
    told = {}
    for rate in ("4", "6"):
        words = ["--config", "street.yaml", "--output", "deploy", "--per", "host", "--fps", rate]
        assert facepipe.main(["deploy", "compose", *words]) == 0
        told[rate] = "enough for 16" in capsys.readouterr().err
    assert told == {"4": False, "6": True}


@pytest.mark.parametrize("target", TARGETS)
def test_more_cameras_than_one_run_can_have_are_a_unit_each(target, capsys):
    cameras = {f"camera{number}": CAMERA for number in range(65)}
    Path("street.yaml").write_text(yaml.safe_dump({"sources": cameras}))
    words = ["deploy", target, "--config", "street.yaml", "--output", "deploy"]
    assert facepipe.main([*words, "--per", "host"]) == 2 and not Path("deploy").exists()
    assert facepipe.main(words) == 0
    told = capsys.readouterr().out
    assert all(f"reads {camera};" in told for camera in cameras)
    assert facepipe.main(["run", "--config", "street.yaml"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


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
        ("kubernetes", "source: udp://@239.0.0.1:1234\n", "source is udp://"),
        ("compose", "source: /data/film.mp4\n", "source is in /data"),
        ("compose", "source: /film.mp4\n", "source is in /,"),
        ("compose", "source: /tmp/*.mp4\n", "source is in /tmp"),
        ("compose", "source: /etc/facepipe/film.mp4\n", "source is in /etc/facepipe"),
        ("kubernetes", f"source: {CAMERA}\nrender: {{web: 9109}}\n", "would both have the port 9109"),
        ("compose", MANY + "render: {web: 5700, web_host: 0.0.0.0, publish: 'tcp://0.0.0.0:5701'}\n", "port 5701"),
        ("systemd", MANY + "render: {web: 9111}\n", "render.web of front-door and the metrics of hall"),
        (
            "systemd",
            MANY + "render: {publish: 'tcp://127.0.0.1:65534'}\n",
            "hall would have the port 65536",
        ),
        ("systemd", MANY + "render: {publish: 'ipc:///run/faces/s'}\n", "render.publish is ipc:///run/faces/s for sev"),
    ],
)
def test_what_cannot_be_deployed_is_one_sentence_and_status_2(target, config, words, capsys):
    Path("house.yaml").write_text(config)
    Path("mine.yaml").write_text("name: mine\n")
    assert facepipe.main(["deploy", target, "--config", "house.yaml", "--output", "deploy"]) == 2
    said = capsys.readouterr()
    assert words in said.err and said.err.count("\n") == 1 and said.out == ""
    assert not Path("deploy").exists()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "address",
    ["rtsp://anna:secret@h:99999/1", "rtsp://h:0/1", "rtsp://anna:12/secret@h/1", "rtsp://[::1/1", "ftp://h/a.mp4"],
)
def test_an_address_that_no_run_could_read_is_refused_without_its_password(target, address, capsys):
    Path("house.yaml").write_text(f"sources: {{door: '{address}', yard: '{CAMERA}'}}\n")
    assert facepipe.main(["deploy", target, "--config", "house.yaml", "--output", "deploy"]) == 2
    said = capsys.readouterr().err
    assert "sources.door" in said and "secret" not in said and said.count("\n") == 1
    assert not Path("deploy").exists()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("suffix", [".se=c ret", ".$(id)", ".a\nb", ".pém", ".pem"])
def test_a_secret_s_file_keeps_its_content_and_gets_a_plain_name(target, suffix):
    Path(f"hook{suffix}").write_text("a secret of the house\n")
    secret = repr(f"file:hook{suffix}")[1:-1]
    config = f"{ONE}webhooks: {{hook: {{url: 'https://h/x', secret: \"{secret}\"}}}}\n"
    folder = deployed(target, "one", config=config)
    [copy] = folder.rglob("webhooks.hook.secret*")
    assert copy.read_text() == "a secret of the house\n"
    assert copy.suffix == (".pem" if suffix == ".pem" else ".secret")


def test_a_camera_without_retention_is_said(capsys):
    deployed("compose", "one")
    assert "set render.rotate and render.keep" in capsys.readouterr().err
    deployed("compose", "rotated", output="other")
    assert capsys.readouterr().err == ""


def test_a_volume_that_what_is_kept_for_a_time_does_not_fit_is_said(capsys):
    config = f"source: {CAMERA}\nrender: {{rotate: 1h, keep: 7d}}\n"
    deployed("kubernetes", "one", config=config)
    assert (
        "writes about 408 GB, with 25 frames of 1280 x 720 a second, and its volume has 50Gi" in capsys.readouterr().err
    )
    for number, enough in enumerate((["--storage", "500G"], ["--fps", "3"])):
        deployed("kubernetes", "one", *enough, config=config, output=f"deploy-{number}")
    deployed("compose", "one", config=config, output="compose")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("target", ["compose", "systemd"])
def test_a_camera_with_the_name_of_another_one_s_server_is_refused_with_serve(target, capsys):
    Path("house.yaml").write_text(f"sources: {{door: {CAMERA}, door-serve: {CAMERA}}}\n")
    words = ["deploy", target, "--config", "house.yaml", "--output", "deploy"]
    assert facepipe.main([*words, "--serve"]) == 2
    assert "door-serve has the name of the server of door" in capsys.readouterr().err
    assert facepipe.main(words) == 0


@pytest.mark.parametrize(
    "option", [["--image", "a b"], ["--image", "$HOME/x"], ["--python", "./python"], ["--python", "/opt/it's/python"]]
)
def test_an_option_that_the_target_could_not_take_is_refused(option, capsys):
    Path("one.yaml").write_text(ONE)
    with pytest.raises(SystemExit) as ended:
        facepipe.main(["deploy", "systemd", "--config", "one.yaml", "--output", "deploy", *option])
    assert ended.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(capsys):
    Path("closed").write_text("a file")  # in which root cannot write either
    Path("house.yaml").write_text(HOUSE)
    words = ["deploy", "compose", "--config", "house.yaml", "--output", "closed/deploy", "--source", CAMERA]
    assert facepipe.main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
