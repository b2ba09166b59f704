"""Tracing is switched by OpenTelemetry's own variables; off, nothing of it is loaded."""

import subprocess
import sys

import pytest

from router.tracing import exporter_of, open_tracing

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "exporter"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "x"}, None),
        (COLLECTOR, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "console"),
        ({**COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, None),
        ({**COLLECTOR, "OTEL_SDK_DISABLED": "TRUE"}, None),
        ({**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "otlp"),
    ],
)
def test_the_environment_says_where_spans_go(environ, exporter):
    assert exporter_of(environ) == exporter


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "'zipkin' is none of otlp, console, none"),
        ({**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "'grpc' is not offered; use http/protobuf"),
    ],
)
def test_what_cannot_be_had_is_said_and_the_router_runs_without(environ, why, caplog):
    assert open_tracing(environ) is None
    [line] = caplog.records
    assert line.message == "tracing is off"
    assert why in line.fields["why"]


def test_without_the_extra_the_remedy_is_named(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "router.tracing.spans", None)
    assert open_tracing(COLLECTOR) is None
    assert "pip install 'realtime-router[otel]'" in caplog.records[0].fields["why"]


def test_on_it_makes_spans():
    spans = open_tracing({"OTEL_TRACES_EXPORTER": "console"})
    assert spans is not None
    spans.close()


def test_off_nothing_of_it_is_imported():
    program = (
        "import sys; from realtime.app import build; from router.config import load; build(load(None, {}), {});"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
