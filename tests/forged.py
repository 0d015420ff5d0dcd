"""Model files taken apart and put together again, with anything in them."""

import json
import zlib

from bpnet._serialization import to_bytes


def split(data):
    """Header, as JSON says it, and the bytes behind it."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def raw(header, body=b""):
    """A file of this header, text or bytes, and this body, whatever they are."""
    header = header.encode() if isinstance(header, str) else header
    return len(header).to_bytes(8, "little") + header + body


def file_of(entries, body=b""):
    """A file whose header says `entries`."""
    return raw(json.dumps(entries, separators=(",", ":")), body)


def with_config(data, **changes):
    """The file with other values in its config, checksum included."""
    entries, body = split(data)
    config = json.loads(entries["__metadata__"]["config"]) | changes
    entries["__metadata__"]["config"] = json.dumps(config)
    return file_of(entries, with_checksums(entries, body))


def with_tensor(data, name, values):
    """The file with other numbers in one tensor, checksum included."""
    entries, body = split(data)
    begin, end = entries[name]["data_offsets"]
    assert end - begin == values.nbytes
    body = body[:begin] + values.tobytes() + body[end:]
    return file_of(entries, with_checksums(entries, body))


def with_checksums(entries, body):
    """The body with the checksums that it should have. Tensors are listed as bpnet lists them."""
    names = [name for name in entries if name not in ("__metadata__", "checksums")]
    parts = [entries["__metadata__"]["config"].encode()]
    parts += [body[slice(*entries[name]["data_offsets"])] for name in names]
    begin, end = entries["checksums"]["data_offsets"]
    return body[:begin] + b"".join(zlib.crc32(part).to_bytes(4, "little") for part in parts) + body[end:]


def without(data, *names):
    """The file without some of its tensors, which must be the last ones."""
    entries, body = split(data)
    for name in names:
        body = body[: entries.pop(name)["data_offsets"][0]] if name in entries else body
    return file_of(entries, body)


def bare(net):
    """The file as a bpnet before self-tests and checksums would have written it."""
    return without(to_bytes(net), "checksums", "self_test.y", "self_test.x")
