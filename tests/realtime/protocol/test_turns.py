"""The table of turns is the law, and the diagram is drawn from it."""

import re
import runpy
from pathlib import Path

import pytest

from realtime.protocol.broken import BrokenInvariantError
from realtime.protocol.turns import TABLE, Act, Signal, TurnState, mermaid, step


@pytest.mark.filterwarnings("ignore:.*found in sys.modules.*:RuntimeWarning")
def test_the_diagram_has_one_line_for_each_row_and_no_other(capsys):
    lines = mermaid().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> idle"]
    assert len(lines) == len(TABLE) + 2
    for (state, signal), transition in TABLE.items():
        line = next(one for one in lines if one.startswith(f"    {state} --> {transition.to}: {signal.value}"))
        assert all(act.value in line for act in transition.acts)
    runpy.run_module("realtime.protocol.turns", run_name="__main__")
    assert capsys.readouterr().out == mermaid()


def test_the_diagrams_in_the_documents_are_those_of_the_table():
    root = Path(__file__).parents[3]
    documents = [root / "docs" / "voice-turns.md", root / "README.md"]
    texts = "\n".join(document.read_text(encoding="utf-8") for document in documents)
    drawn = re.findall(r"```mermaid\n(stateDiagram-v2\n.*?)```", texts, flags=re.DOTALL)
    assert drawn
    assert set(drawn) == {mermaid()}


@pytest.mark.parametrize("state", list(TurnState))
@pytest.mark.parametrize("signal", list(Signal))
def test_what_is_not_in_the_table_cannot_happen(state, signal):
    if (state, signal) in TABLE:
        assert step(state, signal) is TABLE[state, signal]
    else:
        with pytest.raises(BrokenInvariantError, match=f"'{signal.value}' cannot happen while '{state.value}'"):
            step(state, signal)


def test_every_state_can_be_reached_and_left():
    assert {transition.to for transition in TABLE.values()} == set(TurnState)
    assert {state for state, _ in TABLE} == set(TurnState)


def test_only_what_interrupts_cancels_and_only_known_words_start_a_reply():
    for (_, signal), transition in TABLE.items():
        assert (Act.CANCEL_RESPONSE in transition.acts) == (signal is Signal.SPEECH_INTERRUPTS)
        assert (Act.START_REPLY in transition.acts) == (signal in {Signal.RESPONSE_STARTS, Signal.WORDS_ARRIVE})


def test_the_two_halves_of_a_state_move_apart():
    for (state, signal), transition in TABLE.items():
        if signal.value.startswith("speech") and signal is not Signal.SPEECH_INTERRUPTS:
            assert state.responds == transition.to.responds
        if signal.value.startswith(("response", "words")):
            assert state.hears == transition.to.hears
