"""The client of an OpenAI-compatible endpoint: never retries, since the player paces its calls."""

import openai

from sre_autopilot.loopback import client_options, naming_network_variables


def connect(base_url: str, api_key: str, timeout_s: float) -> openai.AsyncOpenAI:
    """Raises ValueError where the environment's proxies or certificates cannot be used."""
    with naming_network_variables(base_url):
        http = openai.DefaultAsyncHttpxClient(timeout=timeout_s, **client_options(base_url))
        return openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key, max_retries=0, timeout=timeout_s, http_client=http
        )
