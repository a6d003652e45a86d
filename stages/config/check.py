"""Checks a configuration that was parsed against the schema, and words what is wrong with it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, is_dataclass, replace

from .. import layout
from ..areas import EXAMPLE_LINE, EXAMPLE_ZONE, flaw_of_line, flaw_of_zone
from ..names import described, short
from .amounts import bytes_of
from .connections import SOURCE_PLACE, Mqtt, StreamAddress, Webhook, is_stored
from .keys import NotAllowed, hides, is_allowed, keys_of
from .keys import checked as checked_value
from .schema import (
    AREA_NAME,
    HOST_NAME,
    KNOWN_ATTRIBUTES,
    MODEL_FILES,
    MOST_AREAS,
    RESERVED_STAGE_NAMES,
    SECTIONS,
    SOURCE_NAME,
    STAGE_NAME,
    Attribute,
    Chaos,
    Detect,
    Host,
    Pipeline,
    SourceSpec,
    Stage,
    default_model,
    hosts_in,
)

KeyPath = tuple[str, ...]  # ("stages", "detect", "detector")

DETECTOR, DETECTOR_MODEL = ("stages", "detect", "detector"), ("stages", "detect", "model")

MOST_HOSTS, MOST_WEBHOOKS = 64, 16
_MOST = {"hosts": MOST_HOSTS, "webhooks": MOST_WEBHOOKS}
EXAMPLE = "tcp://127.0.0.1:5700"
_TAKES_A_CARD, _CARDS = "fast", (".yaml", ".yml")
# Keys that have moved, with where to.
_MOVED = {("stages", "detect", key): ("stages", "detect", "haar", key) for key in ("step", "neighbours")}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a key; the sentence is without place and full stop."""

    path: KeyPath
    says: str


def dotted(path: KeyPath) -> str:
    """A path as it is written: stages.detect.detector."""
    return ".".join(short(part) for part in path)


def checked(document: dict) -> tuple[Pipeline | None, list[Problem]]:
    """Make a pipeline of a document whose `stages` are there; None if there are problems with single keys."""
    problems: list[Problem] = []
    if isinstance(memory := document.get("window_memory"), str):
        size = bytes_of(memory.strip())
        document["window_memory"] = memory if size is None else size  # What is none is for the schema to refuse.
    given = {key: document.pop(key, None) for key in ("stages", "hosts", "webhooks", "chaos")}
    top = _section(Pipeline, document, (), problems)
    named = {key: _names(key, value, problems) for key, value in given.items()}
    stages = {name: _stage(name, keys, problems) for name, keys in ({"detect": {}} | named["stages"]).items()}
    hosts = {name: _host(name, keys, problems) for name, keys in named["hosts"].items()}
    webhooks = {name: _webhook(name, keys, problems) for name, keys in named["webhooks"].items()}
    chaos = {name: _chaos(name, keys, stages, problems) for name, keys in named["chaos"].items()}
    if problems:
        return None, problems
    pipeline = replace(top, stages=stages, hosts=hosts, webhooks=webhooks, chaos=chaos)
    return pipeline, [*_contradictions(pipeline, document), *_misplaced(pipeline)]


def _names(key: str, given: object, problems: list[Problem]) -> dict[str, object]:
    """The names that stand below a key, each with what stands below it."""
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _MOST.get(key, math.inf):
        problems.append(_wrong_value(Pipeline, (key,), given))
        return {}
    return {name: {} if keys is None else keys for name, keys in given.items()}


def _chaos(name: str, keys: object, stages: Iterable[str], problems: list[Problem]) -> Chaos | None:
    path, known = ("chaos", name), ("capture", *stages, "render")
    if name not in known:
        says = f"{dotted(path)} is no stage of this pipeline; write one of {', '.join(known)}{_nearest(name, known)}"
        problems.append(Problem(path, says))
    return _section(Chaos, keys, path, problems)


def _stage(name: str, keys: object, problems: list[Problem]) -> Stage | None:
    path = ("stages", name)
    if name == "detect":
        return _section(Detect, keys, path, problems)
    if not re.fullmatch(STAGE_NAME, name) or name in RESERVED_STAGE_NAMES:
        problems.append(Problem(path, _bad_stage_name(name)))
        return None
    if isinstance(keys, dict) and name in KNOWN_ATTRIBUTES:
        keys = {"model": default_model(name), **keys}
    elif isinstance(keys, dict) and not {"kind", "model"} <= keys.keys():
        needs = "a stage of your own needs 'kind: attribute' and 'model: CARD'"
        problems.append(Problem(path, f"{dotted(path)} is not a known stage; {needs}{_nearest(name, _known_stages())}"))
        return None
    return _section(Attribute, keys, path, problems)


