"""What the gateway has answered before, kept in Redis: never anything that is no longer right."""
