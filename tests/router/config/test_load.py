"""Loading: everything at once, a place for every complaint, the environment, the defaults."""

import socket

import pytest

from router.config import ConfigError, load
from router.config.models import ServerFile
from router.config.providers import ollama_answers
from router.config.router_file import RouterFile
from router.config.saved import with_routers
from router.config.scalars import FORMS

ROUTER = "router: support\ndefault: {id: d, variants: [{id: a, weight: 100, model: demo/fast}]}\n"


def write(folder, text, routers="", **routers_by_name):
    path = folder / "router.yaml"
    path.write_text(text, encoding="utf-8")
    for name, content in routers_by_name.items():
        (folder / "routers").mkdir(exist_ok=True)
        (folder / "routers" / f"{name}.yaml").write_text(content, encoding="utf-8")
    return path


def refusal(path, environ=None):
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return caught.value


def test_with_no_file_providers_come_from_their_usual_variables():
    config = load(None, {"OPENAI_API_KEY": "sk-x", "GOOGLE_API_KEY": "g"})
    assert set(config.providers) == {"openai", "gemini", "demo", "local"}
    assert config.providers["openai"].api_key.get_secret_value() == "sk-x"
    assert config.providers["openai"].base_url == "https://api.openai.com/v1"
    assert config.server.port == 8080
    assert config.aliases["gpt-realtime*"] == "router/demo"
    assert config.aliases["whisper-1"] == "local/pocketsphinx"
    assert config.voices["marin"] == "local/slt"


