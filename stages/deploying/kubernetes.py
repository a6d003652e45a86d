"""Manifests for Kubernetes, to be applied with Kustomize, which is part of kubectl.

No manifest holds a secret: Kustomize makes Secrets of the configuration, which may have passwords of cameras in it, and
of the keys, from files that only their owner can read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..config.amounts import bytes_of, duration_s
from ..names import printable
from ..project import PROJECT
from ..transport.keys import PUBLIC, SECRET
from . import costs
from .adapting import CONFIG, KEYS, KUBERNETES, MEDIA, RUNTIME, SECRETS, STATE, TOKEN, Needs
from .commands import arguments, serving
from .fleet import METRICS_PORT, SERVE_PORT, Fleet, Unit
from .folder import File
from .options import Options
from .outside import Destination, destinations, exposed
from .yaml_text import dumped

USER = 10001
GRACE_S = 30  # a run ends within five seconds, and sends its last events for ten
HOST_LABEL = "facepipe-host"
KEYS_FOLDER = "/etc/facepipe-keys"
FIRST = "first.yaml"  # applied once: what is to outlive the rest
MONITOR = "podmonitor.yaml"  # of no use, and refused, where the operator of Prometheus is not installed
BOARD = PROJECT / "docs" / "grafana.json"
_ADDED_BYTES = 2**30  # for logs, and for what is written while old pieces are deleted
_WHERE_DNS_IS = [
    {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
    {"ipBlock": {"cidr": "169.254.20.10/32"}},  # NodeLocal DNSCache, which is in the network of the node
]
_LOCKED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}

_ABOUT_MONITOR = """\
Only for the operator of Prometheus (kube-prometheus-stack), which does not read the annotations of pods:
  kubectl apply -f podmonitor.yaml
It may look only for monitors with a label of its own, such as `release: prometheus`; add it here."""

HEADER = """\
Written by `facepipe deploy kubernetes`; docs/deploy.md explains it.
Once:
  kubectl apply -f {first}
{more}Now, and after every change:
  kubectl apply -k ."""


def address(fleet: Fleet, host: str) -> str:
    """Where the unit of a host is found: by the name of its pod, which the pod itself has in its own /etc/hosts, before
    the cluster's DNS knows of it."""
    return _pod(fleet, fleet.hosts[host])


def files(fleet: Fleet, needs: dict[str, Needs], options: Options) -> Iterator[tuple[str, File]]:
    """Every manifest by its path; `needs`: by the name of the configuration."""
    own = {unit.name: list(_unit(fleet, unit, needs[unit.config], options)) for unit in fleet.units}
    for unit in fleet.units:
        yield f"{unit.name}.unit.yaml", File(dumped(*own[unit.name], comment=costs.MEASURED))
    yield "network.yaml", File(dumped(*_policies(fleet, options)))
    yield "grafana.yaml", File(dumped(_board(fleet)))
    yield MONITOR, File(dumped(_monitor(fleet, options), comment=_ABOUT_MONITOR))
    yield FIRST, File(dumped(*_first(fleet, needs, options), comment=_about_first(fleet, needs)))
    resources = sorted([*(f"{unit.name}.unit.yaml" for unit in fleet.units), "network.yaml", "grafana.yaml"])
    yield "kustomization.yaml", File(_kustomization(fleet, needs, options, resources))


def _about_first(fleet: Fleet, needs: dict[str, Needs]) -> str:
    films = {inside: path for each in needs.values() for inside, path in each.films.items()}
    copied = [
        f"Copy {printable(path)} to the volume {_media(fleet)} as {printable(inside)}."
        for inside, path in sorted(films.items())
    ]
    if sum(bool(needs[unit.config].films) for unit in fleet.units) > 1:
        copied.append(
            f"Pods on several nodes can read {_media(fleet)} only with accessModes: [ReadWriteMany] and a storage class"
            " that has it."
        )
    said = "The namespace and the volumes: not part of kustomization.yaml, so deleting that keeps them."
    return "\n".join([said, *copied])


def _kustomization(fleet: Fleet, needs: dict[str, Needs], options: Options, resources: list[str]) -> str:
    variables = sorted({name for each in needs.values() for name in each.environment})
    more = [f"kubectl label node NODE {HOST_LABEL}={_label(unit)}" for unit in fleet.units if unit.host]
    if variables:
        named = " ".join(f"--from-literal={name}=..." for name in variables)
        more.append(f"kubectl -n {options.namespace} create secret generic {_environment(fleet)} {named}")
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": options.namespace,
        "resources": resources,
        "secretGenerator": list(_secrets(fleet, needs, options)),
    }
    header = HEADER.format(first=FIRST, more="".join(f"  {line}\n" for line in more))
    return dumped(document, comment=header)


