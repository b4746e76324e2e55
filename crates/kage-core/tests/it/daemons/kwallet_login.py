"""Starts `kwalletd5` with the wallet open, as `pam_kwallet` does when a user logs in.

The passphrase is on standard input. The key is derived from it and from a salt beside the wallet,
and travels through a pipe; the environment of the session travels through a socket.
"""

import hashlib
import os
import socket
import sys

ROUNDS = 50_000
KEY_BYTES = 56

passphrase = sys.stdin.buffer.read()
salt_path = os.environ["XDG_DATA_HOME"] + "/kwalletd/kdewallet.salt"
if not os.path.exists(salt_path):
    with open(salt_path, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(os.urandom(KEY_BYTES))
with open(salt_path, "rb") as file:
    salt = file.read()
key = hashlib.pbkdf2_hmac("sha512", passphrase, salt, ROUNDS, KEY_BYTES)

key_end, other_end = os.pipe()
os.write(other_end, key)
os.close(other_end)

socket_path = os.environ["XDG_RUNTIME_DIR"] + "/kwallet5.socket"
if os.path.exists(socket_path):
    os.unlink(socket_path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(socket_path)
listener.listen(1)
# The daemon accepts this connection later, and finds everything in it.
session = socket.socket(socket.AF_UNIX)
session.connect(socket_path)
session.sendall("".join(f"{name}={value}\n" for name, value in os.environ.items()).encode())
session.close()

os.set_inheritable(key_end, True)
os.set_inheritable(listener.fileno(), True)
os.environ["PAM_KWALLET5_LOGIN"] = socket_path
arguments = ["kwalletd5", "--pam-login", str(key_end), str(listener.fileno())]
os.execvp(arguments[0], arguments)