def _host(name: str, keys: object, problems: list[Problem]) -> Host | None:
    path = ("hosts", name)
    if not re.fullmatch(HOST_NAME.pattern, name):
        says = "write 1 to 64 of the characters A-Z a-z 0-9 _ -, no _ or - first"
        problems.append(Problem(path, f"{short(repr(name))} is no name for a host; {says}"))
        return None
    if isinstance(keys, dict) and "address" not in keys:
        problems.append(Problem(path, f"{dotted(path)} needs an address, such as {{address: 192.168.7.10}}"))
        return None
    if isinstance(keys, dict) and keys["address"] in ("0.0.0.0", "::"):
        says = f"{dotted(path)}.address is {keys['address']!r}, where no other machine finds it; write its own address"
        problems.append(Problem((*path, "address"), says))
        return None
    return _section(Host, keys, path, problems)


def _webhook(name: str, keys: object, problems: list[Problem]) -> Webhook | None:
    path = ("webhooks", name)
    if not re.fullmatch(HOST_NAME.pattern, name):
        says = "write 1 to 64 of the characters A-Z a-z 0-9 _ -, no _ or - first"
        problems.append(Problem(path, f"{short(repr(name))} is no name for a webhook; {says}"))
        return None
    if isinstance(keys, dict) and keys.get("url") is None:
        problems.append(Problem(path, f"{dotted(path)} needs a url, such as {{url: https://example.org/hook}}"))
        return None
    return _section(Webhook, keys, path, problems)


def _bad_stage_name(name: str) -> str:
    if name in RESERVED_STAGE_NAMES:
        return f"stages.{name} cannot be: the name is taken by the program; choose another"
    return (
        f"{short(repr(name))} is no name for a stage; write 1 to 32 of the characters a-z 0-9 _ -, a letter first"
        f"{_nearest(name, _known_stages())}"
    )


def _known_stages() -> list[str]:
    return ["detect", *KNOWN_ATTRIBUTES]


def _section(section: type, keys: object, path: KeyPath, problems: list[Problem]) -> object:
    """One dataclass of the schema from the keys given for it; what is wrong is added to `problems`."""
    if not isinstance(keys, dict):
        names = ", ".join(keys_of(section))
        problems.append(Problem(path, f"{dotted(path)} is {described(keys)}; write below it any of the keys {names}"))
        return None
    known, taken, before = keys_of(section), {}, len(problems)
    for name, key in known.items():
        if name not in keys:
            continue
        if is_dataclass(key.kind.__origin__):
            inner = {} if keys[name] is None else keys[name]
            taken[name] = _section(key.kind.__origin__, inner, (*path, name), problems)
            continue
        try:
            taken[name] = checked_value(key.kind, keys[name])
        except NotAllowed:
            find_wrong = _WRONG_INSIDE.get(name) if section is Pipeline else None
            wrong = find_wrong(keys[name]) if find_wrong else []
            problems += wrong or [_wrong_value(section, (*path, name), keys[name])]
    problems += [_unknown_key(section, (*path, name)) for name in keys if name not in known]
    return section(**taken) if len(problems) == before else None


def _unknown_key(section: type, path: KeyPath) -> Problem:
    if moved := _MOVED.get(path):
        return Problem(path, f"{dotted(path)} is {dotted(moved)} now; write it there")
    known = keys_of(section)
    guess = _nearest(path[-1], known) or _elsewhere(path[-1])
    return Problem(path, f"{dotted(path)} is not a key; write one of {', '.join(known)}{guess}")


def _wrong_value(section: type, path: KeyPath, found: object) -> Problem:
    key = keys_of(section)[path[-1]]
    guess = _nearest(found, key.choices) if isinstance(found, str) and len(key.choices) > 1 else ""
    shown = "a text that is not shown here" if isinstance(found, str) and hides(key.kind) else described(found)
    return Problem(path, f"{dotted(path)} is {shown}; write {key.allowed}{guess}")


def _wrong_sources(given: object) -> list[Problem]:
    """What is wrong with single ones of `sources`."""
    problems = []
    for name, spec in given.items() if isinstance(given, dict) else ():
        path = ("sources", name)
        if not SOURCE_NAME.allows(name):
            problems.append(Problem(path, f"{short(repr(name))} is no name for a source; write {SOURCE_NAME.words}"))
        elif not is_allowed(SourceSpec, spec):
            allowed = keys_of(Pipeline)["source"].allowed
            problems.append(Problem(path, f"{dotted(path)} is {described(spec)}; write {allowed}"))
    return problems


