"""The file for Compose: valid by its schema, and locked."""

from __future__ import annotations

import os
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.deploying.made import CONFIGURATIONS, deployed

schemas = pytest.importorskip("check_jsonschema.builtin_schemas")


def services(name: str, *options: str, **more) -> dict[str, dict]:
    return yaml.safe_load((deployed("compose", name, *options, **more) / "compose.yaml").read_text())["services"]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_file_is_valid_by_the_schema_of_compose(name):
    document = yaml.safe_load((deployed("compose", name) / "compose.yaml").read_text())
    jsonschema.validate(document, schemas.get_builtin_schema("vendor.compose-spec"))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_service_is_root_or_writes_outside_of_its_folders_and_all_that_is_mounted_is_there(name):
    folder = deployed("compose", name)
    for service in yaml.safe_load((folder / "compose.yaml").read_text())["services"].values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        user = int(service["user"].partition(":")[0])
        assert user == (os.getuid() or 10001)
        mounts = {mount["target"]: mount for mount in service["volumes"]}
        is_server = service["command"][0] == "serve"
        assert [there for there, mount in mounts.items() if not mount["read_only"]] == [] if is_server else ["/data"]
        for mount in mounts.values():
            source = folder / mount["source"]
            if mount["source"].startswith("./"):
                assert source.stat().st_uid == user and source.stat().st_mode & 0o077 == 0
                assert all(path.stat().st_uid == user for path in source.iterdir())
        assert is_server or service["healthcheck"]["test"] == ["CMD", "facepipe", "health"]


def test_each_host_has_its_own_secret_key_and_no_other():
    deployed("compose", "house")
    for host in ("desk", "door", "fast"):
        assert {path.name for path in Path(f"deploy/{host}/keys").glob("*.secret")} == {f"{host}.secret"}
        assert len(list(Path(f"deploy/{host}/keys").glob("*.public"))) == 3


def test_a_camera_of_the_machine_a_film_and_a_model_are_mounted_where_they_are():
    [camera] = services("one", config="source: 2\n").values()
    assert camera["devices"] == ["/dev/video2:/dev/video2"]
    [film] = services("film", output="film").values()
    assert film["restart"] == "on-failure:100" and film["command"][:2] == ["run", "--resume"]
    assert os.path.abspath("films") in [mount["source"] for mount in film["volumes"]]
    config = yaml.safe_load(Path("film/config/film.yaml").read_text())
    assert config["source"] == os.path.abspath("films/door.mp4")


def test_secrets_come_from_the_environment_as_files_and_ports_are_open_to_this_machine_alone():
    document = yaml.safe_load((deployed("compose", "connected") / "compose.yaml").read_text())
    assert document["secrets"] == {name: {"environment": name} for name in ("MQTT_PASSWORD", "STREAM")}
    desk = document["services"]["connected-desk"]
    assert desk["ports"] == ["127.0.0.1:8600:8600", "127.0.0.1:5700:5700"]
    config = yaml.safe_load(Path("deploy/config/connected.yaml").read_text())
    assert config["mqtt"]["password"] == "file:/run/secrets/MQTT_PASSWORD"
    assert config["webhooks"]["hook"]["secret"] == "file:webhooks.hook.secret.txt"
    assert Path("deploy/config/webhooks.hook.secret.txt").read_text() == "a secret of the house\n"


@pytest.mark.parametrize("target", ["compose", "kubernetes"])
def test_what_is_published_from_one_machine_is_bound_at_every_address_of_the_container(target):
    config = "source: 'rtsp://192.168.7.30/1'\nrender: {publish: {address: 'tcp://192.168.7.10:5700', pixels: true}}\n"
    folder = deployed(target, "one", config=config)
    said = yaml.safe_load((folder / "config/one.yaml").read_text())["render"]["publish"]
    assert said == {"address": "tcp://0.0.0.0:5700", "pixels": True}


def test_of_a_folder_of_films_nothing_beside_it_is_mounted():
    Path("films").mkdir()
    [film] = services("film", config="source: films\n").values()
    assert [mount["source"] for mount in film["volumes"]][2:] == [os.path.abspath("films")]
