"""The parsed tree is dropped once these tests are over: a garbage collector would look at it."""

from collections.abc import Iterator

import pytest

from tests.architecture.source import product, sources, walked


@pytest.fixture(scope="package", autouse=True)
def parsed_tree() -> Iterator[None]:
    yield
    sources.cache_clear()
    product.cache_clear()
    walked.cache_clear()
