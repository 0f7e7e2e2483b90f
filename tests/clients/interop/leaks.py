"""Is a secret in this text, in any encoding a recorder could have left it in?

A value counts as found when any 12 characters in a row of any of its encodings are there, so a cut, folded or partly
masked secret is found too.
"""

import base64
import html
import json
import re
import secrets
import urllib.parse

WINDOW = 12
# What a placeholder may keep of a value: documented prefixes.
PREFIXES = re.compile(r"^(sk-ant-(?:api|oat|ort)\d\d-)")


def found(known, text):
    """The names of those of `known` (value → name) that occur in `text`, with the encoding they were found in."""
    compact = re.sub(r"[\s\\]+", "", text)  # as if no line had been folded and no quote escaped
    grams = {compact[i : i + WINDOW] for i in range(len(compact) - WINDOW + 1)}
    for value, name in known.items():
        for encoding, needle in encodings(PREFIXES.sub("", value)):
            needle = re.sub(r"[\s\\]+", "", needle)
            # The header and the claims of a JWT may stay: only the whole token is secret, its signature is noted by itself.
            window = WINDOW if not value.startswith("eyJ") and name != "home" else len(needle)
            windows = (needle[i : i + window] for i in range(len(needle) - window + 1))
            if len(needle) >= 8 and any(part in grams if len(part) == WINDOW else part in compact for part in windows):
                yield f"{name} ({encoding})"
                break


def encodings(value):
    data = value.encode()
    yield "as it is", value
    yield "JSON string", json.dumps(value)[1:-1]
    yield "JSON in JSON", json.dumps(json.dumps(value))[3:-3]
    yield "HTML", html.escape(value)
    quoted = urllib.parse.quote(value, safe="")
    yield "percent", quoted
    yield "percent, lower case", re.sub("%..", lambda octet: octet[0].lower(), quoted)
    yield "percent, twice", urllib.parse.quote(quoted, safe="")
    yield "percent, every octet", "".join(f"%{octet:02X}" for octet in data)
    yield "hex", data.hex()
    yield "HEX", data.hex().upper()
    for offset in range(3):
        # Of three alignments one is the value's; the characters that depend on its neighbours are cut off.
        encoded = base64.b64encode(b"\0" * offset + data).decode()
        first = -(-offset * 8 // 6)
        inner = encoded[first : len(encoded) - (4 if (offset + len(data)) % 3 else 0)]
        yield f"base64 at {offset}", inner
        yield f"base64url at {offset}", inner.translate(str.maketrans("+/", "-_"))


def prove():
    """Fails unless a planted secret is found in each encoding; a search that finds nothing must not look like a clean file."""
    planted = 'p/l+a "n" & ted-' + secrets.token_urlsafe(24)
    basic = base64.b64encode(f"name:{planted}".encode()).decode()
    nested = json.dumps({"text": json.dumps({"token": planted})})
    quoted = urllib.parse.quote(planted, safe="")
    for text in (planted, basic, nested, quoted, planted.encode().hex(), html.escape(planted), planted[:-9] + "xxxx"):
        if not list(found({planted: "planted"}, f"before {text} after")):
            raise AssertionError(f"the search misses {text}")
    if list(found({planted: "planted"}, secrets.token_urlsafe(2000))):
        raise AssertionError("the search finds what is not there")
