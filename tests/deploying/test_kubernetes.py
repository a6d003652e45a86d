"""The manifests for Kubernetes: valid by its own schemas, and locked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
import yaml

from tests.deploying.made import CAMERA, CONFIGURATIONS, MANY, deployed, documents

validate = pytest.importorskip("kubernetes_validate").validate

VERSION = "1.37.0"


def manifests(name: str, *options: str, **more) -> list[dict]:
    """All but those of Kustomize and of the operator of Prometheus, which are not Kubernetes' own."""
    found = documents(deployed("kubernetes", name, *options, **more))
    return [each for each in found if each["kind"] not in ("Kustomization", "PodMonitor")]


def of_kind(kind: str, found: list[dict]) -> dict[str, dict]:
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def pods(found: list[dict]) -> dict[str, dict]:
    runs = of_kind("StatefulSet", found) | of_kind("Job", found)
    return {name: each["spec"]["template"]["spec"] for name, each in runs.items()}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_manifest_is_valid_by_the_strict_schemas_of_kubernetes(name):
    found = manifests(name)
    assert {"StatefulSet", "Job"} & {each["kind"] for each in found}
    for each in found:
        validate(each, VERSION, strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl, for its Kustomize")
@pytest.mark.parametrize("name", ["house", "many", "connected"])
def test_kustomize_takes_them_and_makes_the_secrets_that_the_pods_mount(name):
    folder = deployed("kubernetes", name)
    built = subprocess.run(
        ["kubectl", "kustomize", str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"KUBECONFIG": os.devnull},
    )
    assert built.returncode == 0, built.stderr
    found = list(yaml.safe_load_all(built.stdout))
    for each in found:
        validate(each, VERSION, strict=True)
    made = set(of_kind("Secret", found)) | {"connected-secrets"}  # which the person makes
    mounted = {v["secret"]["secretName"] for pod in pods(found).values() for v in pod["volumes"] if "secret" in v}
    assert mounted and mounted <= made


def test_the_operator_of_prometheus_finds_every_pod_by_its_labels_and_the_port_by_its_name():
    folder = deployed("kubernetes", "many")
    [monitor] = documents(folder, "podmonitor.yaml")
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    sets = of_kind("StatefulSet", documents(folder, "*.unit.yaml")).values()
    for template in (each["spec"]["template"] for each in sets):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        ports = [port["name"] for container in template["spec"]["containers"] for port in container["ports"]]
        assert endpoint["port"] in ports
    [kustomization] = documents(folder, "kustomization.yaml")
    assert "podmonitor.yaml" not in kustomization["resources"]  # Without the operator nothing else would be applied.


def test_every_host_is_a_pod_on_its_node_and_every_camera_one_without_hosts():
    house = pods(manifests("house"))
    assert {name: pod["nodeSelector"]["facepipe-host"] for name, pod in house.items()} == {
        "house-desk": "desk",
        "house-door": "door",
        "house-fast": "fast",
    }
    assert set(pods(manifests("many"))) == {"many-front-door", "many-yard", "many-hall"}
    assert set(pods(manifests("many", "--per", "host"))) == {"many"}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_container_has_a_right_that_it_does_not_need(name):
    found = manifests(name)
    for pod in pods(found).values():
        assert pod["automountServiceAccountToken"] is False
        context = pod["securityContext"]
        assert context["runAsNonRoot"] and context["runAsUser"] == context["fsGroup"] == 10001
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            written = {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")}
            assert written <= {"/run/facepipe", "/tmp", "/data"}
    [namespace] = of_kind("Namespace", found).values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_each_pod_is_reached_only_on_its_ports_and_reaches_only_what_the_configuration_names():
    found = manifests("house")
    policies = of_kind("NetworkPolicy", found)
    assert set(policies) == set(pods(found))
    door = policies["house-door"]["spec"]
    assert [[port["port"] for port in rule["ports"]] for rule in door["ingress"]] == [[9109], [5601]]
    assert all(rule["from"] for rule in door["ingress"])
    *_, camera = door["egress"]
    assert camera == {
        "to": [{"ipBlock": {"cidr": "192.168.7.30/32"}}],
        "ports": [{"protocol": "TCP", "port": 554}],
    }
    worker = policies["house-fast"]["spec"]
    assert [rule["ports"][0]["port"] for rule in worker["egress"]] == [53, 5600, 5601]
    desk = of_kind("NetworkPolicy", manifests("connected"))["connected-desk"]["spec"]
    assert {rule["ports"][0]["port"] for rule in desk["egress"]} == {53, 443, 554, 8554, 8883}
    assert [port["port"] for port in desk["ingress"][-1]["ports"]] == [8600, 5700, 8040]


@pytest.mark.parametrize("name", ["y", "n", "yes", "null", "1e3", "on", "0x1f"])
def test_a_name_that_yaml_1_1_reads_as_another_type_stays_a_name(name):
    folder = deployed("kubernetes", "many", "--namespace", name, config=f"sources: {{'{name}': '{CAMERA}', b: demo}}\n")
    for path in folder.glob("*.yaml"):  # As kubectl reads them: y and n are no texts for it, unlike for PyYAML.
        assert not re.search(r"[:-] ([yYnN]|yes|null|1e3|on|0x1f)$", path.read_text(), re.MULTILINE)


def test_a_policy_names_the_protocol_of_a_camera_and_no_zone_of_its_address():
    config = "sources: {a: 'srt://192.168.7.30:9000', b: 'rtsp://[fe80::1%eth0]/1', c: 'rtsp://[fd00::1]/1'}\n"
    policies = of_kind("NetworkPolicy", manifests("many", config=config))
    last = {name: each["spec"]["egress"][-1] for name, each in policies.items()}
    assert last == {
        "many-a": {"to": [{"ipBlock": {"cidr": "192.168.7.30/32"}}], "ports": [{"protocol": "UDP", "port": 9000}]},
        "many-b": {"ports": [{"protocol": "TCP", "port": 554}]},
        "many-c": {"to": [{"ipBlock": {"cidr": "fd00::1/128"}}], "ports": [{"protocol": "TCP", "port": 554}]},
    }


def test_the_path_of_a_film_ends_no_comment():
    folder = deployed("kubernetes", "film", config='source: "films/\\e[31m\\nkind: Pod\\n.mp4"\n')
    assert {each["kind"] for each in documents(folder, "first.yaml")} == {"Namespace", "PersistentVolumeClaim"}


def test_only_the_unit_that_sends_has_the_secrets_of_the_environment():
    mounts = {name: pod["containers"][0]["volumeMounts"] for name, pod in pods(manifests("connected")).items()}
    assert {name for name, each in mounts.items() if "/etc/facepipe-secrets" in str(each)} == {"connected-desk"}


def test_a_pod_finds_itself_and_others_by_the_name_of_a_headless_service():
    folder = deployed("kubernetes", "house")
    config = yaml.safe_load((folder / "config/house.yaml").read_text())
    found = documents(folder)
    services = of_kind("Service", found)
    for name, run in of_kind("StatefulSet", found).items():
        service = services[f"{name}-0"]  # the name of its pod, which is in the pod's own /etc/hosts
        assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"]
        assert service["spec"]["selector"] == run["spec"]["template"]["metadata"]["labels"]
    assert {host: said["address"] for host, said in config["hosts"].items()} == {
        host: f"house-{host}-0" for host in ("desk", "door", "fast")
    }


def test_a_camera_is_replaced_one_pod_at_a_time_and_films_are_a_job_that_ends():
    [camera] = of_kind("StatefulSet", manifests("one")).values()
    assert camera["spec"]["replicas"] == 1
    assert camera["spec"]["template"]["spec"]["containers"][0]["args"][0] == "service"
    [film] = of_kind("Job", manifests("film")).values()
    pod = film["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"][:2] == ["run", "--resume"] and pod["restartPolicy"] == "Never"
    assert film["spec"]["podReplacementPolicy"] == "Failed"
    for each in (pod, camera["spec"]["template"]["spec"]):
        assert each["terminationGracePeriodSeconds"] >= 20
        assert any("persistentVolumeClaim" in volume for volume in each["volumes"])


def test_volumes_are_as_large_as_what_is_kept_and_outlive_what_kustomize_deletes():
    folder = deployed("kubernetes", "rotated")
    [claim] = of_kind("PersistentVolumeClaim", documents(folder)).values()
    assert claim["spec"]["resources"]["requests"]["storage"] == "24866Mi"  # 20 GB, a quarter more, and a gigabyte
    assert "first.yaml" not in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    claims = of_kind("PersistentVolumeClaim", manifests("many", "--storage", "9Gi"))
    assert {each["spec"]["resources"]["requests"]["storage"] for each in claims.values()} == {"9Gi"}
    assert not any("storageClassName" in each["spec"] for each in claims.values())
    claims = of_kind("PersistentVolumeClaim", manifests("many", "--storage-class", "fast"))
    assert {each["spec"]["storageClassName"] for each in claims.values()} == {"fast"}


def test_probes_and_prometheus_ask_at_the_port_of_the_metrics_and_the_board_is_there():
    found = manifests("many")
    for run in of_kind("StatefulSet", found).values():
        template = run["spec"]["template"]
        [container] = template["spec"]["containers"]
        port = {each["name"]: each["containerPort"] for each in container["ports"]}["metrics"]
        assert container["args"][-2:] == ["--metrics", str(port)]
        assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port)
        assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "metrics"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/live", "port": "metrics"}
    [board] = of_kind("ConfigMap", found).values()
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1" and '"title": "facepipe"' in str(board["data"])


def test_the_server_beside_a_run_can_read_it_alone_and_asks_for_a_token():
    found = manifests("connected")
    serving = {name: pod["containers"][1:] for name, pod in pods(found).items()}
    assert serving["connected-fast"] == []
    [server] = serving["connected-desk"]
    assert server["args"][-2:] == ["--token", "file:/etc/facepipe-token/token"]
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in server["volumeMounts"]}
    assert mounts == {"/etc/facepipe": True, "/data": True, "/etc/facepipe-token": True, "/tmp": False}


def test_more_frames_and_more_cameras_ask_for_more():
    def cpu(*options: str, config: str | None = None) -> int:
        [pod] = pods(manifests("many", "--per", "host", *options, config=config)).values()
        return int(pod["containers"][0]["resources"]["requests"]["cpu"].removesuffix("m"))

    one = MANY.replace(", yard: 'rtsp://camera.local:8554/2', hall: 'http://192.168.7.32/mjpeg'", "").split("zones")[0]
    slow = cpu("--fps", "5")
    assert 4.5 * slow < cpu("--fps", "25") < 5.5 * slow
    assert 2.5 * cpu(config=one) < cpu() < 3.5 * cpu(config=one)
