import ctypes
import threading
import time


def inner(depth):
    if depth == 0:
        ctypes.string_at(0)
    else:
        inner(depth - 1)


for _ in range(3):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
time.sleep(0.1)
inner(4)
