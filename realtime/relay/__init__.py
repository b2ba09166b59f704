"""Speech-to-speech upstreams: a session handed through to a provider's realtime endpoint, and to the next one.

Pure: `frames`, `names`, `items`, `tail`, `memory`, `responses`, `course`. The shell around them is `session`.
"""
