"""Adapters that make one decided call each. All of them look like OpenAI over HTTP from above."""
