"""Gives `facepipe deploy` in this process, and takes apart what it has written."""

from __future__ import annotations

from pathlib import Path

import yaml

from stages.commands import facepipe
from tests.conftest import PROJECT

HOUSE = (PROJECT / "docs/machines.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
CAMERA = "rtsp://anna:secret@192.168.7.30/1"
ONE = f"source: {CAMERA}\n"
MANY = """\
sources: {front_door: 'rtsp://192.168.7.30/1', yard: 'rtsp://camera.local:8554/2', hall: 'http://192.168.7.32/mjpeg'}
zones: {yard: {gate: [[0, 0], [0.5, 0], [0.5, 1]]}}
"""
ROTATED = f"source: {CAMERA}\nrender: {{rotate: 1h, keep: 20GB}}\n"
CONNECTED = """\
sources: {door: 'rtsp://192.168.7.30/1', yard: 'rtsp://192.168.7.31/1'}
hosts: {desk: {address: 192.168.7.10}, fast: {address: fast.local}}
stages: {detect: {host: fast}, gender: {}, age: {}}
keys: keys
render: {display: web, web_host: 192.168.7.10, publish: 'tcp://192.168.7.10:5700', snapshot: 1,
  stream: ['rtsp://192.168.7.40:8554/{source}', 'env:STREAM']}
mqtt: {broker: mqtts://192.168.7.9, user: faces, password: env:MQTT_PASSWORD, ca: ca.pem}
webhooks: {hook: {url: 'https://example.org/hook', secret: 'file:hook.txt'}}
"""
FILM = "source: films/door.mp4\nrender: {keep: 7d, rotate: 1h}\n"
CONFIGURATIONS = {"house": HOUSE, "one": ONE, "many": MANY, "rotated": ROTATED, "connected": CONNECTED, "film": FILM}


def deployed(target: str, name: str, *options: str, config: str | None = None, output: str = "deploy") -> Path:
    """The folder that was written in the working directory."""
    Path(f"{name}.yaml").write_text(config or CONFIGURATIONS[name], encoding="utf-8")
    for beside in ("ca.pem", "hook.txt"):
        Path(beside).write_text("a secret of the house\n")
    source = ["--source", CAMERA] if name == "house" else ["--serve"] if name == "connected" else []
    words = ["deploy", target, "--config", f"{name}.yaml", "--output", output, *source, *options]
    assert facepipe.main(words) == 0
    return Path(output)


def documents(folder: Path, *patterns: str) -> list[dict]:
    """All documents of these YAML files, in the order of their names."""
    paths = sorted(path for pattern in patterns or ("*.yaml",) for path in folder.glob(pattern))
    return [each for path in paths for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


def content(folder: Path) -> dict[str, bytes]:
    """Every file but the manifest, which knows when files were made."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".facepipe.manifest")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
