"""Stands in for a command that asks on its own terminal: oo7-daemon turns to it for a passphrase.

    dismiss | hang | answer PASSPHRASE

It owns `org.freedesktop.secrets.CliPrompter` on the session bus.
"""

import socket
import sys

from jeepney import HeaderFields, MessageType, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

behaviour = sys.argv[1]
bus = open_dbus_connection(bus="SESSION", enable_fds=True)
owned = bus.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets.CliPrompter", 4))
assert owned.body == (1,), owned.body
while True:
    message = bus.receive()
    is_call = message.header.message_type == MessageType.method_call
    if not is_call or message.header.fields.get(HeaderFields.member) != "Prompt":
        continue
    print("asked")
    if behaviour == "hang":
        continue
    theirs, ours = socket.socketpair()
    if behaviour == "answer":
        ours.sendall(sys.argv[2].encode())
    ours.close()
    bus.send(new_method_return(message, "hb", (theirs, behaviour == "answer")))
    theirs.close()
