"""The offline gateway: an ASGI application of its own that knows only the catalogue and tokens."""
