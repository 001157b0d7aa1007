"""LangChain against a running Selat: `python use_langchain.py URL KEY`."""

import sys

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

TEXT = "MyKad saya 900101-14-5678"


@tool
def semak(text: str) -> str:
    """semak satu teks"""
    return text


url, key = sys.argv[1:]


def openai_chat(model):
    return ChatOpenAI(model=model, base_url=f"{url}/v1", api_key=key, max_retries=0)


def responses(model):
    return ChatOpenAI(model=model, base_url=f"{url}/v1", api_key=key, max_retries=0, use_responses_api=True)


def messages(model):
    return ChatAnthropic(model=model, base_url=url, api_key=key, max_retries=0, max_tokens=99)


for name, make in (("openai", openai_chat), ("responses", responses), ("anthropic", messages)):
    assert make("echo").invoke("apa khabar").text == "apa khabar"
    print(f"{name}: chat")
    chunks = list(make("far").stream(TEXT))
    assert "".join(chunk.text for chunk in chunks) == TEXT, chunks
    assert len(chunks) > 3, chunks
    print(f"{name}: stream")
    called = make("far-tools").bind_tools([semak]).invoke(TEXT)
    assert called.tool_calls[0]["args"] == {"text": TEXT}, called
    turn = [HumanMessage(TEXT), called, ToolMessage("sah", tool_call_id=called.tool_calls[0]["id"])]
    assert make("echo").bind_tools([semak]).invoke(turn).text == "sah"
    print(f"{name}: tool")

embeddings = OpenAIEmbeddings(model="echo", base_url=f"{url}/v1", api_key=key, check_embedding_ctx_length=False)
assert len(embeddings.embed_documents(["satu", "dua"])) == 2
print("openai: embeddings")
