"""Files with damage of every kind, made from one that is whole: ``for data in damaged(whole, 500): …``."""

from __future__ import annotations

import json
import random

DTYPES = ["F32", "F64", "F16", "I64", "I32", "U8", "BF16", "F8_E4M3", "BOOL", "C64", "F4", "", 3, None]


def damaged(data, count, seed=0):
    """``count`` of them, each different from ``data``."""
    rng = random.Random(seed)
    kinds = [flip, truncate, scramble, rename, lie, resize, nest, exchange]
    made = 0
    while made < count:
        changed = bytes(kinds[made % len(kinds)](rng, data))
        if changed != data:
            made += 1
            yield changed


def split(data):
    length = int.from_bytes(data[:8], "little")
    return data[8 : 8 + length], data[8 + length :]


def joined(header, rest):
    return len(header).to_bytes(8, "little") + header + rest


def flip(rng, data):
    """Some bits."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return changed


def truncate(rng, data):
    """Cut short, or continued."""
    return data[: rng.randrange(len(data))] if rng.random() < 0.8 else data + rng.randbytes(rng.randrange(1, 99))


def scramble(rng, data):
    """Bytes replaced, removed, inserted, reversed, repeated, zeroed."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        i, j = sorted(rng.randrange(len(changed) + 1) for _ in range(2))
        kind = rng.randrange(6)
        if kind == 0 and changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        elif kind == 1:
            del changed[i : min(j, i + 9)]
        elif kind == 2:
            changed[i:i] = rng.randbytes(rng.randrange(1, 9))
        elif kind == 3:
            changed[i:j] = changed[i:j][::-1]
        elif kind == 4:
            changed[i:i] = changed[i : min(j, i + 40)]
        else:
            changed[i:j] = bytes(j - i)
    return changed


def rename(rng, data):
    """Names, numbers and types in the text of the header exchanged for others that make sense."""
    header, rest = split(data)
    pieces = [
        b"F32",
        b"I64",
        b"F64",
        b"U8",
        b"BOOL",
        b"[2]",
        b"[]",
        b"[1,2]",
        b"0",
        b"8",
        b"16",
        b"1",
        b"weight",
        b"bias",
    ]
    for _ in range(rng.choice([1, 2, 3])):
        header = header.replace(rng.choice(pieces), rng.choice(pieces), rng.choice([1, -1]))
    return joined(header, rest)


def lie(rng, data):
    """A header that is right as JSON, with false types, shapes, offsets, names or metadata."""
    header, rest = split(data)
    table = json.loads(header)
    names = [name for name in table if name != "__metadata__"]
    entry, other = table[rng.choice(names)], table[rng.choice(names)]
    numbers = [-1, 0, 1, 7, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, 1.5, "8", None, [], True]
    kind = rng.randrange(8)
    if kind == 0:
        entry["dtype"] = rng.choice(DTYPES)
    elif kind == 1:
        entry["shape"] = [rng.choice(numbers) for _ in range(rng.randrange(4))]
    elif kind == 2:
        entry["data_offsets"] = [rng.choice(numbers) for _ in range(rng.choice([2, 2, 2, 0, 1, 3]))]
    elif kind == 3:
        entry["data_offsets"], other["data_offsets"] = other["data_offsets"], entry["data_offsets"]
    elif kind == 4:
        table["x" * rng.choice([0, 1, 1000])] = dict(other)
    elif kind == 5:
        table["__metadata__"][rng.choice(list(table["__metadata__"]))] = rng.choice(
            ["", "1", "2", "{}", "xnn", 3, None, {}]
        )
    elif kind == 6:
        del entry[rng.choice(list(entry))]
    else:
        del table[rng.choice(list(table))]
    return joined(json.dumps(table).encode(), rest)


def resize(rng, data):
    """A header that says it is longer or shorter than it is, or is huge."""
    if rng.random() < 0.7:
        sizes = [
            0,
            1,
            2,
            7,
            len(data),
            len(data) - 8,
            2**24,
            99_999_999,
            100_000_001,
            2**31,
            2**32,
            2**62,
            2**63,
            2**64 - 1,
        ]
        return rng.choice(sizes).to_bytes(8, "little") + data[8:]
    header, rest = split(data)
    return joined(header + b" " * rng.choice([1, 100, 10**6]) + rng.choice([b"", b"{}", b"\0", b","]), rest)


def nest(rng, data):
    """Brackets in brackets, deep enough to exhaust a stack, in the place of a value or of the whole."""
    header, rest = split(data)
    depth = rng.choice([10, 200, 2000, 100_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}"), (b"[", b"")])
    bomb = opening * depth + rng.choice([b"", b"1"]) + closing * depth
    if rng.random() < 0.3:
        return joined(bomb, rest)
    if rng.random() < 0.5:
        text = json.loads(header)
        text["__metadata__"]["architecture"] = bomb.decode()
        return joined(json.dumps(text).encode(), rest)
    marks = [i for i, byte in enumerate(header) if byte == ord(":")]
    i = rng.choice(marks) + 1
    return joined(header[:i] + bomb + b"," + header[i:], rest)


def exchange(rng, data):
    """The header of another file of the same arrays, or the bytes of the arrays in another order."""
    header, rest = split(data)
    if rng.random() < 0.5:
        i = rng.randrange(1, len(rest))
        return joined(header, rest[i:] + rest[:i])
    table = json.loads(header)
    names = [name for name in table if name != "__metadata__"]
    one, other = rng.choice(names), rng.choice(names)
    table[one], table[other] = table[other], table[one]
    if rng.random() < 0.5:
        digits = table["__metadata__"]["checksum"]
        table["__metadata__"]["checksum"] = digits[::-1]
    return joined(json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode(), rest)
