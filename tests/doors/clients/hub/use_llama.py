"""llama.cpp's own downloader, called as its command line calls it: `llama-server -hf NAME`.

use_llama.py ARGUMENT...     the arguments of llama-server; prints where the model came to lie

The wheel of xllamacpp has no command line, and its Python shows no download; but the functions that llama.cpp's
tools begin with are compiled in and exported. They are called here by their C++ names: read the arguments into a
CommonParams, find what they ask of the hub, and fetch it. What a CommonParams holds lies right behind the object's
head. Exits with 1 where no model was had, with 3 where a build does not export
them.
"""

from __future__ import annotations

import ctypes
import sys

import xllamacpp
from xllamacpp import xllamacpp as built

PARSE = "_Z19common_params_parseiPPcR13common_params13llama_examplePFviS0_E"
INIT = "_Z26common_models_handler_initRK13common_params13llama_example"
APPLY = "_Z27common_models_handler_applyR21common_models_handlerR13common_paramsP24common_download_callback"
EXAMPLE = 2  # LLAMA_EXAMPLE_COMMON: what every tool of llama.cpp understands, -hf among it
HANDLER_BYTES = 1 << 16  # more than a common_models_handler needs; it is made in place


def main(arguments: list[str]) -> int:
    library = ctypes.CDLL(built.__file__)
    try:
        parse, init, apply = library[PARSE], library[INIT], library[APPLY]
    except AttributeError:
        return 3
    pointer = ctypes.c_void_p
    parse.argtypes, parse.restype = [ctypes.c_int, pointer, pointer, ctypes.c_int, pointer], ctypes.c_bool
    init.argtypes, init.restype = [pointer, pointer, ctypes.c_int], None
    apply.argtypes, apply.restype = [pointer, pointer, pointer], ctypes.c_bool
    params, handler = xllamacpp.CommonParams(), ctypes.create_string_buffer(HANDLER_BYTES)
    inside = id(params) + object.__basicsize__
    words = [b"llama-server", *(word.encode() for word in arguments)]
    given = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    if not parse(len(words), given, inside, EXAMPLE, None):
        return 1
    init(handler, inside, EXAMPLE)
    apply(handler, inside, None)
    print(params.model.path, flush=True)
    return 0 if params.model.path else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