def _secrets(fleet: Fleet, needs: dict[str, Needs], options: Options) -> Iterator[dict]:
    for config in fleet.configs:
        beside = [f"config/{name}" for name in (f"{config}.yaml", *sorted(needs[config].files))]
        yield {"name": _config(fleet, config), "files": beside}
    if options.serve:
        yield {"name": _token(fleet), "files": ["keys/token"]}
    for unit in fleet.units:
        if unit.has_keys:
            secret = [f"keys/{unit.host}{SECRET}"]
            public = [f"keys/{host}{PUBLIC}" for host in unit.pipeline.hosts]
            yield {"name": f"{fleet.full(unit)}-keys", "files": secret + public}


# --- What runs ---


def _unit(fleet: Fleet, unit: Unit, needs: Needs, options: Options) -> Iterator[dict]:
    yield _service(fleet, unit, options)
    yield _job(fleet, unit, needs, options) if unit.ends else _stateful_set(fleet, unit, needs, options)


def _service(fleet: Fleet, unit: Unit, options: Options) -> dict:
    """The name of the unit for others; headless: a pod binds its own address, and not one of the cluster's."""
    ports = unit.ports | exposed(unit) | _served(unit, options) | {"metrics": METRICS_PORT}
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,  # Units are ready when they have found each other.
        "selector": _labels(fleet, unit),
        "ports": [{"name": name, "port": port, "targetPort": port} for name, port in ports.items()],
    }
    return _object("v1", "Service", _pod(fleet, unit), fleet, unit, spec=spec)


def _stateful_set(fleet: Fleet, unit: Unit, needs: Needs, options: Options) -> dict:
    """At most one pod at any time, also while one is replaced: the next goes on with what the last has written."""
    spec = {
        "replicas": 1,
        "serviceName": _pod(fleet, unit),
        "selector": {"matchLabels": _labels(fleet, unit)},
        "updateStrategy": {"type": "RollingUpdate"},
        "template": _template(fleet, unit, needs, options),
    }
    return _object("apps/v1", "StatefulSet", fleet.full(unit), fleet, unit, spec=spec)


def _job(fleet: Fleet, unit: Unit, needs: Needs, options: Options) -> dict:
    """Until it is done; a pod that was lost is followed by another one when it is gone for good."""
    template = _template(fleet, unit, needs, options)
    template["spec"] |= {"hostname": _pod(fleet, unit), "restartPolicy": "Never"}
    refused = {"containerName": "facepipe", "operator": "In", "values": [2]}
    moved = [{"type": "DisruptionTarget", "status": "True"}]
    rules = [{"action": "FailJob", "onExitCodes": refused}, {"action": "Ignore", "onPodConditions": moved}]
    spec = {
        "backoffLimit": 100,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": rules},
        "template": template,
    }
    return _object("batch/v1", "Job", fleet.full(unit), fleet, unit, spec=spec)


def _template(fleet: Fleet, unit: Unit, needs: Needs, options: Options) -> dict:
    scraped = {"scrape": "true", "port": str(METRICS_PORT), "path": "/metrics"}
    metadata = {
        "labels": _labels(fleet, unit),
        "annotations": {f"prometheus.io/{name}": value for name, value in scraped.items()},
    }
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(fleet, unit, needs, options)],
        "volumes": list(_volumes(fleet, unit, needs, options)),
    }
    if unit.host:
        spec["nodeSelector"] = {HOST_LABEL: _label(unit)}
    if _served(unit, options):
        spec["containers"].append(_serving_container(unit, options))
    if unit.has_keys:
        spec["initContainers"] = [_keys_container(options)]
    return {"metadata": metadata, "spec": spec}


def _container(fleet: Fleet, unit: Unit, needs: Needs, options: Options) -> dict:
    asked = unit.resources
    return {
        "name": "facepipe",
        "image": options.image,
        "args": arguments(unit, f"{CONFIG}/{unit.config}.yaml", f"{STATE}/{unit.name}", "0.0.0.0"),
        "env": [
            {"name": name, "value": value}
            for name, value in (("HOME", "/tmp"), ("TMPDIR", "/tmp"), ("XDG_RUNTIME_DIR", RUNTIME))
        ],
        "ports": [
            {"name": name, "containerPort": port} for name, port in {"metrics": METRICS_PORT, **unit.ports}.items()
        ],
        "startupProbe": {"httpGet": {"path": "/live", "port": "metrics"}, "periodSeconds": 2, "failureThreshold": 60},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "metrics"}, "periodSeconds": 5},
        "livenessProbe": {
            "httpGet": {"path": "/live", "port": "metrics"},
            "periodSeconds": 20,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        # No limit of the processor: one that is held back in the middle of a frame answers late.
        "resources": {
            "requests": {"cpu": f"{asked.cpu_m}m", "memory": f"{asked.memory_mb}Mi"},
            "limits": {"memory": f"{asked.limit_mb}Mi"},
        },
        "securityContext": dict(_LOCKED),
        "volumeMounts": list(_mounts(unit, needs)),
    }


