"""Putting the proxy together, and changing its keys while it runs."""

import asyncio
import threading
from dataclasses import replace

import httpx

from router.config import Auth
from router.listening import Binding, listeners
from router.proxy import Access, Key, access_of
from router.server import Drain, Hooks, Settings, make_server

from .house import house
from .stand_in import chat, door


def test_the_configurations_keys_become_the_doors():
    document = {
        "keys": [{"id": "web", "secret": "secret-web", "routers": ["support*"], "rpm": 5, "tpm": 7, "write": True}],
        "jwt": {"secret": "s" * 32, "ttl_s": 60},
    }
    access = access_of(Auth.model_validate(document))
    key = access.keys[0]
    assert (key.id, key.secret, key.routers, key.write) == ("web", "secret-web", ("support*",), True)
    assert (key.allowance.rpm, key.allowance.tpm, key.concurrent_sessions) == (5, 7, 20)
    assert (access.jwt_secret, access.jwt_ttl_s) == (b"s" * 32, 60)
    assert "s" * 32 not in repr(access)


async def test_a_reload_takes_over_new_keys_and_keeps_client_secrets_of_keys_that_stay():
    stays, goes, comes = Key("a", "secret-a"), Key("b", "secret-b"), Key("c", "secret-c")
    async with door(access=Access(keys=(stays, goes))) as client:
        secrets = client.app.site.authenticator.secrets
        kept, _ = secrets.issue("a", {}, ttl_s=60)
        lost, _ = secrets.issue("b", {}, ttl_s=60)
        token, _ = client.app.site.authenticator.tokens.issue("a", workspace="default")
        client.app.replace_access(Access(keys=(stays, comes)))
        codes = [
            (await client.post("/v1/chat/completions", json=chat(), headers={"x-api-key": secret})).status_code
            for secret in ("secret-a", "secret-b", "secret-c", token, kept, lost)
        ]
    assert codes == [200, 401, 200, 200, 403, 401]


def test_a_key_that_is_taken_away_ends_on_connections_that_used_it_too():
    app, _ = house(keys=(Key("a", "secret-a"), Key("b", "secret-b")))
    settings = Settings(binding=Binding(port=0), drain=Drain(0, 0.2, 0.2))
    ready = threading.Event()
    ports = []
    settings = replace(settings, hooks=Hooks(on_ready=lambda port: (ports.append(port), ready.set())))
    server = make_server(app.asgi, settings)
    sockets = listeners(settings.binding)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets)))
    thread.start()
    assert ready.wait(5)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", headers={"x-api-key": "secret-a"}) as client:
            before = [client.post("/v1/chat/completions", json=chat()).status_code for _ in range(3)]
            app.replace_access(Access(keys=(Key("b", "secret-b"),)))
            after = client.post("/v1/chat/completions", json=chat()).status_code
    finally:
        server.should_exit = True
        thread.join(5)
    assert (before, after) == ([200, 200, 200], 401)
