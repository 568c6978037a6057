#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the services of the namespace tests do: actor.py WORD [ARGUMENT...]... one after the other.

    sleep [S]       for ever, or so long            exit N       end
    write TEXT      a line to standard output       touch FILE   create it
    wait FILE       until the file exists           notify TEXT  sd_notify(3)
    socket PATH     listen on an AF_UNIX socket     http PORT CODE  answer every request
    ignore          SIGTERM from now on             child        fork one that sleeps for ever
    session         ... in a session of its own     orphan       fork one whose parent ends
    stamp FILE      append the time, in ns          kill N       a signal to itself
    on-stop FILE    append the time to it at SIGTERM, then end
    on-signal N FILE    append N to the file at each signal N, and go on
    reloads FILE    at SIGHUP: RELOADING=1, then wait for the file, then READY=1
    handover KIND   fork one that goes on as the main process (MAINPID=), while this one ends
                    (KIND "end") or stays as its parent ("stay")
    ready-fd N TEXT write TEXT to descriptor N
    orphans N       fork N that sleep for ever and whose parents end
    fill FILE       fork until there is no room for a process, again and again; FILE when there was
    feed            WATCHDOG=1 for ever, twice in each period
    id FILE         user, groups and cgroup of this process
"""

import os
import signal
import socket
import sys
import threading
import time


def boottime():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def forever():
    while True:
        signal.pause()


def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.sendto(text.replace("\\n", "\n").encode(), os.environ["NOTIFY_SOCKET"])


def listen(path):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen()
    keep.append(server)


def http(port, code):
    server = socket.create_server(("127.0.0.1", int(port)))

    def answer():
        while True:
            client, _ = server.accept()
            client.recv(4096)
            client.sendall(f"HTTP/1.1 {code} Test\r\n\r\n".encode())
            client.close()

    threading.Thread(target=answer, daemon=True).start()


def child(session=False):
    if os.fork() == 0:
        if session:
            os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        forever()


def orphan():
    pid = os.fork()
    if pid == 0:
        if os.fork() == 0:
            time.sleep(0.05)
        os._exit(0)
    os.waitpid(pid, 0)


def append(path, text):
    with open(path, "a") as file:
        file.write(text + "\n")


def on_stop(path):
    def stopped(*_):
        append(path, str(boottime()))
        sys.exit(0)

    signal.signal(signal.SIGTERM, stopped)


def wait(path):
    while not os.path.exists(path):
        time.sleep(0.01)


def on_signal(number, path):
    signal.signal(int(number), lambda *_: append(path, number))


def reloads(path):
    def reload(*_):
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        notify(f"RELOADING=1\nMONOTONIC_USEC={now}")
        wait(path)
        notify("READY=1")

    signal.signal(signal.SIGHUP, reload)


def handover(kind):
    pid = os.fork()
    if pid == 0:
        return
    notify(f"MAINPID={pid}")
    if kind == "end":
        os._exit(0)
    os.waitpid(pid, 0)
    forever()


def orphans(count):
    for _ in range(int(count)):
        if os.fork() == 0:
            if os.fork() == 0:
                forever()
            os._exit(0)
        os.wait()


def fill(path):
    while True:
        try:
            if os.fork() == 0:
                forever()
        except BlockingIOError:
            open(path, "w").close()
            time.sleep(0.002)


def feed():
    while True:
        time.sleep(int(os.environ["WATCHDOG_USEC"]) / 2e6)
        notify("WATCHDOG=1")


def identify(path):
    groups = " ".join(str(gid) for gid in sorted(os.getgroups()))
    with open("/proc/self/cgroup") as file:
        group = [line for line in file.read().split("\n") if line.startswith("0::")][0][3:]
    append(path, f"{os.getresuid()} {os.getresgid()} [{groups}] {group}")


keep = []
WORDS = {
    "exit": lambda n: sys.exit(int(n)),
    "write": lambda text: print(text, flush=True),
    "touch": lambda path: open(path, "w").close(),
    "wait": wait,
    "notify": notify,
    "socket": listen,
    "http": http,
    "ignore": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "child": child,
    "session": lambda: child(True),
    "orphan": orphan,
    "stamp": lambda path: append(path, str(boottime())),
    "kill": lambda number: os.kill(os.getpid(), int(number)),
    "on-stop": on_stop,
    "on-signal": on_signal,
    "reloads": reloads,
    "handover": handover,
    "ready-fd": lambda number, text: os.write(int(number), text.replace("\\n", "\n").encode()),
    "id": identify,
    "orphans": orphans,
    "fill": fill,
    "feed": feed,
    "pause": lambda seconds: time.sleep(float(seconds)),
    "sleep": forever,
}

words = sys.argv[1:]
while words:
    action = WORDS[words.pop(0)]
    arguments = [words.pop(0) for _ in range(action.__code__.co_argcount)
                 if action not in (child,)]
    action(*arguments)