def _wrong_zones(given: object) -> list[Problem]:
    return _wrong_areas("zones", flaw_of_zone, given)


def _wrong_lines(given: object) -> list[Problem]:
    return _wrong_areas("lines", flaw_of_line, given)


def _wrong_areas(key: str, flaw_of: Callable[[object], str | None], given: object) -> list[Problem]:
    """What is wrong with single zones or lines, which may stand under names of sources."""
    problems, named = [], []
    for name, value in given.items() if isinstance(given, dict) else ():
        under = ((key, name, inner) for inner in value) if isinstance(value, dict) else [(key, name)]
        named += [(path, value[path[2]] if len(path) == 3 else value) for path in under]
    for path, points in named:
        if not AREA_NAME.allows(path[-1]):
            problems.append(_bad_area_name(path))
        elif flaw := flaw_of(points):
            problems.append(Problem(path, f"{dotted(path)} {flaw}"))
    return problems


def _bad_area_name(path: KeyPath) -> Problem:
    return Problem(path, f"{short(repr(path[-1]))} is no name for one of {path[0]}; write {AREA_NAME.words}")


# What tells which of the entries of a key is wrong.
_WRONG_INSIDE = {"sources": _wrong_sources, "zones": _wrong_zones, "lines": _wrong_lines}


def _misplaced_areas(pipeline: Pipeline) -> Iterator[Problem]:
    """Zones and lines that stand under another source than theirs, that share a name, or that are too many."""
    sources = pipeline.sources
    for key, areas, example in (("zones", pipeline.zones, EXAMPLE_ZONE), ("lines", pipeline.lines, EXAMPLE_LINE)):
        for name, value in areas.items():
            if not sources and isinstance(value, dict):
                says = f"{key}.{name} is a mapping, but there is one source; write {key}: {{NAME: {example}}}"
                yield Problem((key, name), says)
            elif sources and not isinstance(value, dict):
                one = next(iter(sources))
                says = f"{key}.{name} has points, but which of sources it is for is not said; write them below"
                yield Problem((key, name), f"{says} {key}.{one}, as {{{name}: {example}}}")
            elif not sources and not AREA_NAME.allows(name):  # A name of a source may have more characters.
                yield _bad_area_name((key, name))
            elif sources and name not in sources:
                says = f"{key}.{name} is none of sources; name a source{_nearest(name, sources)}"
                yield Problem((key, name), says)
    for source in sources or (None,):
        yield from _same_names(pipeline, source)


def _same_names(pipeline: Pipeline, source: str | None) -> Iterator[Problem]:
    above = () if source is None else (source,)
    zones, lines = ((each.get(source, {}) if source else each) for each in (pipeline.zones, pipeline.lines))
    if not isinstance(zones, dict) or not isinstance(lines, dict):
        return  # Said already.
    for key, areas in (("zones", zones), ("lines", lines)):
        if len(areas) > MOST_AREAS:
            says = f"{dotted((key, *above))} has {len(areas)} entries; write at most {MOST_AREAS}"
            yield Problem((key, *above), says)
    seen: dict[str, str] = {}
    for key, name in [("zones", name) for name in zones] + [("lines", name) for name in lines]:
        twin = seen.setdefault(name.lower(), f"{key}.{name}")
        if twin != f"{key}.{name}":
            says = f"{dotted((key, *above, name))} has the name of {twin}; write another one"
            yield Problem((key, *above, name), says)


