"""HTTP to a server on this machine: neither proxies nor certificates of the environment matter."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import httpx


def is_loopback(url: str) -> bool:
    """Whether `url` is of this machine. False for what is no URL."""
    try:
        host = httpx.URL(url).host
        return host == "localhost" or ip_address(host).is_loopback
    except (httpx.InvalidURL, ValueError):
        return False


def client_options(url: str) -> dict[str, Any]:
    """Arguments of an httpx client that is for `url` alone."""
    if not is_loopback(url):
        return {}
    return {"trust_env": False, "verify": httpx.URL(url).scheme == "https"}


def make_client(url: str) -> httpx.AsyncClient:
    """A client with `url` as its base and without a time limit of its own.

    Raises ValueError where the environment's proxies or certificates cannot be used.
    """
    with naming_network_variables(url):
        return httpx.AsyncClient(base_url=url, timeout=None, **client_options(url))


@contextmanager
def naming_network_variables(url: str) -> Iterator[None]:
    """Any error in making a client becomes a ValueError that says where to look."""
    try:
        yield
    except (OSError, ImportError, ValueError, httpx.InvalidURL) as error:
        variables = "ALL_PROXY, HTTP_PROXY, HTTPS_PROXY, SSL_CERT_FILE"
        raise ValueError(f"cannot call {url}: {error} (look at {variables})") from error
