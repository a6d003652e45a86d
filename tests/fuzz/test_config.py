"""Any document, any text and any option: a pipeline, or one sentence; and every pipeline is read as it was written."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import yaml
from hypothesis import given
from hypothesis import strategies as st

from stages.config.load import read_config
from stages.config.schema import Attribute, Capture, ConfigError, Detect, Frames, Haar, Host, Pipeline, Render
from stages.config.settings import Settings

texts = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.sampled_from(
    [f.name for section in (Pipeline, Detect, Attribute, Render) for f in fields(section)]
    + ["detect", "gender", "glasses", "attribute", "haar", "yunet", "auto", "none", "16", "256 MB", "a.mp4"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | texts, inner, max_size=4),
    max_leaves=12,
)


@given(document=values, overrides=st.lists(texts | st.tuples(names | texts, values), max_size=2))
def test_no_document_and_no_option_gives_anything_but_a_pipeline_or_an_error(document, overrides):
    options = [
        o if isinstance(o, str) else f"{o[0]}={yaml.safe_dump(o[1], default_flow_style=True)}" for o in overrides
    ]
    try:
        assert isinstance(read_config(yaml.safe_dump(document), "p", options), Pipeline)
    except ConfigError as told:
        assert str(told).startswith(("p:", "--set ")) and str(told).endswith(".") and "\n" not in str(told)


@given(st.text(st.sampled_from("a1 :,-?*&!|>'\"%@[]{}#~\n\t\\0ué\ud800\x00") | st.characters()))
def test_no_text_gives_anything_but_a_pipeline_or_an_error(text):
    try:
        assert isinstance(read_config(text, "p"), Pipeline)
    except ConfigError as told:
        assert str(told).startswith("p:") and str(told).endswith(".") and "\n" not in str(told)


paths = st.text(st.characters(min_codepoint=32, max_codepoint=0xFF, exclude_categories=["Cc"]), min_size=1, max_size=20)
replicas = st.integers(1, 64) | st.just("auto")
specs = st.integers(0, 255) | paths
attributes = st.builds(
    Attribute, model=paths, replicas=replicas, host=st.none() | st.just("desk") | st.just(["shed", "desk"])
)
detects = st.builds(
    Detect,
    detector=st.sampled_from(["fast", "haar", "dlib"]),
    longest_side=st.integers(32, 16384) | st.just("auto"),
    smallest_face=st.floats(0, 1, exclude_min=True) | st.just("auto"),
    threshold=st.floats(0, 1) | st.just("auto"),
    haar=st.builds(Haar, step=st.floats(1.01, 2), neighbours=st.integers(0, 50)),
    replicas=replicas,
)
own_stages = st.dictionaries(
    st.from_regex("[a-z][a-z0-9_-]{0,31}", fullmatch=True).filter(
        lambda name: name not in ("detect", "capture", "render", "picture", "box", "score") and not name[-1].isdecimal()
    ),
    attributes,
    max_size=4,
)
pipelines = st.builds(
    Pipeline,
    sources=st.just({})
    | st.dictionaries(
        st.from_regex("[a-z0-9_.-]{1,64}", fullmatch=True).filter(lambda n: n not in (".", "..")),
        specs,
        min_size=1,
        max_size=3,
    ),
    port=st.integers(1024, 65000),
    window=st.integers(1, 1000),
    window_memory=st.integers(10**6, 10**12),
    pace=st.sampled_from([True, False, "auto"]),
    deadline=st.floats(0.01, 60),
    give_up_after=st.floats(0.1, 3600),
    resend_after=st.floats(0.5, 3600),
    hang=st.floats(1, 3600),
    stages=st.builds(lambda detect, others: {"detect": detect, **others}, detects, own_stages),
    render=st.builds(
        Render,
        display=st.sampled_from(["auto", "window", "none"]),
        show=st.sampled_from(["latest", "exact"]),
        output=paths,
        annotated=st.booleans(),
        host=st.none() | st.just("desk"),
    ),
    capture=st.builds(Capture, host=st.none() | st.just("shed")),
    frames=st.builds(Frames, encoding=st.sampled_from(["jpeg", "png", "raw"]), quality=st.integers(1, 100)),
    hosts=st.just({"desk": Host(address="192.168.7.10"), "shed": Host(address="::1", port=7000)}),
    keys=paths,
) | st.builds(Pipeline, source=specs)


@given(pipelines)
def test_a_pipeline_survives_the_way_to_a_stage(pipeline):
    told = Settings("render", 0, pipeline, "ipc:///r", (), (), {}, {}, "/out")
    arrived = Settings.from_json(json.loads(json.dumps(told.to_json()))).pipeline
    assert arrived == pipeline
    assert list(arrived.stages) == list(pipeline.stages)


@given(pipelines)
def test_a_pipeline_that_is_written_out_is_read_as_the_same(pipeline):
    written = asdict(pipeline)
    del written["source" if pipeline.sources else "sources"]
    read = read_config(json.dumps(written, ensure_ascii=False), "p")
    assert read == pipeline
    assert list(read.stages) == list(pipeline.stages)
