"""A MobileNet of others, published for browsers, as a teacher's features and as a start."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

pytest.importorskip("tensorflow")

import keras  # noqa: E402

from stages.vision.inference.card import load_card  # noqa: E402
from stages.vision.inference.litert import open_net  # noqa: E402
from stages.vision.inference.model import preprocess  # noqa: E402
from tests.train.conftest import write_utkface  # noqa: E402
from train.augment import plain  # noqa: E402
from train.borrow import BLOCKS, MEAN_BGR, convolutions, main  # noqa: E402
from train.data import TASKS, load  # noqa: E402
from train.fit import new_net  # noqa: E402
from train.prepare import prepare  # noqa: E402
from train.provenance import origin  # noqa: E402
from train.recipe import read_recipe  # noqa: E402

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def original():
    """Keras's MobileNet up to its features, with weights drawn by lot, those of batch normalisation too."""
    keras.utils.set_random_seed(1)
    net = keras.applications.MobileNet(input_shape=(None, None, 3), include_top=False, weights=None, pooling="avg")
    rng = np.random.default_rng(1)
    for layer in net.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            layer.set_weights([rng.uniform(a, b, count) for a, b in ((1, 2), (-0.5, 1), (-0.1, 0.1), (0.2, 1))])
    return net


@pytest.fixture(scope="module")
def published(original, tmp_path_factory):
    """The same net as the converter to TensorFlow.js writes it: normalisation folded, numbers of 16 bits."""
    folder = tmp_path_factory.mktemp("published")
    nodes, weights = [], {}

    def node(name, op, *inputs):
        nodes.append({"name": name, "op": op, "input": ["x", *inputs]})

    def const(name, values):
        weights[name] = np.asarray(values)
        return name

    for name in ("conv1", *(f"conv_{kind}_{block + 1}" for block in range(BLOCKS) for kind in ("dw", "pw"))):
        norm, kernel = original.get_layer(f"{name}_bn"), original.get_layer(name).get_weights()[0]
        gamma, beta, mean, variance = norm.get_weights()
        factor = gamma / np.sqrt(variance + norm.epsilon)
        if "_dw_" in name:
            node(f"{name}/depthwise", "DepthwiseConv2dNative", const(f"{name}/kernel", kernel))
            node(f"{name}_bn/batchnorm_1/mul_1", "Mul", const(f"{name}/factor", factor))
        else:
            node(f"{name}_bn/batchnorm_1/mul_1", "Conv2D", const(f"{name}/kernel", kernel * factor))
        node(f"{name}_bn/batchnorm_1/add_1", "Add", const(f"{name}/shift", beta - mean * factor))
    entries = [
        {"name": n, "shape": list(v.shape), "dtype": "float32", "quantization": {"dtype": "float16"}}
        for n, v in weights.items()
    ]
    (folder / "net.bin").write_bytes(b"".join(values.astype(np.float16).tobytes() for values in weights.values()))
    graph = {
        "format": "graph-model",
        "generatedBy": "somebody",
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["net.bin"], "weights": entries}],
    }
    (folder / "net.json").write_text(json.dumps(graph))
    return folder / "net.json"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    write_utkface(folder / "sets")
    list(prepare(folder / "sets", [], folder / "data"))
    return folder / "data"


def test_a_run_to_start_from_says_what_the_net_says_of_the_crops(original, published, data, tmp_path):
    run = tmp_path / "net"
    words = ["--run", run, "--data", data, "--recipe", "side=64", "--recipe", "sources={utkface: 1}"]
    assert main([str(published), *map(str, words)]) == 0
    recipe = read_recipe(run)
    crops = plain(load(TASKS["gender"], "utkface", "validation", data), recipe.geometry).astype(np.float32)
    net = new_net(recipe.with_changes({"start": str(run)}))
    features = keras.Model(net.input, net.get_layer("features").output)
    mine, in_training = features.predict(crops, verbose=0), np.asarray(features(crops, training=True))
    assert np.corrcoef(in_training.ravel(), mine.ravel())[0, 1] > 0.98  # It is normalised as in training.
    twelve = original.get_layer("conv_pw_12_relu").output
    theirs = keras.Model(original.input, keras.ops.mean(twelve, axis=(1, 2))).predict(crops - MEAN_BGR, verbose=0)
    # Beyond the picture's edge there are zeros, which are another grey for each of the two: alike, not the same.
    assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.98
    assert origin(run) == {
        "command": "python -m train.borrow net.json --task gender --recipe sources='{\"utkface\":1}' --run runs/net",
        "nets": ["net: somebody"],
    }


@pytest.mark.long
def test_a_card_of_features_gives_what_the_net_gives(original, published, tmp_path):
    assert main([str(published), "--card", str(tmp_path)]) == 0
    card = load_card(tmp_path / "net.yaml")
    assert yaml.safe_load((tmp_path / "net.yaml").read_text())["trained"] == "somebody"
    crops = np.random.default_rng(0).integers(0, 255, (1, 224, 224, 3), np.uint8)
    mine = open_net(card).run(preprocess(card, crops))
    theirs = original.predict(crops - np.array(MEAN_BGR, np.float32), verbose=0)[0]
    assert mine == pytest.approx(theirs, rel=0.02, abs=0.02)


def test_what_is_no_such_net_is_said(published, tmp_path, capsys):
    def said(path, *words):
        assert main([str(path), *map(str, words)]) == 2
        return capsys.readouterr().err

    assert "none.json: cannot be read (No such file or directory)" in said(tmp_path / "none.json", "--card", tmp_path)
    assert "say --card FOLDER, --run RUN or both" in said(published)
    graph = json.loads(published.read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps(graph))
    assert "net.bin: cannot be read (No such file or directory); put it beside other.json" in said(other, "--card", ".")
    (tmp_path / "net.bin").write_bytes(published.with_name("net.bin").read_bytes()[:-9])
    assert "other.json: does not fit its weights" in said(other, "--card", ".")
    (tmp_path / "net.bin").write_bytes(published.with_name("net.bin").read_bytes())
    graph["modelTopology"]["node"].pop()
    other.write_text(json.dumps(graph))
    assert "is not a MobileNet as Keras builds it (no 'conv_pw_13_bn/batchnorm_1/add_1')" in said(other, "--card", ".")
    other.write_text("{}")
    assert "is not a graph model of TensorFlow.js" in said(other, "--card", ".")


def test_kernels_come_with_the_normalisation_folded_in(original, published):
    given = convolutions(published)
    assert len(given) == 1 + 2 * BLOCKS
    assert [kernel.shape for kernel, _ in given[:3]] == [(3, 3, 3, 32), (3, 3, 32, 1), (1, 1, 32, 64)]
    gamma, beta, mean, variance = original.get_layer("conv_dw_1_bn").get_weights()
    factor = gamma / np.sqrt(variance + original.get_layer("conv_dw_1_bn").epsilon)
    kernel = original.get_layer("conv_dw_1").get_weights()[0]
    assert given[1][0] == pytest.approx(kernel * factor.reshape(1, 1, -1, 1), rel=0.01, abs=1e-3)
    assert given[1][1] == pytest.approx(beta - mean * factor, rel=0.01, abs=1e-3)
