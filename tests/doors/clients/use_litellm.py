"""LiteLLM as a client of a running Selat, by three protocols: `python use_litellm.py URL KEY`."""

import sys

import litellm

TEXT = "MyKad saya 900101-14-5678"
TOOL = {
    "type": "function",
    "function": {
        "name": "semak",
        "description": "semak satu teks",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
    },
}
litellm.telemetry = False
litellm.suppress_debug_info = True


def say(text):
    return [{"role": "user", "content": text}]


url, key = sys.argv[1:]
for name, base in (("openai", f"{url}/v1"), ("anthropic", url)):
    to = {"api_base": base, "api_key": key, "num_retries": 0, "max_tokens": 99}
    answer = litellm.completion(model=f"{name}/echo", messages=say("apa khabar"), **to)
    assert answer.choices[0].message.content == "apa khabar", answer
    print(f"{name}: chat")
    chunks = list(litellm.completion(model=f"{name}/far", messages=say(TEXT), stream=True, **to))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT, chunks
    print(f"{name}: stream")
    called = litellm.completion(model=f"{name}/far-tools", messages=say(TEXT), tools=[TOOL], **to)
    assert TEXT in called.choices[0].message.tool_calls[0].function.arguments, called
    print(f"{name}: tool")

answer = litellm.responses(model="openai/far", input=TEXT, api_base=f"{url}/v1", api_key=key)
assert answer.output[0].content[0].text == TEXT, answer
print("responses: chat")
rows = litellm.embedding(model="openai/echo", input=["satu", "dua"], api_base=f"{url}/v1", api_key=key)
assert len(rows.data) == 2
print("openai: embeddings")