def _keys_container(options: Options) -> dict:
    """Copies the keys into a folder that only their owner can enter: a Secret's own is open to its group."""
    folder = KEYS[KUBERNETES]
    script = f"install -d -m 700 {folder} && install -m 600 {KEYS_FOLDER}/* {folder}"
    return {
        "name": "keys",
        "image": options.image,
        "command": ["sh", "-c", script],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": dict(_LOCKED),
        "volumeMounts": [
            {"name": "keys", "mountPath": KEYS_FOLDER, "readOnly": True},
            {"name": "run", "mountPath": RUNTIME},
        ],
    }


def _serving_container(unit: Unit, options: Options) -> dict:
    """Answers about the runs beside the command that writes them, with no right to change them."""
    read = (("config", CONFIG), ("state", STATE), ("token", TOKEN))
    return {
        "name": "serve",
        "image": options.image,
        "args": serving(unit, f"{CONFIG}/{unit.config}.yaml", STATE, f"{TOKEN}/token"),
        "env": [{"name": "HOME", "value": "/tmp"}],
        "ports": [{"name": "serve", "containerPort": SERVE_PORT}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "serve"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "serve"}, "periodSeconds": 20},
        "resources": {
            "requests": {"cpu": "50m", "memory": f"{costs.SERVE_MB}Mi"},
            "limits": {"memory": f"{3 * costs.SERVE_MB}Mi"},
        },
        "securityContext": dict(_LOCKED),
        "volumeMounts": [
            *({"name": name, "mountPath": path, "readOnly": True} for name, path in read),
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }


def _served(unit: Unit, options: Options) -> dict[str, int]:
    """The port of the server of a unit by its name; none where nothing is served."""
    return {"serve": SERVE_PORT} if options.serve and unit.writes else {}


def _mounts(unit: Unit, needs: Needs) -> Iterator[dict]:
    yield {"name": "config", "mountPath": CONFIG, "readOnly": True}
    yield {"name": "run", "mountPath": RUNTIME}
    yield {"name": "tmp", "mountPath": "/tmp"}
    yield {"name": "state", "mountPath": STATE}
    if needs.environment and unit.writes:
        yield {"name": "environment", "mountPath": SECRETS[KUBERNETES], "readOnly": True}
    if unit.reads and needs.films:
        yield {"name": "media", "mountPath": MEDIA, "readOnly": True}


def _volumes(fleet: Fleet, unit: Unit, needs: Needs, options: Options) -> Iterator[dict]:
    yield _secret_volume("config", _config(fleet, unit.config))
    yield {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}
    yield {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}
    if unit.writes:
        yield {"name": "state", "persistentVolumeClaim": {"claimName": _results(fleet, unit)}}
    else:
        yield {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}}  # Logs.
    if unit.has_keys:
        yield _secret_volume("keys", f"{fleet.full(unit)}-keys")
    if _served(unit, options):
        yield _secret_volume("token", _token(fleet))
    if needs.environment and unit.writes:
        yield _secret_volume("environment", _environment(fleet))
    if unit.reads and needs.films:
        yield {"name": "media", "persistentVolumeClaim": {"claimName": _media(fleet), "readOnly": True}}


def _secret_volume(name: str, secret: str) -> dict:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}


# --- What it may reach, and who may reach it ---


