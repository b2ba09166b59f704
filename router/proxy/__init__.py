"""The ASGI proxy."""
