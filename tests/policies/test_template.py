import pytest

from policies.template import render, render_messages


@pytest.mark.parametrize(
    ("text", "variables", "rendered"),
    [
        ("You are {{agent}}.", {"agent": "Ada"}, "You are Ada."),
        ("{{ agent }} and {{agent}}", {"agent": "Ada"}, "Ada and Ada"),
        ("{{user.name}}", {"user": {"name": "Bo"}}, "Bo"),
        ("{{user.name}}", {"user.name": "flat", "user": {"name": "deep"}}, "flat"),
        ("{{a}}", {"a": "{{b}}", "b": "never"}, "{{b}}"),
        ("{{n}} {{t}} {{none}} {{list}}", {"n": 3, "t": True, "none": None, "list": [1, "ö"]}, '3 true  [1, "ö"]'),
        ("{no} {{}} {{ }}", {}, "{no} {{}} {{ }}"),
    ],
)
def test_variables_are_replaced_once(text, variables, rendered):
    assert render(text, variables) == (rendered, ())


def test_a_missing_variable_is_empty_and_named_once():
    assert render("<{{x}}{{x}}{{a.b}}>", {"a": {"c": 1}}) == (
        "<>",
        ("prompt variable 'x' is not set", "prompt variable 'a.b' is not set"),
    )
    assert render("{{a.b}}", {"a": "text"})[0] == ""


def test_messages_keep_everything_but_their_texts():
    templates = (
        {"role": "system", "content": "Hi {{name}}", "name": "n"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "{{name}} {{gone}}"}, {"type": "image_url", "image_url": 1}],
        },
        {"role": "assistant", "content": None, "tool_calls": []},
    )
    messages, warnings = render_messages(templates, {"name": "Ada"})
    assert messages[0] == {"role": "system", "content": "Hi Ada", "name": "n"}
    assert messages[1]["content"] == [{"type": "text", "text": "Ada "}, {"type": "image_url", "image_url": 1}]
    assert messages[2] == {"role": "assistant", "content": None, "tool_calls": []}
    assert warnings == ("prompt variable 'gone' is not set",)
    assert templates[0]["content"] == "Hi {{name}}"
