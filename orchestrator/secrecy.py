"""What a judged server keeps from its clients: which story a seed stands for, and episode keys.

Holds no episode. Without a `Secrecy` an environment plays as it is asked: same seed, same bytes.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Self

from orchestrator.settings import Mode, Settings
from sre_autopilot.world.vocabulary import Tier

SECRET_BYTES = 32
_SEED_BYTES = 8


@dataclass(frozen=True)
class Secrecy:
    """The secret of one server, and what is derived from it."""

    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """None in develop mode. Without a secret in the settings, a new one at each call."""
        if settings.mode is Mode.DEVELOP:
            return None
        secret = settings.secret
        return cls(
            secrets.token_bytes(SECRET_BYTES)
            if secret is None
            else secret.get_secret_value().encode()
        )

    def seed(self, tier: Tier, asked: int) -> int:
        """The seed of the story that is played where `asked` is asked for, 0..2**63 - 1.

        HMAC-SHA256 (RFC 2104), so that neighbouring seeds have nothing in common, and neither have
        two tiers: what was learned from one story says nothing of another.
        """
        digest = hmac.digest(self.secret, f"{tier} {asked}".encode(), "sha256")
        return int.from_bytes(digest[:_SEED_BYTES], "big") >> 1

    @staticmethod
    def episode_key() -> int:
        """The key of one episode, 1..2**63 - 1: fresh, so that a story that was played before looks
        different, and a table of what others saw is of no use.
        """
        return 1 + secrets.randbelow(2**63 - 1)
