"""The environments that several test files share."""

from .environments import Node, Python

NODE = Node("node", ("openai@7.55.0", "@openai/agents-realtime@0.20.0", "ws@8.23.0", "zod@4.1.12"))
WEBSOCKETS = Python("websockets", ("websockets==15.0.1",))
