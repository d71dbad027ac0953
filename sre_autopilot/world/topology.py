"""The services, the call graph, and the limits of each replica. Holds values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Service(StrEnum):
    """The seven services, callers before callees."""

    API_GATEWAY = "api_gateway"
    AUTH_SERVICE = "auth_service"
    PRODUCT_SERVICE = "product_service"
    ORDER_SERVICE = "order_service"
    USER_DB = "user_db"
    INVENTORY_DB = "inventory_db"
    PAYMENT_GATEWAY = "payment_gateway"


USERS = "users"
"""Name of the traffic generator: the caller of the gateway, outside the call graph."""

CALLS: Mapping[Service, tuple[Service, ...]] = MappingProxyType(
    {
        Service.API_GATEWAY: (Service.AUTH_SERVICE, Service.PRODUCT_SERVICE, Service.ORDER_SERVICE),
        Service.AUTH_SERVICE: (Service.USER_DB,),
        Service.PRODUCT_SERVICE: (Service.INVENTORY_DB,),
        Service.ORDER_SERVICE: (Service.INVENTORY_DB, Service.PAYMENT_GATEWAY),
        Service.USER_DB: (),
        Service.INVENTORY_DB: (),
        Service.PAYMENT_GATEWAY: (),
    }
)
"""Caller -> callees."""

ENTRY = Service.API_GATEWAY
DATABASES = (Service.USER_DB, Service.INVENTORY_DB)


def callers_of(service: Service) -> tuple[Service, ...]:
    """Services that call `service`; empty for the entry, whose callers are the users."""
    return tuple(caller for caller, callees in CALLS.items() if service in callees)


class Journey(StrEnum):
    """What a user does in one visit."""

    BROWSE = "browse"
    LOGIN = "login"
    CHECKOUT = "checkout"


JOURNEY_SHARES: Mapping[Journey, float] = MappingProxyType(
    {Journey.BROWSE: 0.5, Journey.LOGIN: 0.2, Journey.CHECKOUT: 0.3}
)
ARRIVALS_PER_S = 32.0
"""Open-loop Poisson rate at the gateway: two meshes fit two cores, even slow ones."""

MAX_REPLICAS = 2

CALL_TIMEOUT_S = 0.25
"""A call from a service times out after this long. Above the SLA's p99, and half of the shortest
window, so that most calls that hang are counted in the window they were sent in."""
USER_TIMEOUT_S = 0.5
"""Longer than CALL_TIMEOUT_S: two calls in a row may time out behind the gateway."""

POOL_SIZE = 10
POOL_CHECKOUT_TIMEOUT_S = 1.0
STORAGE_DELAY_MEDIAN_MS = 6.0
STORAGE_DELAY_SIGMA = 0.3
"""A database holds its connection for a log-normal storage delay per statement."""
STORAGE_CONTENTION = 0.3
"""Storage is shared: each further connection checked out makes a statement this much slower."""
PROVIDER_DELAY_MEDIAN_MS = 20.0
PROVIDER_DELAY_SIGMA = 0.25
"""The payment provider's log-normal answer time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one replica may use: memory in MiB, CPU in cores, requests in flight."""

    memory_limit_mb: int
    cpu_limit_cores: float
    in_flight_limit: int


LIMITS: Mapping[Service, Limits] = MappingProxyType(
    {
        Service.API_GATEWAY: Limits(128, 1.0, 64),
        Service.AUTH_SERVICE: Limits(128, 0.5, 32),
        Service.PRODUCT_SERVICE: Limits(128, 0.5, 32),
        Service.ORDER_SERVICE: Limits(128, 0.5, 32),
        Service.USER_DB: Limits(128, 0.5, 32),
        Service.INVENTORY_DB: Limits(128, 0.5, 32),
        Service.PAYMENT_GATEWAY: Limits(128, 0.25, 32),
    }
)
