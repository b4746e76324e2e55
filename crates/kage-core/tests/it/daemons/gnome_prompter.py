"""Stands in for the dialog with which GNOME asks for the passphrase of a keyring.

    [--delay SECONDS] dismiss | hang | answer FIRST [SECOND ...]

It owns `org.gnome.keyring.SystemPrompter` on the session bus and writes a line for each thing that
happens: `ready`, `opened`, `asked`, `closed`. gnome-keyring sends the passphrase through an
exchange that it calls sx-aes-1: Diffie-Hellman in the 1536-bit MODP group, HKDF-SHA256 over the
shared secret, AES-128-CBC.
"""

import base64
import os
import sys
import time

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

# RFC 3526, section 2.
PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA237327FFFFFFFFFFFFFFFF",
    16,
)
PRIME_BYTES = 192


class Exchange:
    """One end of sx-aes-1."""

    def __init__(self):
        self.private = int.from_bytes(os.urandom(32), "big")

    def greeting(self):
        public = pow(2, self.private, PRIME).to_bytes(PRIME_BYTES, "big")
        return "[sx-aes-1]\npublic=" + base64.b64encode(public).decode() + "\n"

    def sealed(self, peer, secret):
        fields = dict(line.split("=", 1) for line in peer.splitlines() if "=" in line)
        public = int.from_bytes(base64.b64decode(fields["public"]), "big")
        # As gcr has it: without the zero bytes that one number in 256 begins with.
        shared = pow(public, self.private, PRIME).to_bytes(PRIME_BYTES, "big").lstrip(b"\0")
        key = HKDF(algorithm=hashes.SHA256(), length=16, salt=None, info=b"").derive(shared)
        iv = os.urandom(16)
        pad = padding.PKCS7(128).padder()
        cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        hidden = cipher.update(pad.update(secret) + pad.finalize()) + cipher.finalize()
        lines = {"secret": hidden, "iv": iv}
        text = "".join(f"{name}={base64.b64encode(b).decode()}\n" for name, b in lines.items())
        return self.greeting() + text


def main(arguments):
    delay = 0.0
    if arguments[0] == "--delay":
        delay = float(arguments[1])
        arguments = arguments[2:]
    behaviour, answers = arguments[0], [answer.encode() for answer in arguments[1:]]
    bus = open_dbus_connection(bus="SESSION")
    owned = bus.send_and_get_reply(message_bus.RequestName("org.gnome.keyring.SystemPrompter", 4))
    assert owned.body == (1,), owned.body
    print("ready")
    exchanges = {}
    while True:
        message = bus.receive()
        if message.header.message_type != MessageType.method_call:
            continue
        bus.send(new_method_return(message))
        fields = message.header.fields
        member, callback = fields.get(HeaderFields.member), message.body[0]
        client = DBusAddress(
            callback,
            bus_name=fields[HeaderFields.sender],
            interface="org.gnome.keyring.internal.Prompter.Callback",
        )

        def ready(reply, exchanged):
            body = (reply, {}, exchanged)
            bus.send(new_method_call(client, "PromptReady", "sa{sv}s", body))

        if member == "BeginPrompting":
            print("opened")
            exchanges[callback] = Exchange()
            ready("", exchanges[callback].greeting())
        elif member == "PerformPrompt":
            print("asked")
            time.sleep(delay)
            if behaviour == "dismiss":
                ready("no", exchanges[callback].greeting())
            elif behaviour == "answer":
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                ready("yes", exchanges[callback].sealed(message.body[3], answer))
        elif member == "StopPrompting":
            print("closed")
            bus.send(new_method_call(client, "PromptDone"))


main(sys.argv[1:])
