"""Writers of docker-compose.yml and of observability/, and a stack of containers of one's own."""