def _policies(fleet: Fleet, options: Options) -> Iterator[dict]:
    for unit in fleet.units:
        spec = {
            "podSelector": {"matchLabels": _labels(fleet, unit)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": list(_ingress(fleet, unit, options)),
            "egress": list(_egress(fleet, unit)),
        }
        yield _object("networking.k8s.io/v1", "NetworkPolicy", fleet.full(unit), fleet, unit, spec=spec)


def _ingress(fleet: Fleet, unit: Unit, options: Options) -> Iterator[dict]:
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": options.monitoring}}}
    yield {"from": [monitoring], "ports": _ports(METRICS_PORT)}
    if unit.ports:
        yield {"from": [{"podSelector": {"matchLabels": _labels(fleet)}}], "ports": _ports(*unit.ports.values())}
    if shown := exposed(unit) | _served(unit, options):
        yield {"ports": _ports(*shown.values())}


def _egress(fleet: Fleet, unit: Unit) -> Iterator[dict]:
    yield {"to": _WHERE_DNS_IS, "ports": [{"protocol": name, "port": 53} for name in ("UDP", "TCP")]}
    for other in fleet.units:
        if other is not unit and other.ports and unit.has_keys:
            peer = {"podSelector": {"matchLabels": _labels(fleet, other)}}
            yield {"to": [peer], "ports": _ports(*other.ports.values())}
    for place in destinations(unit):
        yield _to(place)


def _to(place: Destination) -> dict:
    """A policy knows no names: where one is said, the port is open to every address."""
    ports = [{"protocol": place.protocol, "port": place.port}]
    if place.host is None:
        return {"ports": ports}
    block = {"cidr": f"{place.host}/{128 if ':' in place.host else 32}"}
    return {"to": [{"ipBlock": block}], "ports": ports}


def _ports(*numbers: int) -> list[dict]:
    return [{"protocol": "TCP", "port": number} for number in numbers]


# --- What is kept ---


def _first(fleet: Fleet, needs: dict[str, Needs], options: Options) -> Iterator[dict]:
    enforced = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    yield {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": options.namespace, "labels": enforced},
    }
    for unit in fleet.units:
        if unit.writes:
            yield _claim(fleet, unit, _results(fleet, unit), _size(unit, options), options)
    if any(each.films for each in needs.values()):
        yield _claim(fleet, None, _media(fleet), options.storage, options)


def _claim(fleet: Fleet, unit: Unit | None, name: str, size: str, options: Options) -> dict:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if options.storage_class:
        spec["storageClassName"] = options.storage_class
    claim = _object("v1", "PersistentVolumeClaim", name, fleet, unit, spec=spec)
    claim["metadata"]["namespace"] = options.namespace
    return claim


def _size(unit: Unit, options: Options) -> str:
    """Of the volume with the results: what the configuration keeps, or what the person says."""
    kept = bytes_of(unit.pipeline.render.keep) if unit.pipeline.render.keep else None
    if kept is None:
        return options.storage
    # The piece that has just ended always stays, and another one is being written.
    return f"{-(-(kept * len(unit.pipeline.all_sources()) * 5 // 4 + _ADDED_BYTES) // 2**20)}Mi"


def overfilled(unit: Unit, options: Options) -> str | None:
    """Why the volume of a camera is too small for what is kept for a time, in a sentence; None: it is not."""
    pipeline, keep = unit.pipeline, unit.pipeline.render.keep or ""
    if not (unit.writes and pipeline.writes_annotated and (kept_s := duration_s(keep))):
        return None
    written = 1000 * costs.DISK_KB * options.fps * kept_s * len(pipeline.all_sources())
    if written <= bytes_of(f"{options.storage}B"):
        return None
    return (
        f"render.keep is {keep}: in that time {unit.name} writes about {written / 1e9:.0f} GB, with {options.fps:g}"
        f" frames of 1280 x 720 a second, and its volume has {options.storage}; choose a larger --storage, or write"
        " a size."
    )


def _board(fleet: Fleet) -> dict:
    """The dashboard, as Grafana's sidecar finds it."""
    board = _object("v1", "ConfigMap", f"{fleet.name}-grafana", fleet, None)
    board["metadata"]["labels"]["grafana_dashboard"] = "1"
    board["data"] = {"facepipe.json": Path(BOARD).read_text(encoding="utf-8")}
    return board


def _monitor(fleet: Fleet, options: Options) -> dict:
    monitor = _object("monitoring.coreos.com/v1", "PodMonitor", fleet.name, fleet, None)
    monitor["metadata"]["namespace"] = options.namespace
    selector = {"matchLabels": _labels(fleet)}
    return monitor | {"spec": {"selector": selector, "podMetricsEndpoints": [{"port": "metrics"}]}}


# --- Names ---


def _object(version: str, kind: str, name: str, fleet: Fleet, unit: Unit | None, **more: dict) -> dict:
    metadata = {"name": name, "labels": _labels(fleet, unit) | {"app.kubernetes.io/managed-by": "facepipe-deploy"}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _labels(fleet: Fleet, unit: Unit | None = None) -> dict[str, str]:
    labels = {"app.kubernetes.io/name": "facepipe", "app.kubernetes.io/instance": fleet.name}
    return labels | ({"app.kubernetes.io/component": unit.name} if unit else {})


def _pod(fleet: Fleet, unit: Unit) -> str:
    return f"{fleet.full(unit)}-0"


def _label(unit: Unit) -> str:
    return unit.host.strip("_-")


def _config(fleet: Fleet, config: str) -> str:
    return f"{fleet.name}-config" if config == fleet.name else f"{fleet.name}-{config}-config"


def _results(fleet: Fleet, unit: Unit) -> str:
    return f"{fleet.full(unit)}-results"


def _media(fleet: Fleet) -> str:
    return f"{fleet.name}-media"


def _token(fleet: Fleet) -> str:
    return f"{fleet.name}-token"


def _environment(fleet: Fleet) -> str:
    return f"{fleet.name}-secrets"
