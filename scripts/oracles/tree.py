"""File names and contents as the cases of tests/oracles spell them: JSON <-> a directory.

A name is text, with a lone surrogate for each byte that is not UTF-8, as Python has it. A content is one of
  "text"                        itself
  {"hex": "ff00"}               bytes
  {"repeat": "text", "times": 3}
  {"noise": 1000}               so many bytes that no encoder can shorten
  {"link": "../a"}              a symbolic link
  {"sha256": "...", "bytes": 9}  only where something is expected: too long to be written down
tests/oracles/content.rs reads the same.
"""

import hashlib
import os

TEXT_BYTES_MAX = 4096


def write(directory, files):
    """Makes `directory` with `files` in it, all older than whatever is collected from them."""
    os.makedirs(directory, exist_ok=True)
    for name, content in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if "link" in content and isinstance(content, dict):
            os.symlink(content["link"], path)
            continue
        with open(path, "wb") as file:
            file.write(bytes_of(content))
        os.utime(path, (1_000_000_000, 1_000_000_000))


def bytes_of(content):
    if isinstance(content, str):
        return content.encode()
    if "hex" in content:
        return bytes.fromhex(content["hex"])
    if "repeat" in content:
        return content["repeat"].encode() * content["times"]
    return noise(content["noise"])


def noise(count):
    """The upper bytes of a linear congruential generator."""
    state, found = 1, bytearray()
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        found.append(state >> 16 & 0xFF)
    return bytes(found)


def read(directory):
    """All files below `directory`, by name."""
    found = {}
    for parent, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = file.read()
    return found


def content_of(data):
    """How `data` is written down."""
    if len(data) > TEXT_BYTES_MAX:
        return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}
