"""Runs a program in a terminal: types each text once the words before it are on the screen; ends it after the last words.

Arguments: a JSON list of [words, text], then the program and its arguments. Prints what came to the screen.
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LONGEST = 40.0
# Interfaces draw in several steps; keys typed in between are lost.
SETTLED = 0.4
CONTROL = re.compile(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|.)")

steps, command = json.loads(sys.argv[1]), sys.argv[2:]
child, screen = pty.fork()
if child == 0:
    os.execv(command[0], command)
fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
seen, done, ends = "", 0, time.time() + LONGEST


def read(seconds):
    global seen
    if not select.select([screen], [], [], seconds)[0]:
        return False
    data = os.read(screen, 65536).decode("utf-8", "replace")
    sys.stdout.write(data)
    # Spaces are often drawn by moving the cursor: words are compared without them.
    seen += re.sub(r"\s", "", CONTROL.sub("", data))
    return True


try:
    while steps and time.time() < ends:
        read(0.1)
        words, text = steps[0]
        found = seen.find(re.sub(r"\s", "", words), done)
        if found < 0:
            continue
        while read(SETTLED) and time.time() < ends:
            pass
        done = len(seen)
        for key in re.findall(r"\r|[^\r]+", text):
            os.write(screen, key.encode())
            time.sleep(0.2)
        steps.pop(0)
except OSError:
    pass
os.kill(child, signal.SIGTERM)
time.sleep(0.3)
try:
    os.kill(child, signal.SIGKILL)
except ProcessLookupError:
    pass
sys.exit(f"never seen: {steps[0][0]}" if steps else 0)
