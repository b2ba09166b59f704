"""The lists of models: OpenAI's and Inworld's."""

from policies import Feature, Prices, Target
from router.proxy import Access, Key, Listing

from .stand_in import door

DEEP = Target(
    "deepinfra",
    "deepseek-ai/DeepSeek-V3.2",
    lacks=frozenset({Feature.VISION, Feature.AUDIO_INPUT, Feature.AUDIO_OUTPUT}),
    context_tokens=1000,
    max_output_tokens=100,
    prices=Prices(1e-6, 2e-6),
)
LISTING = Listing(targets=(DEEP, Target("demo", "fast")), routers=("support", "sales"), names=("auto", "gpt-*", "auto"))


async def test_models_and_routers_are_listed_in_openais_shape():
    async with door(listed=lambda: LISTING) as client:
        listed = (await client.get("/v1/models")).json()
    ids = [row["id"] for row in listed["data"]]
    assert listed["object"] == "list"
    assert ids[:3] == ["auto", "router/support", "inworld/support"]
    assert "deepinfra/deepseek-ai/DeepSeek-V3.2" in ids
    assert all(row.keys() == {"id", "object", "created", "owned_by"} for row in listed["data"])
    assert not [name for name in ids if "*" in name]


async def test_a_model_is_found_by_an_id_with_slashes():
    async with door(listed=lambda: LISTING) as client:
        found = await client.get("/v1/models/deepinfra/deepseek-ai/DeepSeek-V3.2")
        escaped = await client.get("/v1/models/deepinfra%2Fdeepseek-ai%2FDeepSeek-V3.2")
        missing = await client.get("/v1/models/none/such")
    assert found.json()["owned_by"] == "deepinfra"
    assert escaped.json() == found.json()
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


async def test_routers_are_listed_to_keys_that_may_use_them():
    keys = (Key("web", "secret-web", routers=("support",)),)
    headers = {"x-api-key": "secret-web"}
    async with door(listed=lambda: LISTING, access=Access(keys=keys), headers=headers) as client:
        ids = [row["id"] for row in (await client.get("/v1/models")).json()["data"]]
        hidden = await client.get("/v1/models/router/sales")
    assert "router/support" in ids
    assert "router/sales" not in ids
    assert hidden.status_code == 404


async def test_the_catalogue_has_inworlds_shape():
    async with door(listed=lambda: LISTING) as client:
        row, free = (await client.get("/llm/v1alpha/models")).json()["models"]
    assert (row["provider"], row["model"], row["modelCreator"]) == (
        "deepinfra",
        "deepseek-ai/DeepSeek-V3.2",
        "deepseek-ai",
    )
    assert row["pricing"] == {"prompt": 1e-6, "completion": 2e-6, "promptToken": 1e-6, "completionToken": 2e-6}
    assert free["pricing"] == {}
    assert row["spec"]["inputModalities"] == ["text"]
    assert (row["spec"]["contextLength"], row["spec"]["maxCompletionTokens"]) == (1000, 100)
    assert row["spec"]["capabilities"]["functionCalling"] is True
    assert row["isSupported"] is True


async def test_the_catalogue_asks_for_a_key():
    async with door(access=Access(keys=(Key("web", "secret-web"),))) as client:
        assert (await client.get("/llm/v1alpha/models")).status_code == 401
