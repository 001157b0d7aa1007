"""Anthropic's own client against a running Selat: `python use_anthropic.py URL KEY`."""

import sys

import anthropic

TEXT = "MyKad saya 900101-14-5678"
TOOL = {
    "name": "semak",
    "description": "semak satu teks",
    "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}


def say(text):
    return [{"role": "user", "content": text}]


def failure(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(kind)


url, key = sys.argv[1:]
client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)

message = client.messages.create(model="echo", max_tokens=99, messages=say("apa khabar"), system="Pendek.")
assert message.content[0].text == "apa khabar", message
assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 2), message
print("chat")

with client.messages.stream(model="far", max_tokens=99, messages=say(TEXT)) as stream:
    said = "".join(stream.text_stream)
    final = stream.get_final_message()
assert said == final.content[0].text == TEXT, said
assert final.usage.output_tokens > 0, final
print("stream")

with client.messages.stream(model="far-tools", max_tokens=99, messages=say(TEXT), tools=[TOOL]) as stream:
    final = stream.get_final_message()
call = final.content[0]
assert (call.type, call.name, call.input, final.stop_reason) == (
    "tool_use",
    "semak",
    {"text": TEXT},
    "tool_use",
), final
turn = [
    *say(TEXT),
    {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in final.content]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sah"}]},
]
answer = client.messages.create(model="echo", max_tokens=99, messages=turn, tools=[TOOL])
assert answer.content[0].text == "sah", answer
print("tool")

counted = client.messages.count_tokens(model="echo", messages=say("apa khabar"))
assert counted.input_tokens == 3, counted

for wrong, kind in (("tiada", anthropic.NotFoundError), ("error:400", anthropic.BadRequestError)):
    refused = failure(
        kind, lambda model=wrong: client.messages.create(model=model, max_tokens=99, messages=say("hai"))
    )
    assert refused.body["type"] == "error", refused.body


def broken():
    with client.messages.stream(model="dies", max_tokens=99, messages=say("hai semua orang")) as stream:
        stream.get_final_message()


assert "dekat" in str(failure(anthropic.APIStatusError, broken))
print("errors")
