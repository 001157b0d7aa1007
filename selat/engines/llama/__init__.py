"""GGUF models that Selat runs itself: llama.cpp in processes of their own, loaded when wanted."""
