"""No command takes an abbreviated option: what is short for one today may be short for another tomorrow."""

from __future__ import annotations

import importlib

import pytest

COMMANDS = {
    "run_pipeline": ["--sourc", "x.mp4"],
    "stages.commands.facepipe": ["x.mp4", "--sourc=y.mp4"],
    "stages.commands.keys": ["keys", "--conf=house.yaml"],
    "stages.commands.health": ["--read"],
    "stages.report.__main__": ["out", "--vt"],
    "stages.export.__main__": ["out", "--ed"],
    "stages.card": ["x.onnx", "--label=a,b"],
    "stages.replay": ["trace", "--onl=capture"],
    "bench.scenes": ["--outp", "x"],
    "train.__main__": ["faces", "--resum"],
    "train.prepare": ["data", "--ou=x"],
    "train.evaluate": ["card.yaml", "set", "--corrupt"],
    "train.export": ["run", "--ou=x"],
    "train.probe": ["--ou=x"],
    "train.compare": ["a", "b", "--par=test"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_abbreviated_option_is_refused(command, capsys):
    if command.startswith("train."):
        pytest.importorskip("tensorflow")
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(command).main(COMMANDS[command])
    assert ended.value.code == 2
    assert COMMANDS[command][-1].partition("=")[0] in capsys.readouterr().err or "--" in COMMANDS[command][0]