def _contradictions(pipeline: Pipeline, document: dict) -> Iterator[Problem]:
    """What is wrong only together; `document` tells what was given from what is a default."""
    if "source" in document and "sources" in document:
        yield Problem(("sources",), "both source and sources are given; keep one of them")
    seen: dict[str, str] = {}
    for name in pipeline.sources:
        twin = seen.setdefault(name.lower(), name)
        if twin != name:  # Their outputs are files of these names, which are one on macOS and Windows.
            yield Problem(("sources", name), f"the sources {twin} and {name} differ only in case; rename one of them")
        if name.lower() in layout.ALL:
            says = f"the source {name} would get the place of what a run itself calls so; rename it"
            yield Problem(("sources", name), says)
    for name in pipeline.stages:
        stage, _, replica = name.rpartition("-")
        if replica.isdecimal() and stage in pipeline.stages:  # Processes and their logs are named so.
            says = f"stages.{name} is what a process of stages.{stage} is called; choose another name"
            yield Problem(("stages", name), says)
    for name in pipeline.render.smooth:
        if name not in (*KNOWN_ATTRIBUTES, *pipeline.attributes()):
            guess = _nearest(name, (*KNOWN_ATTRIBUTES, *pipeline.attributes()))
            says = f"render.smooth.{short(name)} names no attribute of this pipeline; leave it out{guess}"
            yield Problem(("render", "smooth", name), says)
    if isinstance(publish := pipeline.render.publish, dict):
        if not isinstance(publish.get("address"), str):
            says = f"render.publish needs an address, such as {{address: {EXAMPLE}, pixels: true}}"
            yield Problem(("render", "publish"), says)
        elif not isinstance(publish.get("pixels", False), bool):
            says = f"render.publish.pixels is {described(publish['pixels'])}; write true or false"
            yield Problem(("render", "publish"), says)
    yield from _wrong_streams(pipeline)
    if pipeline.capture.end_s <= pipeline.capture.start_s:
        begins, ends = pipeline.capture.start_s, pipeline.capture.end_s
        yield Problem(("capture", "end"), f"capture.end, {ends:g} s, is not after capture.start, {begins:g} s")
    yield from _wrong_rotation(pipeline)
    yield from _misplaced_areas(pipeline)
    yield from _wrong_model(pipeline.detect)
    if pipeline.is_connected and not (pipeline.render.events and pipeline.render.track):
        path = ("mqtt", "broker") if pipeline.mqtt.broker else ("webhooks",)
        says = "events are to be sent, and render.events or render.track is false; write true there"
        yield Problem(path, f"{dotted(path)} is given: {says}")
    yield from _wrong_mqtt(pipeline.mqtt)
    yield from _wrong_webhooks(pipeline.webhooks)


def _wrong_rotation(pipeline: Pipeline) -> Iterator[Problem]:
    """What is to be deleted is in pieces, and the newest of them is not deleted."""
    render = pipeline.render
    if render.keep is None:
        return
    if render.rotate is None:
        says = f"render.keep is {render.keep}, and results are in one piece; write render.rotate too, such as 1h"
        yield Problem(("render", "keep"), says)
    elif render.keep_bytes == 0:
        yield Problem(("render", "keep"), f"render.keep is {render.keep}, which keeps nothing; write a larger size")
    elif render.keep_s is not None and render.keep_s < render.rotate_s:
        says = f"render.keep, {render.keep}, is shorter than render.rotate, {render.rotate}; write a longer time"
        yield Problem(("render", "keep"), says)


def _wrong_streams(pipeline: Pipeline) -> Iterator[Problem]:
    """An address that is none, or one for several streams, of which the second would end the first."""
    path, addresses = ("render", "stream"), pipeline.render.streams
    wrong = [place for place, address in enumerate(addresses, 1) if not is_allowed(StreamAddress, address)]
    if wrong:
        allowed = StreamAddress.__metadata__[0].words
        yield Problem(path, f"entry {wrong[0]} of render.stream is a text that is not shown here; write {allowed}")
    elif len(pipeline.sources) > 1 and any(
        SOURCE_PLACE not in address for address in addresses if not is_stored(address)
    ):
        says = f"render.stream is one address for {len(pipeline.sources)} sources; put {SOURCE_PLACE} into it"
        yield Problem(path, f"{says}, such as rtsp://127.0.0.1:8554/{SOURCE_PLACE}")
    elif len(set(addresses)) < len(addresses):
        yield Problem(path, "render.stream names an address twice; leave one out")


def _wrong_model(detect: Detect) -> Iterator[Problem]:
    """A detector without its model, or with one that it does not take."""
    detector, key, others = detect.detector, dotted(DETECTOR_MODEL), " or ".join(MODEL_FILES)
    if detector in MODEL_FILES:
        if detect.model is None:
            where = MODEL_FILES[detector]
            yield Problem(
                DETECTOR, f"the detector {detector} needs a model file; get {where}, and add --set {key}=FILE"
            )
    elif detect.model is None:
        return
    elif detector != _TAKES_A_CARD:
        choice = f"leave it out or choose {_TAKES_A_CARD}, {others}"
        yield Problem(DETECTOR_MODEL, f"{key} is given, but the detector {detector} takes none; {choice}")
    elif not detect.model.lower().endswith(_CARDS):
        says = f"{key} is {short(repr(detect.model))}, but the detector {detector} takes a card, NAME.yaml"
        yield Problem(DETECTOR_MODEL, f"{says}; write one, or choose the detector {others}")


