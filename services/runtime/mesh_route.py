"""A FastAPI route at the price of a hop: arguments are read by pydantic alone.

FastAPI's own route solves a tree of dependencies, opens two exit stacks and builds a request for
every call, which costs more CPU than the endpoint. Neighbours need paths, queries and one body.
"""

import inspect
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

JSON = "application/json"


class MeshRoute(APIRoute):
    """Calls an async endpoint with its path and query parameters, and at most one body: a model.

    The answer is a Response, or what becomes JSON. Raises RequestValidationError. Knows nothing of
    FastAPI's dependencies, and an endpoint that wants one is refused when it is added.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        parameters = inspect.signature(endpoint, eval_str=True).parameters
        bodies: dict[str, type[BaseModel]] = {
            name: p.annotation for name, p in parameters.items() if is_model(p.annotation)
        }
        fields = {
            name: (p.annotation, ... if p.default is inspect.Parameter.empty else p.default)
            for name, p in parameters.items()
            if name not in bodies
        }
        plain = len(bodies) <= 1 and inspect.iscoroutinefunction(endpoint)
        if self.dependant.dependencies or not plain:
            raise TypeError(f"{path}: an async endpoint without dependencies, of one body at most")
        self._bodies = bodies
        self._fields = create_model(endpoint.__name__, **cast(Any, fields)) if fields else None
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        arguments: dict[str, Any] = {}
        try:
            if self._fields is not None:
                query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
                fields = self._fields.model_validate(query | scope["path_params"])
                arguments = dict(fields)
            for name, model in self._bodies.items():
                arguments[name] = model.model_validate_json(await read_body(receive))
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from error
        answer = await self.endpoint(**arguments)
        if not isinstance(answer, Response):
            answer = Response(to_json(answer), media_type=JSON)
        await answer(scope, receive, send)


def is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request. Raises ClientDisconnect."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body
