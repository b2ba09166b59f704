"""The version that is running."""


def version() -> str:
    """The installed version, or `source` when the packages were not installed."""
    from importlib.metadata import PackageNotFoundError  # noqa: PLC0415  costs 20 ms, and only a few ask
    from importlib.metadata import version as installed  # noqa: PLC0415

    try:
        return installed("realtime-router")
    except PackageNotFoundError:
        return "source"
