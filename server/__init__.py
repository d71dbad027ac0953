"""The server: OpenEnv over HTTP, WebSocket and MCP, and a page at /web. Plays nothing itself."""
