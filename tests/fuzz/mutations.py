# SPDX-License-Identifier: MIT
"""Changes that damage a file: bytes, words of a text, JSON values, .npy headers, zip members."""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
from random import Random

HUGE = (0, 1, -1, 2, 3, 63, 64, 65, 255, 2**31 - 1, 2**31, 2**32, 2**62, 2**63, 2**64, 10**30)
VALUES = (
    *(None, True, False, 0, 1, -1, 2, 7, 2**31, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, -1e308),
    *(float("nan"), float("inf"), "", "x", "1/0", "0/0", "-1", "9" * 5000, "\x00", "é", "array"),
    *([], [0], [[]], [None], [-1, 2**70], {}, {"kind": "Box"}, [[1, 2], [3, 4]], ["a", "b"]),
)
DEEP = "[" * 100_000


def mutate_bytes(rng: Random, data: bytes) -> bytes:
    """Flip, cut, double, remove, overwrite or insert some bytes."""
    body = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        n = len(body)
        at, to = sorted((rng.randrange(n + 1), rng.randrange(n + 1)))
        kind = rng.randrange(7)
        if kind == 0 and n:
            body[min(at, n - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1 and n:
            body[min(at, n - 1)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del body[at:]
        elif kind == 3:
            del body[at : min(to, at + 64)]
        elif kind == 4:
            body[at:at] = body[at : min(to, at + 64)]
        elif kind == 5:
            body[at:at] = rng.randbytes(rng.choice((1, 2, 8)))
        else:
            wide = rng.choice((1, 2, 4, 8))
            body[at : at + wide] = (rng.choice(HUGE) % 256**wide).to_bytes(wide, "little")
    return bytes(body)


def mutate_text(rng: Random, data: bytes, words: tuple[str, ...]) -> bytes:
    """Remove, double, swap or replace words; sometimes bytes."""
    if rng.random() < 0.1:
        return mutate_bytes(rng, data)
    parts = re.findall(rb"\s+|[\w.+-]+|.", data, re.DOTALL)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if not parts:
            break
        at, to = rng.randrange(len(parts)), rng.randrange(len(parts))
        kind = rng.randrange(6)
        if kind == 0:
            del parts[at]
        elif kind == 1:
            parts.insert(to, parts[at])
        elif kind == 2:
            parts[at], parts[to] = parts[to], parts[at]
        elif kind == 3:
            first, last = sorted((at, to))
            parts[last:last] = parts[first:last] * rng.choice((1, 1, 5))
        elif kind == 4 and re.fullmatch(rb"[\d.+-]+", parts[at]):
            parts[at] = str(rng.choice((*HUGE, 0.5, 1e308, -1e308, 5e-324, "1e999"))).encode()
        else:
            parts[at] = rng.choice(words).encode()
    return b"".join(parts)[:200_000]


def mutate_json(rng: Random, value: object) -> object:
    """Return a copy in which one or two values, anywhere, are changed, removed or renamed."""
    holder = [copy.deepcopy(value)]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places: list[tuple[object, object]] = []
        stack: list[object] = [holder]
        while stack:
            node = stack.pop()
            keys = node.keys() if isinstance(node, dict) else range(len(node))  # type: ignore[arg-type]
            for key in keys:
                child = node[key]  # type: ignore[index]
                places.append((node, key))
                if isinstance(child, (dict, list)):
                    stack.append(child)
        node, key = rng.choice(places)
        _change(rng, node, key)
        if not holder:
            return None
    return holder[0]


def _change(rng: Random, node: object, key: object) -> None:
    kind = rng.randrange(8)
    value = node[key]  # type: ignore[index]
    if kind == 0:
        del node[key]  # type: ignore[attr-defined]
    elif kind == 1 and isinstance(node, dict):
        node[rng.choice(("x", "", "kind", "-1"))] = node.pop(key)
    elif kind == 1 and isinstance(node, list):
        node.insert(0, copy.deepcopy(value))
    elif kind < 4 and type(value) is int:
        node[key] = rng.choice((value + 1, value - 1, -value, *HUGE))  # type: ignore[index]
    else:
        node[key] = copy.deepcopy(rng.choice(VALUES))  # type: ignore[index]


def mutate_npy(rng: Random, data: bytes) -> bytes:
    """Lie in the header of a .npy file, or damage its bytes."""
    end = data.find(b"}")
    if end < 0 or rng.random() < 0.3:
        return mutate_bytes(rng, data)
    start = data.index(b"{") if b"{" in data[:end] else 0
    text = data[start : end + 1].decode("latin-1")
    kind = rng.randrange(5)
    if kind == 0:
        shape = ", ".join(str(rng.choice(HUGE)) for _ in range(rng.randrange(4)))
        text = re.sub(r"\([^)]*\)", f"({shape},)", text)
    elif kind == 1:
        code = rng.choice(("|O", "<f4", ">f8", "<c16", "<U9999999999", "|V0", "<M8[s]", "|b1", "x"))
        text = re.sub(r"'[<>|]\w+'", f"'{code}'", text)
    elif kind == 2:
        text = text.replace("False", rng.choice(("True", "None", "1", "(" * 90, "'\\d'")))
    elif kind == 3:
        text = mutate_text(rng, text.encode(), ("(", ")", "{", "'", "1L", "True", "\n")).decode(
            "latin-1"
        )
    else:
        text = text.replace("'shape'", rng.choice(("'shape", "'descr'", "[]", "'sh\\xape'")))
    body = text.encode("latin-1")
    room = end + 1 - start
    padding = body.ljust(room) if rng.random() < 0.7 else body
    return data[:start] + padding + data[end + 1 :]


def members_of(data: bytes) -> dict[str, bytes]:
    """Return the members of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def archive_of(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive with valid checksums."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, compression)
    return stream.getvalue()


def npy_of_bytes(data: bytes) -> bytes:
    """Return a .npy file of bytes."""
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(data)},), }}".encode()
    head = head.ljust((len(head) + 11 + 63) // 64 * 64 - 11) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data


def json_of_npy(data: bytes) -> object:
    """Return the JSON value in a .npy file of bytes."""
    return json.loads(data[10 + int.from_bytes(data[8:10], "little") :])


def mutate_archive(rng: Random, data: bytes) -> bytes:
    """Damage an .npz archive: its members, its JSON header, its bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(rng, data)
    members = members_of(data)
    for _ in range(rng.choice((1, 1, 2))):
        names = list(members)
        if not names:
            break
        name, other = rng.choice(names), rng.choice(names)
        kind = rng.randrange(8)
        if kind == 0:
            del members[name]
        elif kind == 1:
            members[rng.choice((name + "x", "x.npy", "../x.npy", "header"))] = members.pop(name)
        elif kind == 2:
            members[name], members[other] = members[other], members[name]
        elif kind < 6 and "header.npy" in members:
            try:
                value = mutate_json(rng, json_of_npy(members["header.npy"]))
                text = DEEP if rng.random() < 0.01 else json.dumps(value)
            except ValueError:
                continue
            members["header.npy"] = npy_of_bytes(text.encode())
        else:
            members[name] = mutate_npy(rng, members[name])
    stored = rng.random() < 0.9
    return archive_of(members, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
