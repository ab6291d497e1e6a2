#!/usr/bin/python3
"""usage: longer_context.py FROM.gguf TO.gguf N: the same model with a context of N tokens: to time
prompts longer than it was trained for."""
import struct
import sys

UINT32 = 4  # GGUF's number for the type


def main():
    source, target, n_tokens = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(source, "rb") as file:
        data = bytearray(file.read())
    key = b".context_length" + struct.pack("<I", UINT32)
    at = data.find(key)
    if at < 0 or data.find(key, at + 1) >= 0:
        sys.exit(f"{source}: not one context length of 32 bits")
    struct.pack_into("<I", data, at + len(key), n_tokens)
    with open(target, "wb") as file:
        file.write(data)


main()
