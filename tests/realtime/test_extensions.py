"""`providerData`: what it is read as, and what it is refused for."""

import pytest

from realtime import protocol as p
from realtime.codec import Dialect, Refusal, read_session, write_session
from realtime.extensions import HearingWishes, SpeakingWishes, writing_options
from realtime.prompting import chat_document


def read(**provider):
    return read_session({"type": "realtime", "providerData": provider}, Dialect.INWORLD)["provider"]


def test_nothing_said_is_what_the_stages_do_anyway():
    assert HearingWishes.of({}) == HearingWishes()
    assert SpeakingWishes.of({}) == SpeakingWishes()
    assert writing_options({}) == {}


def test_names_come_in_either_case_and_go_out_as_the_reference_spells_them():
    camel = read(
        stt={"vadThreshold": 0.3, "languageHints": ["de"]},
        textGenerationConfig={"maxNewTokens": 9},
        autoToolResponse=True,
    )
    snake = read(
        stt={"vad_threshold": 0.3, "language_hints": ["de"]},
        text_generation_config={"max_new_tokens": 9},
        auto_tool_response=True,
    )
    assert camel == snake
    written = write_session("s", p.SessionSettings(provider=camel), 1, Dialect.INWORLD)["providerData"]
    assert written["text_generation_config"] == {"maxNewTokens": 9}
    assert written["stt"] == {"vad_threshold": 0.3, "language_hints": ["de"]}


def test_metadata_keeps_the_names_the_client_gave():
    assert read(metadata={"customerTier": "gold"})["metadata"] == {"customerTier": "gold"}


@pytest.mark.parametrize(
    ("provider", "param", "code"),
    [
        ({"stt": {"vad_threshold": 2}}, "stt.vad_threshold", "decimal_above_max_value"),
        ({"stt": {"voiceProfile": "yes"}}, "stt.voice_profile", "invalid_type"),
        ({"stt": {"language_hints": "en"}}, "stt.language_hints", "invalid_type"),
        ({"stt": {"max_turn_silence": -1}}, "stt.max_turn_silence", "integer_below_min_value"),
        ({"stt": []}, "stt", "invalid_type"),
        ({"tts": {"segmenter_strategy": "words"}}, "tts.segmenter_strategy", "invalid_value"),
        ({"tts": {"delivery_mode": "LOUD"}}, "tts.delivery_mode", "invalid_value"),
        ({"text_generation_config": {"stopSequences": "x"}}, "text_generation_config.stop_sequences", "invalid_type"),
        (
            {"text_generation_config": {"reasoning": {"effort": "a lot"}}},
            "text_generation_config.reasoning.effort",
            "invalid_value",
        ),
        ({"memory": {"enabled": 1}}, "memory.enabled", "invalid_type"),
    ],
)
def test_a_wrong_value_is_refused_and_named(provider, param, code):
    with pytest.raises(Refusal) as refused:
        read(**provider)
    assert (refused.value.fault.param, refused.value.fault.code) == (f"session.providerData.{param}", code)


def test_what_nobody_here_knows_is_kept_for_servers_that_do():
    provider = read(
        stt={"prompt": "trains", "hotwords": ["Ana"]}, tts={"language": "de", "delivery_mode": "STABLE", "x": 1}
    )
    assert HearingWishes.of(provider).extras == {"hotwords": ["Ana"]}
    assert SpeakingWishes.of(provider).extras == {"delivery_mode": "STABLE", "x": 1}


def test_wishes_about_hearing_and_speaking():
    wishes = HearingWishes.of(
        {
            "stt": {
                "prompt": "trains",
                "language_hints": ["de", "en"],
                "vad_threshold": 0.3,
                "end_of_turn_confidence_threshold": 0.0,
                "min_end_of_turn_silence": 250,
                "max_turn_silence": 1500,
                "voice_profile": False,
            }
        }
    )
    assert wishes == HearingWishes("trains", "de", 0.3, 0.0, 250, 1500, voice_profile=False)
    speaking = SpeakingWishes.of(
        {"tts": {"segmenter_strategy": "per_segment_context", "steering_handling": "emit_once", "speaking_rate": 1.2}}
    )
    assert speaking == SpeakingWishes("balanced", repeats_steering=False, speed=1.2)


def test_the_chat_completion_gets_what_the_session_leaves_open():
    provider = {
        "text_generation_config": {
            "max_new_tokens": 50,
            "temperature": 0.2,
            "top_p": 0.9,
            "stop_sequences": ["END"],
            "seed": 7,
            "reasoning": {"effort": "NONE"},
        }
    }
    request = p.ReplyRequest(
        model="m",
        instructions="",
        items=(),
        modalities=("text",),
        voice="a",
        speed=1.0,
        output_format=p.AudioFormat(),
        temperature=0.8,
        provider=provider,
    )
    document = chat_document(request, "s")
    names = ("max_tokens", "temperature", "top_p", "stop", "seed", "reasoning_effort")
    assert [document[name] for name in names] == [50, 0.8, 0.9, ["END"], 7, "none"]
