"""The agent's door: OpenEnv over HTTP, WebSocket and MCP. Plays nothing itself."""
