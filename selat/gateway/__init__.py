"""The HTTP door: the OpenAI-compatible API, receipts, health and metrics."""
