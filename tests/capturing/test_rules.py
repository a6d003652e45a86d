"""What the dispatcher is told of the configuration."""

from __future__ import annotations

from stages.capturing.rules import rules
from stages.config.schema import Attribute, Pipeline
from stages.config.settings import CardSettings, Settings, SourceSettings


def test_the_rules_of_the_dispatcher_follow_from_the_configuration():
    stages = {"detect": Pipeline().detect, "glasses": Attribute(model="glasses.yaml")}
    settings = Settings(
        stage="capture",
        replica=0,
        pipeline=Pipeline(stages=stages, window=8, window_memory=10_000_000, deadline=0.5),
        render="ipc:///run/render",
        captures=("ipc:///run/capture-0",),
        sources=(SourceSettings("clip.mp4", None, False),),
        models={"glasses": "/m/glasses.yaml"},
        cards={"glasses": CardSettings("ab12", 64, 64, 1, 1.0, "glasses", "classes", ("no", "yes"), ())},
        output="/out",
        detector_hash="cd34",
    )
    told = rules(settings, live=True)
    assert (told.attributes, told.live, told.window, told.window_bytes) == (("glasses",), True, 8, 10_000_000)
    assert (told.deadline_s, told.give_up_after_s, told.resend_after_s) == (0.5, 5.0, 10.0)
    assert told.cards == {"detect": "cd34", "glasses": "ab12"}
