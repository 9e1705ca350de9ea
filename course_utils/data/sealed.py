"""JSON of ours under a seal: what was damaged and still parses, or lacks a part, is told from what was written."""

import json
import zlib


def seal(content: dict) -> str:
    """One line of JSON with the content and its checksum."""
    return json.dumps({"crc32": _checksum(content), "content": content})


def unseal(text: str | bytes) -> dict:
    """The content of such a line. Raises `ValueError` unless it is what was sealed, field by field."""
    try:
        box = json.loads(text)
        content, checksum = box["content"], box["crc32"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("no sealed content") from error
    if checksum != _checksum(content):
        raise ValueError("the content is not what was sealed")
    return content


def _checksum(content: dict) -> int:
    return zlib.crc32(json.dumps(content).encode())
