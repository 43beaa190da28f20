"""The ASGI application: routes, responses, compression, CORS and the page."""
