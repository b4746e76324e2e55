"""A Secret Service that lies, to clients that must not believe everything.

    LIE ...

It owns `org.freedesktop.secrets`, holds three items, and offers no encryption unless its lie is
about that. Each lie is a word:

    ignores-attributes   a search finds everything
    gives-too-much       whoever asks for one secret gets all of them
    moves-items          the first two items change places when secrets are asked for
    broken-cipher        an encrypted session whose secrets cannot be decrypted
    forgets              what is stored is not kept
    truncates            what is stored is cut short
    shouts               every question about secrets is an error, long and full of control codes
    stays-locked         locked, and its prompt is answered and changes nothing
    no-default           there is no default collection
"""

import os
import sys

from jeepney import (
    HeaderFields,
    MessageType,
    DBusAddress,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

SERVICE = "org.freedesktop.secrets"
ROOT = "/org/freedesktop/secrets"
COLLECTION = ROOT + "/collection/lies"
SESSION = ROOT + "/session/1"
PROMPT = ROOT + "/prompt/1"
PUBLIC_KEY_BYTES = 128

lies = set(sys.argv[1:])
# Path: attributes, value.
items = {
    COLLECTION + "/1": [
        {"service": "kage-global", "account": "API_KEY", "application": "kage"},
        b"s3cr3t-for-impostor-right",
    ],
    COLLECTION + "/2": [
        {"service": "kage-global", "account": "OTHER", "application": "kage"},
        b"s3cr3t-for-impostor-other",
    ],
    COLLECTION + "/3": [
        {"service": "kage-namespace:other", "account": "API_KEY"},
        b"s3cr3t-for-impostor-namespace",
    ],
}


class Refused(Exception):
    """Becomes an error on the bus."""


def find(wanted):
    return [
        path
        for path, (attributes, _) in items.items()
        if "ignores-attributes" in lies or wanted.items() <= attributes.items()
    ]


def open_session(algorithm, _key):
    if algorithm == "plain":
        return "vo", (("s", ""), SESSION)
    if "broken-cipher" in lies:
        return "vo", (("ay", os.urandom(PUBLIC_KEY_BYTES)), SESSION)
    raise Refused("org.freedesktop.DBus.Error.NotSupported", "only plain")


def secret_of(path):
    if "broken-cipher" in lies:
        # No whole block.
        return SESSION, os.urandom(16), os.urandom(15), "text/plain"
    return SESSION, b"", items[path][1], "text/plain"


def get_secrets(paths, _session):
    if "shouts" in lies:
        raise Refused("org.example.Error", "\x1b[31mLOUD\n" * 10_000)
    if "moves-items" in lies:
        lies.remove("moves-items")
        first, second = COLLECTION + "/1", COLLECTION + "/2"
        items[first], items[second] = items[second], items[first]
    if "gives-too-much" in lies:
        paths = list(items)
    return "a{o(oayays)}", ({path: secret_of(path) for path in paths if path in items},)


def kept(value):
    return value[:-1] if "truncates" in lies else value


def create_item(properties, secret, _replace):
    path = f"{COLLECTION}/{len(items) + 1}"
    if "forgets" not in lies:
        attributes = properties["org.freedesktop.Secret.Item.Attributes"][1]
        items[path] = [attributes, kept(secret[2])]
    return "oo", (path, "/")


def set_secret(path, secret):
    if "forgets" not in lies:
        items[path][1] = kept(secret[2])
    return None, ()


def get_property(path, name):
    if path in items:
        attributes, _ = items[path]
        values = {
            "Attributes": ("a{ss}", attributes),
            "Label": ("s", "a lie"),
            "Locked": ("b", "stays-locked" in lies),
            "Created": ("t", 1),
            "Modified": ("t", 1),
        }
    elif path.startswith(ROOT + "/aliases/") or path == COLLECTION:
        values = {"Locked": ("b", "stays-locked" in lies), "Label": ("s", "lies")}
    else:
        raise Refused("org.freedesktop.DBus.Error.UnknownObject", path)
    return "v", (values[name],)


def set_property(path, name, value):
    if name == "Attributes" and "forgets" not in lies:
        items[path][0] = value[1]
    return None, ()


def search(wanted):
    found = find(wanted)
    return "aoao", ([], found) if "stays-locked" in lies else (found, [])


def answer(path, member, body):
    match member, body:
        case "OpenSession", (algorithm, key):
            return open_session(algorithm, key)
        case "ReadAlias", _:
            return "o", ("/" if "no-default" in lies else COLLECTION,)
        case "SearchItems", (wanted,):
            return search(wanted)
        case "GetSecrets", (paths, session):
            return get_secrets(paths, session)
        case "GetSecret", _:
            return "(oayays)", (secret_of(path),)
        case "Unlock", (paths,):
            return "aoo", ([], PROMPT) if "stays-locked" in lies else (paths, "/")
        case "CreateItem", (properties, secret, replace):
            return create_item(properties, secret, replace)
        case "SetSecret", (secret,):
            return set_secret(path, secret)
        case "Delete", ():
            items.pop(path, None)
            return "o", ("/",)
        case "Get", (_, name):
            return get_property(path, name)
        case "Set", (_, name, value):
            return set_property(path, name, value)
        case "Prompt", _:
            emitter = DBusAddress(PROMPT, interface="org.freedesktop.Secret.Prompt")
            bus.send(new_signal(emitter, "Completed", "bv", (False, ("s", ""))))
            return None, ()
    raise Refused("org.freedesktop.DBus.Error.UnknownMethod", member)


bus = open_dbus_connection(bus="SESSION")
owned = bus.send_and_get_reply(message_bus.RequestName(SERVICE, 4))
assert owned.body == (1,), owned.body
while True:
    message = bus.receive()
    if message.header.message_type != MessageType.method_call:
        continue
    fields = message.header.fields
    try:
        signature, body = answer(
            fields[HeaderFields.path], fields[HeaderFields.member], message.body
        )
        bus.send(new_method_return(message, signature, body))
    except Refused as refused:
        name, text = refused.args
        bus.send(new_error(message, name, "s", (text,)))
