"""The tables of README.md say what benchmarks/*.json hold: who measures again writes the page again."""

import json

import pytest

from tests.test_readme import README, ROOT

NAMES = {
    "nginx": "nginx, `proxy_pass`",
    "tensorzero": "TensorZero (Rust)",
    "realtime-router": "**Realtime Router**",
    "realtime-router-compiled": "**Realtime Router**, compiled",
    "portkey": "Portkey (Node)",
    "litellm": "LiteLLM (Python)",
}
PAGE = README.read_text(encoding="utf-8")


def measured(name):
    return json.loads((ROOT / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))


def short(value):
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def gateway_row(found):
    whole = found["many_streams"] - found["many_broken"]
    chunk = f"{found['chunk_cpu_us']:.0f} µs" if whole else "–"
    return (
        f"| {NAMES[found['name']]} | {found['json_cpu_us']:,.0f} µs "
        f"| {found['single_added_p50_ms']:.2f} / {found['single_added_p99_ms']:.2f} ms "
        f"| {chunk} | {whole} | {found['idle_mb']:.0f} MB |"
    )


def voice_row(found, peer=""):
    audio, cancel = found["first_audio_ms"], found["interruption_to_cancel_ms"]
    return (
        f"| {found['sessions']}{peer} | {short(audio['p50'])} / {short(audio['p99'])} ms "
        f"| {cancel['p50']:.0f} / {cancel['p99']:.0f} ms | {found['server_cpu_percent']:.0f} % "
        f"| {short(found['mib_per_session'])} MiB |"
    )


@pytest.mark.parametrize("found", measured("gateway"), ids=lambda found: found["name"])
def test_the_gateways_are_shown_as_measured(found):
    assert gateway_row(found) in PAGE


def test_the_ratios_in_the_text_are_those_of_the_table():
    found = {one["name"]: one for one in measured("gateway")}

    def ratio(name, figure):
        return f"{found[name][figure] / found['tensorzero'][figure]:.2f}"

    ours, compiled = "realtime-router", "realtime-router-compiled"
    text = " ".join(PAGE.split())
    assert f"costs {ratio(ours, 'json_cpu_us')} times what TensorZero takes in this run, " in text
    assert f"{ratio(compiled, 'json_cpu_us')} times with the hot path compiled" in text
    chunk = "chunk_cpu_us"
    assert f"costs {ratio(ours, chunk)} times as much, compiled {ratio(compiled, chunk)}." in text


def test_voice_sessions_are_shown_as_measured():
    found = measured("voice")
    ours = {row["sessions"]: voice_row(row) for row in found["rows"]}
    theirs = {row["sessions"]: voice_row(row, ", pipecat") for row in found["pipecat"]["rows"]}
    assert [row for row in (ours[1], ours[50], ours[100], theirs[1], theirs[25]) if row not in PAGE] == []


def test_the_soak_lost_nothing_and_was_as_long_and_as_busy_as_the_page_says():
    found = measured("soak")
    assert (found["lost"], found["failures"], {one["verdict"] for one in found["slopes"].values()}) == (
        [],
        [],
        {"flat"},
    )
    assert (found["seconds"], found["streams"], found["sessions"]) == (1200, 200, 20)
    assert "Twenty minutes of random faults with 200 streams and 20 calls lost nothing" in PAGE