def test_a_base_url_variable_and_a_secret_file_are_obeyed(tmp_path):
    secret = tmp_path / "key"
    secret.write_text("from-a-file\n")
    config = load(None, {"OPENAI_API_KEY_FILE": str(secret), "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    assert config.providers["openai"].api_key.get_secret_value() == "from-a-file"
    assert config.providers["openai"].base_url == "http://127.0.0.1:1/v1"


def test_known_names_are_filled_in_and_own_words_win(tmp_path):
    path = write(
        tmp_path,
        "providers:\n  anthropic: {api_key: k}\n  groq:\n  ollama: {}\n  demo: {kind: demo}\n"
        "  openai: {base_url: 'http://10.0.0.1/v1'}\n",
    )
    providers = load(path, {"GROQ_API_KEY": "g"}).providers
    assert providers["anthropic"].kind == "litellm"
    assert providers["groq"].api_key.get_secret_value() == "g"
    assert providers["ollama"].allow_private
    assert not providers["openai"].allow_private
    assert set(providers) == {"anthropic", "groq", "ollama", "openai", "demo", "local"}


def test_googles_two_providers_go_by_inworlds_names_too(tmp_path):
    path = write(tmp_path, "providers:\n  google-ai-studio:\n  google-vertex: {api_key: k}\nrouters: []\n")
    providers = load(path, {"GEMINI_API_KEY": "g"}).providers
    assert providers["google-ai-studio"].base_url == "https://generativelanguage.googleapis.com/v1beta/openai"
    assert providers["google-ai-studio"].api_key.get_secret_value() == "g"
    assert providers["google-vertex"].kind == "litellm"
    assert "google-ai-studio" not in load(None, {"GEMINI_API_KEY": "g"}).providers


def test_all_errors_come_at_once_with_place_and_remedy(tmp_path):
    path = write(
        tmp_path, "server: {prot: 1, port: 99999}\ndefaults: {profile: interactiv}\nauth: {keys: [{id: web}]}\n"
    )
    text = str(refusal(path))
    assert f"{path}:1:10: server.prot: unknown key (did you mean 'port'?)" in text
    assert f"{path}:1:25: server.port: must be at most 65535, is 99999" in text
    assert f"{path}:2:21: defaults.profile: must be" in text
    assert "did you mean 'interactive'?" in text
    assert f"{path}:3:15: auth.keys.web.secret: is missing" in text


def test_the_offending_line_is_shown_with_a_caret(tmp_path):
    shown = refusal(write(tmp_path, "server:\n  prot: 1\n")).render()
    assert "2 |   prot: 1\n  |   ^\n   = help: did you mean 'port'?" in shown
    assert shown.endswith("1 error; nothing was changed")


def test_yes_is_text_in_yaml_1_2_and_a_boolean_is_asked_for(tmp_path):
    text = str(refusal(write(tmp_path, "auth: {keys: [{id: web, secret: 12345678a, write: yes}]}\n")))
    assert "auth.keys.web.write: must be true or false, is 'yes' (in YAML 1.2 'yes' is text)" in text


def test_secrets_never_show_in_messages(tmp_path):
    text = refusal(write(tmp_path, "auth: {keys: [{id: web, secret: hunter2}]}\n"))
    assert "at least 8" in str(text)
    assert "hunter2" not in str(text)


@pytest.mark.parametrize("sort", ["cheap", "{metric: price, way: up}"])
def test_a_value_that_may_be_a_word_or_a_mapping_is_complained_of_once(tmp_path, sort):
    router = f"router: r\ndefault: {{id: d, variants: [{{id: v, weight: 100, model: auto, sort: [{sort}]}}]}}\n"
    found = refusal(write(tmp_path, "routers: [routers]\n", a=router)).findings
    assert len(found) == 1
    assert ("'price'" in found[0].message) == (sort == "cheap")


def patterns(schema):
    if isinstance(schema, dict):
        return {schema["pattern"]} if isinstance(schema.get("pattern"), str) else patterns(list(schema.values()))
    return set().union(*map(patterns, schema)) if isinstance(schema, list) else set()


@pytest.mark.parametrize("model", [ServerFile, RouterFile])
def test_every_form_of_a_text_can_be_said_in_words(model):
    found = patterns(model.model_json_schema())
    assert len(found) > 2
    assert found <= FORMS.keys()


def test_a_text_of_the_wrong_form_is_told_the_right_one(tmp_path):
    text = str(refusal(write(tmp_path, "providers: {mine: {base_url: 'localhost:9'}}\nrouters: []\n")))
    assert "is 'localhost:9'; wanted: an address that begins with http:// or https://" in text


def test_variables_are_filled_and_typed(tmp_path):
    path = write(tmp_path, "server: {port: ${P}}\n")
    assert 'quote variables: "${NAME}"' in str(refusal(path))
    path = write(tmp_path, "server: {port: '${P:-81}'}\n")
    assert load(path, {}).server.port == 81
    assert "must be a whole number, is 'no'" in str(refusal(path, {"P": "no"}))
    path = write(tmp_path, "server:\n  port: ${P:-81}\n  host: ${H}\naliases: {near: '${R:-demo}/fast'}\n")
    config = load(path, {"P": "9000", "H": "1234"})
    assert (config.server.port, config.server.host, config.aliases["near"]) == (9000, "1234", "demo/fast")


def test_a_missing_variable_is_named_with_its_place(tmp_path):
    path = write(tmp_path, "server:\n  host: ${RR_HOTS}\n  port: ${PROT}\n  worker: 1\n")
    text = str(refusal(path, {"RR_HOST": "x"}))
    assert f"{path}:2:9: server.host: environment variable RR_HOTS is not set; did you mean 'RR_HOST'?" in text
    assert "environment variable PROT is not set" in text
    assert "must be a whole number" not in text
    assert "did you mean 'workers'?" in text


def test_a_secret_file_that_is_not_there_is_an_error(tmp_path):
    path = write(tmp_path, "server: {host: '${H}'}\n")
    assert "the file that H_FILE names cannot be read: No such file" in str(refusal(path, {"H_FILE": "/nonexistent"}))


def test_malformed_references_are_refused_and_doubled_dollars_are_literal(tmp_path):
    assert "is not a variable reference" in str(refusal(write(tmp_path, "server: {host: '${1x}'}\n")))
    assert load(write(tmp_path, "server: {host: 'a$${H}'}\n"), {}).server.host == "a${H}"


def test_routers_come_from_files_and_folders_and_every_file_is_reported(tmp_path):
    path = write(tmp_path, "routers: [routers]\n", a=ROUTER, b=ROUTER.replace("support", "other"))
    config = load(path, {})
    assert [source.router.router for source in config.routers] == ["support", "other"]
    (tmp_path / "routers" / "a.yaml").write_text("router: a\nrouts: []\n")
    (tmp_path / "routers" / "b.yaml").write_text("router: b\nkind: chatt\n")
    text = str(refusal(path))
    assert "a.yaml:2:1: routs: unknown key (did you mean 'routes'?)" in text
    assert "b.yaml:2:7: kind: must be" in text


def test_two_routers_of_one_name_and_missing_folders_are_refused(tmp_path):
    path = write(tmp_path, "routers: [routers]\n", a=ROUTER, b=f"# b\n{ROUTER}")
    assert "b.yaml:2:9: router: router 'support' is already defined in" in str(refusal(path))
    path = write(tmp_path, "routers: [nowhere]\n")
    assert f"{path}:1:11: routers[0]: no file or folder" in str(refusal(path))


def test_routers_do_not_share_a_salt_or_slots_of_a_layer(tmp_path):
    def router(name, slots, more=""):
        text = ROUTER.replace("support", name)
        return f"{text}experiment: {{layer: {{name: models, slots: {slots}}}}}\n{more}"

    path = write(tmp_path, "routers: [routers]\n", a=router("a", "[0, 60]"), b=router("b", "[60, 100]"), c=ROUTER)
    assert len(load(path, {}).routers) == 3
    (tmp_path / "routers" / "b.yaml").write_text(router("b", "[50, 100]", "salt: a\n"))
    text = str(refusal(path))
    assert "b.yaml:3:43: experiment.layer.slots: overlaps slots 0 to 60 of router 'a' in layer 'models'" in text
    assert "b.yaml:4:7: salt: salt 'a' is also used by router 'a'" in text


def test_keys_can_be_told_apart_and_providers_reached(tmp_path):
    keys = "[{id: a, secret: first-key}, {id: a, secret: second-key}, {id: b, secret: first-key}]"
    path = write(tmp_path, f"auth: {{keys: {keys}}}\nproviders:\n  mine: {{api_key: x}}\nrouters: []\n")
    text = str(refusal(path))
    assert ":1:48: auth.keys.a.id: the key id 'a' is used twice" in text
    assert ":1:88: auth.keys.b.secret: is the secret of key 'a', too" in text
    assert ":3:3: providers.mine: base_url is needed for kind 'openai'" in text
    assert "first-key" not in text


def test_unreadable_and_undecodable_files_are_refused(tmp_path):
    assert "cannot be read: No such file" in str(refusal(tmp_path / "none.yaml"))
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    assert "latin.yaml:2:1: not UTF-8" in str(refusal(tmp_path / "latin.yaml"))


def test_the_checksum_names_the_content(tmp_path):
    path = write(tmp_path, "routers: [routers]\n", a=ROUTER)
    first = load(path, {}).checksum
    assert load(path, {}).checksum == first
    (tmp_path / "routers" / "a.yaml").write_text(ROUTER + "# more\n")
    assert load(path, {}).checksum != first


def test_a_master_key_of_the_environment_may_do_everything(tmp_path):
    keys = load(None, {"RR_MASTER_KEY": "long-enough"}).auth.keys
    assert [(key.id, key.write, key.routers) for key in keys] == [("master", True, ("*",))]
    path = write(tmp_path, "auth: {keys: [{id: master, secret: own-secret}]}\n")
    assert load(path, {"RR_MASTER_KEY": "long-enough"}).auth.keys[0].secret.get_secret_value() == "own-secret"
    assert "at least 8" in str(refusal(None, {"RR_MASTER_KEY": "short"}))
    assert "cannot be read" in str(refusal(None, {"RR_MASTER_KEY_FILE": "/nonexistent"}))


def test_a_provider_can_be_added_to_a_configuration():
    config = load(None, {})
    assert config.with_provider("ollama").providers["ollama"].allow_private
    assert config.with_provider("demo") is config


def test_ollama_is_looked_for_on_this_machine_only():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert ollama_answers(listening.getsockname()[1])
    assert not ollama_answers(9)


def test_saved_routers_stand_in_the_place_of_the_files(tmp_path):
    config = load(write(tmp_path, "routers: [routers]\n", a=ROUTER, b=ROUTER.replace("support", "other")), {})
    saved = config.routers[0].router.model_copy(update={"salt": "new"})
    changed = with_routers(config, {"support": saved, "other": None})
    assert [source.router.salt for source in changed.routers] == ["new"]
    assert len(config.routers) == 2


@pytest.mark.parametrize(
    "line",
    [
        "    - {id: web, secret: CANARY, rmp: 5}",
        '    - {id: web, "secret": "CANARY", rmp: 5}',
        "    - {id: web, secrt: sk-CANARY, rmp: 5}",
        "    - {id: web, password: 'CANARY', rmp: 5}",
        '    - {id: web, X-Api-Key: "CANARY", Authorization: "Bearer CANARY", rmp: 5}',
    ],
)
def test_a_line_is_shown_without_the_keys_in_it_and_the_caret_stays(tmp_path, line):
    shown = refusal(write(tmp_path, f"auth:\n  keys:\n{line}\n".replace("CANARY", "canary-0123456789"))).render()
    assert "canary" not in shown
    _, _, _, source, caret, *_ = shown.split("\n\n")[-2].splitlines() if "\n\n" in shown else shown.splitlines()
    assert source[caret.index("^") :] == "rmp: 5}"


def test_a_variable_for_a_key_is_shown(tmp_path):
    file = write(tmp_path, 'auth: {keys: [{id: web, secret: "${RR_KEY_WEB:-a-long-enough-secret}", rmp: 5}]}\n')
    assert "${RR_KEY_WEB" in refusal(file).render()
