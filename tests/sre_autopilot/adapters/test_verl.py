"""verl: its own agent loop calls the tool, which keeps the episode over the calls of a rollout."""

import asyncio
import json

import pytest

pytest.importorskip("verl", reason="make test-extras has verl")
pytestmark = pytest.mark.filterwarnings("default")

from omegaconf import OmegaConf  # noqa: E402
from verl.experimental.agent_loop.tool_agent_loop import AgentData, ToolAgentLoop  # noqa: E402
from verl.tools.schemas import OpenAIFunctionCallSchema  # noqa: E402, F401
from verl.tools.tool_registry import load_all_tools  # noqa: E402

from sre_autopilot.adapters import verl  # noqa: E402
