import ctypes
import os
import sys
import threading
import time


kept = [os.environ.get("SECRET", "") + str(index) for index in range(1000)]


def inner(depth):
    if depth == 0:
        crash()
    else:
        inner(depth - 1)


def crash():
    if sys.argv[1:2] == ["there"]:
        ctypes.memmove(0, b"x", 1)
    else:
        ctypes.string_at(0)


for _ in range(3):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
time.sleep(0.1)
inner(4)
