"""LlamaIndex against a running Selat: `python use_llamaindex.py URL KEY`."""

import sys

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

TEXT = "MyKad saya 900101-14-5678"


def semak(text: str) -> str:
    """semak satu teks"""
    return text


url, key = sys.argv[1:]


def make(model):
    return OpenAILike(
        model=model,
        api_base=f"{url}/v1",
        api_key=key,
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
    )


assert make("echo").chat([ChatMessage("apa khabar")]).message.content == "apa khabar"
print("chat")
pieces = [chunk.delta or "" for chunk in make("far").stream_chat([ChatMessage(TEXT)])]
assert "".join(pieces) == TEXT, pieces
print("stream")
llm = make("far-tools")
answer = llm.chat_with_tools([FunctionTool.from_defaults(semak)], user_msg=TEXT)
calls = llm.get_tool_calls_from_response(answer)
assert calls[0].tool_kwargs == {"text": TEXT}, calls
print("tool")
embed = OpenAILikeEmbedding(model_name="echo", api_base=f"{url}/v1", api_key=key)
assert len(embed.get_text_embedding_batch(["satu", "dua"])) == 2
print("embeddings")