def _wrong_mqtt(mqtt: Mqtt) -> Iterator[Problem]:
    """Keys of a broker without a broker, or of TLS without TLS."""
    if mqtt.broker is None:
        if mqtt != Mqtt():
            yield Problem(("mqtt",), "mqtt has keys but no broker; write mqtt.broker, such as mqtt://localhost")
        return
    for key in ("ca", "certificate", "key"):
        if getattr(mqtt, key) is not None and not mqtt.broker.startswith("mqtts:"):
            yield Problem(("mqtt", key), f"mqtt.{key} is for TLS, and mqtt.broker has none; begin it with mqtts://")
    if mqtt.key is not None and mqtt.certificate is None:
        yield Problem(("mqtt", "key"), "mqtt.key is given without mqtt.certificate; write both")
    if mqtt.password is not None and mqtt.user is None:
        yield Problem(("mqtt", "password"), "mqtt.password is given without mqtt.user; write both")


def _wrong_webhooks(webhooks: dict[str, Webhook]) -> Iterator[Problem]:
    """Two of one name where case does not count, or keys of TLS without TLS."""
    seen: dict[str, str] = {}
    for name, webhook in webhooks.items():
        twin = seen.setdefault(name.lower(), name)
        if twin != name:  # How far each is sent is kept in files of these names.
            yield Problem(("webhooks", name), f"the webhooks {twin} and {name} differ only in case; rename one of them")
        if webhook.ca is not None and webhook.url.startswith("http:"):
            says = f"webhooks.{name}.ca is for TLS, and the url has none; begin it with https://"
            yield Problem(("webhooks", name, "ca"), says)


def _misplaced(pipeline: Pipeline) -> Iterator[Problem]:
    """What is wrong with the hosts, and with who runs where."""
    known = f"write one of {', '.join(pipeline.hosts)}" if pipeline.hosts else "name the machines under hosts"
    placed = [(("stages", name, "host"), hosts_in(stage.host)) for name, stage in pipeline.stages.items()]
    placed += [(("render", "host"), hosts_in(pipeline.render.host))]
    placed += [(("capture", "host"), hosts_in(pipeline.capture.host))]
    for path, hosts in placed:
        for host in hosts:
            if host not in pipeline.hosts:
                guess = _nearest(host, pipeline.hosts)
                yield Problem(path, f"{dotted(path)} is {short(repr(host))}, which is none of hosts; {known}{guess}")
        if len(set(hosts)) < len(hosts) and not isinstance(pipeline.capture.host, dict):
            yield Problem(path, f"{dotted(path)} names a host twice; use replicas for several processes on one")
    if isinstance(pipeline.capture.host, dict):
        for name in pipeline.capture.host.keys() - pipeline.sources.keys():
            path = ("capture", "host", name)
            yield Problem(path, f"{dotted(path)} is none of sources; name a source{_nearest(name, pipeline.sources)}")
    yield from _same_places(pipeline)


def _same_places(pipeline: Pipeline) -> Iterator[Problem]:
    """Hosts that would open one port of one machine, or share the files of their keys where case does not count."""
    seen: dict[str, str] = {}
    taken: dict[str, list[tuple[int, str]]] = {}
    for name, host in pipeline.hosts.items():
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            yield Problem(("hosts", name), f"the hosts {twin} and {name} differ only in case; rename one of them")
        port = host.port or pipeline.port
        for other_port, other in taken.setdefault(host.address.lower(), []):
            if abs(port - other_port) <= len(pipeline.all_sources()):
                says = f"hosts.{name} has the address of hosts.{other}; write its own, or a port further away"
                yield Problem(("hosts", name), says)
                break
        taken[host.address.lower()].append((port, name))


def _nearest(word: str, words: Iterable[str]) -> str:
    found = difflib.get_close_matches(word[:64], list(words), 1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _elsewhere(word: str) -> str:
    """What to say of a key that was written in the wrong section."""
    return f" (did you mean '{found}'?)" if (found := full_name(word)) else ""


def full_name(word: str) -> str | None:
    """The full name of a key, such as `render.style` for `style`; most stages are attributes."""
    for _, prefix, section in sorted(SECTIONS, key=lambda row: row[2] is not Attribute):
        if word in keys_of(section):
            return prefix + word
    return None
