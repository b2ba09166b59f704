"""The files for containers say what the code does: ports, paths, users, times, commands, packages."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from realtime.serving import Wanted, binding_of, refusal_of
from router.cli.app import LOCAL_URL, app
from router.config import load
from router.config.models import Server
from router.server import Drain
from tests.router.proxy.house import house

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
PORT = Server().port


def kind(name):
    [document] = [one for one in KUBERNETES if one["kind"] == name]
    return document


def pod():
    return kind("Deployment")["spec"]["template"]


def served(path):
    """Whether the proxy serves a GET there."""
    front = house()[0].asgi
    methods = front._table.methods(path)
    return methods is not None and "GET" in methods


def test_the_image_runs_unprivileged_and_ends_as_the_server_does():
    assert "useradd --uid 10001 " in DOCKERFILE
    assert "\nUSER 10001\n" in DOCKERFILE
    assert "\nSTOPSIGNAL SIGTERM\n" in DOCKERFILE
    assert f"\nEXPOSE {PORT}\n" in DOCKERFILE
    assert f"RR_PORT={PORT}" in DOCKERFILE
    assert all(line.startswith("FROM python:3.11-slim") for line in re.findall(r"^FROM .*", DOCKERFILE, re.MULTILINE))


def test_the_image_takes_its_packages_from_the_lock_and_copies_what_exists():
    assert "pip install --require-hashes -r deploy/run.lock" in DOCKERFILE
    sources = [
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in allowed, source
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {name.removesuffix("*") for name in packages} <= set(sources)


def test_the_lock_of_the_image_can_hear_speak_and_trace():
    locked = set(re.findall(r"^([a-z0-9-]+)==", (DEPLOY / "run.lock").read_text(), re.MULTILINE))
    assert {
        "pocketsphinx",
        "numpy",
        "opentelemetry-sdk",
        "opentelemetry-exporter-otlp-proto-http",
        "setuptools",
    } <= locked
    assert "flite" in DOCKERFILE


def test_commands_of_the_image_exist():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert 'CMD realtime-router health --url "http://127.0.0.1:$RR_PORT"' in DOCKERFILE
    assert "health" in names
    assert LOCAL_URL.endswith(f":{PORT}")
    assert 'CMD ["serve"]' in DOCKERFILE
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"] == {
        "realtime-router": "realtime.cli:main"
    }


def test_the_images_configuration_is_served_on_every_address_with_its_key(tmp_path):
    assert "COPY deploy/config.yaml /etc/rr/config.yaml" in DOCKERFILE
    assert "RR_CONFIG=/etc/rr/config.yaml RR_HOST=0.0.0.0" in DOCKERFILE
    mapped = tmp_path / "mapped.yaml"
    mapped.write_text(kind("ConfigMap")["data"]["config.yaml"])
    for path in (DEPLOY / "config.yaml", mapped):
        config = load(path, {"RR_KEY": "a-key-of-callers"})
        assert refusal_of(binding_of(Wanted(host="0.0.0.0"), config), config) is None
        assert config.records.url is None


def test_compose_scrapes_and_shows_the_router():
    services = COMPOSE["services"]
    scrape = yaml.safe_load((ROOT / "grafana/prometheus.yaml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"] == [{"targets": [f"router:{PORT}"]}]
    assert served(scrape["metrics_path"])
    assert services["router"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    for name in ("prometheus", "grafana"):
        for volume in services[name]["volumes"]:
            assert (DEPLOY / volume.split(":")[0]).exists(), volume
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert {source["url"].split("/")[2].split(":")[0] for source in sources} <= services.keys()
    assert "--enable-feature=exemplar-storage" in services["prometheus"]["command"]


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_probes_ask_paths_that_are_served(probe):
    [container] = pod()["spec"]["containers"]
    asked = container[probe]["httpGet"]
    assert served(asked["path"])
    assert asked["port"] == container["ports"][0]["name"]
    assert asked["path"] == ("/readyz" if probe == "readinessProbe" else "/livez")


def test_kubernetes_and_compose_wait_for_the_drain():
    drain, spec = Drain(), pod()["spec"]
    before_s = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    needed_s = before_s + drain.delay_s + max(drain.requests_s, drain.sockets_s)
    assert needed_s <= spec["terminationGracePeriodSeconds"] == 150
    assert COMPOSE["services"]["router"]["stop_grace_period"] == "150s"


def test_kubernetes_scrapes_the_port_that_is_served():
    annotations, [container] = pod()["metadata"]["annotations"], pod()["spec"]["containers"]
    assert annotations["prometheus.io/port"] == str(container["ports"][0]["containerPort"]) == str(PORT)
    assert served(annotations["prometheus.io/path"])
    [endpoint] = kind("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == (container["ports"][0]["name"], annotations["prometheus.io/path"])


def test_selectors_find_the_pods():
    labels = pod()["metadata"]["labels"]
    for name in ("Deployment", "PodDisruptionBudget", "PodMonitor"):
        assert kind(name)["spec"]["selector"]["matchLabels"] == labels
    assert kind("Service")["spec"]["selector"] == labels


def test_pods_run_unprivileged_on_a_root_they_cannot_write():
    spec, [container] = pod()["spec"], pod()["spec"]["containers"]
    assert spec["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]}
